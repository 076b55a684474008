"""A real Ray on this machine's loopback: a head and two nodes, each a raylet of its own.

python tests/clusters/ray_nodes.py FOLDER     starts it, until Ctrl-C
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from daemons import daemon


def missing() -> str:
    """Why there can be no Ray here; '' if there can."""
    if importlib.util.find_spec("ray") is None:
        return "Ray is not installed: pip install 'cod-harness[ray]'"
    return "" if sys.platform == "linux" else "needs a loopback of many addresses"


class RayNodes:
    """Started in a folder; `address` is what --ray-address has to name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Ray would take the machine's outer address for 127.0.0.1; ports below 10002 are not its
        # workers'.
        self.address = f"127.0.0.2:{_port()}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lines: dict[str, tuple[str, tuple[str, ...], int]] = {}

    def start(self) -> None:
        """Start the head, then two nodes, and wait until all three are there."""
        port = self.address.split(":")[1]
        # /tmp, since a socket's path may be 107 bytes long.
        head = ["--head", f"--port={port}", f"--temp-dir={self.folder}", "--num-gpus=0"]
        head += ["--include-dashboard=false", "--no-monitor"]
        self._node("head", "127.0.0.2", *head, cpus=0)
        self.wait_for("head")
        for name in ("one", "two"):
            self.start_node(name)
        for name in ("one", "two"):
            self.wait_for(name)

    def start_node(self, name: str) -> None:
        """Start the node `one` or `two`, with two processors and one pretended GPU.

        Or `full`, which has three, and ends whatever is begun there, for want of memory.
        """
        ip = {"one": "127.0.0.3", "two": "127.0.0.4", "full": "127.0.0.5"}[name]
        gpus = 3 if name == "full" else 1
        self._node(name, ip, f"--address={self.address}", f"--num-gpus={gpus}", cpus=2)

    def kill_node(self, name: str) -> None:
        """End a node's raylet and its like at once; workers notice by themselves."""
        process = self._processes.pop(name)
        _kill([process.pid, *_children(process.pid)])
        process.wait()

    def stop(self) -> None:
        """End what was started here, by process ids (`ray stop` would end everybody's)."""
        children = {name: _children(each.pid) for name, each in self._processes.items()}
        for process in reversed(list(self._processes.values())):
            process.terminate()
        for name, process in self._processes.items():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            _kill(children[name])
            process.kill()
            process.wait()

    def wait_for(self, name: str) -> None:
        """Until a node says that it is up. On a busy machine Ray gives up after 30 s: again."""
        for _ in range(4):
            process = self._processes[name]
            children: list[int] = []
            while process.poll() is None:
                if b"Ray runtime started" in (self.folder / f"{name}.out").read_bytes():
                    return
                children = _children(process.pid) or children
                time.sleep(0.1)
            _kill(children)
            ip, words, cpus = self._lines[name]
            self._node(name, ip, *words, cpus=cpus)
        raise TimeoutError(f"Ray does not start; see {self.folder}/{name}.out")

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            # Ray's own 15 would starve its jobs beside other tests.
            "RAY_worker_niceness": "0",
            # A dead node is noticed after three seconds.
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "3",
            "RAY_health_check_initial_delay_ms": "0",
        }

    def _node(self, name: str, ip: str, *words: str, cpus: int) -> None:
        line = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words]
        line += ["--include-log-monitor=false"]
        line += [f"--node-ip-address={ip}", f"--num-cpus={cpus}", "--disable-usage-stats"]
        line += ["--object-store-memory=100000000"]
        self._lines[name] = (ip, words, cpus)
        environment = self._environment()
        if name == "full":
            environment["RAY_memory_usage_threshold"] = "0.001"
        self._processes[name] = daemon(line, environment, self.folder / f"{name}.out")


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _port() -> int:
    for port in range(6380, 9000):
        with socket.socket() as each:
            if each.connect_ex(("127.0.0.2", port)) != 0:
                return port
    raise OSError("no free port")


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    nodes = RayNodes(Path(sys.argv[1]).absolute())
    nodes.start()
    print(f"--ray-address {nodes.address}", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        nodes.stop()
