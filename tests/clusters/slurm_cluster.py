"""A real SLURM on this machine alone: one slurmctld, two slurmd, no systemd or munge.

python tests/clusters/slurm_cluster.py FOLDER     starts it, until Ctrl-C
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

from daemons import daemon

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
PACKAGES = "apt-get install slurmctld slurmd slurm-client"


def missing() -> str:
    """Why there can be no SLURM here; '' if there can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no {', '.join(absent)} here: {PACKAGES}"
    return "" if os.geteuid() == 0 else "slurmd needs root"


def unlimited() -> str:
    """Why memory cannot be limited here; '' if it can."""
    folder = Path("/sys/fs/cgroup/memory")
    return "" if os.access(folder / "cgroup.procs", os.W_OK) else f"no {folder} that we may write"


class SlurmCluster:
    """Started in a folder; `conf` is what SLURM_CONF has to name."""

    nodes = ("cod1", "cod2")

    def __init__(self, folder: Path, cpus: int = 4) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        host = socket.gethostname().split(".")[0]
        control, *ports = _free_ports(1 + len(self.nodes))
        lines = [
            "ClusterName=cod",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={control}",
            "SlurmUser=root",
            "SlurmdUser=root",
            "AuthType=auth/none",  # one machine, one user
            "CredType=cred/none",
            f"StateSaveLocation={folder}/control",
            f"SlurmdSpoolDir={folder}/%n",
            f"SlurmctldPidFile={folder}/control.pid",
            f"SlurmdPidFile={folder}/%n.pid",
            f"SlurmctldLogFile={folder}/control.log",
            f"SlurmdLogFile={folder}/%n.log",
            "ProctrackType=proctrack/linuxproc",
            f"TaskPlugin=task/{'none' if unlimited() else 'cgroup'}",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core_Memory",
            "DefMemPerCPU=2000",
            "GresTypes=gpu",
            "PreemptType=preempt/partition_prio",
            "PreemptMode=REQUEUE",
            # A queue for people looks less often.
            "SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0",
            "SwitchType=switch/none",
            "MpiDefault=none",
            "ReturnToService=2",
            "SlurmdTimeout=5",
            "KillWait=2",
            "MinJobAge=3600",  # on a busy machine a test asks late how a job ended
            "SlurmdParameters=config_overrides",
            "AccountingStorageType=accounting_storage/none",
        ]
        for node, port in zip(self.nodes, ports, strict=True):
            (folder / node).mkdir(parents=True)
            lines.append(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} "
                "RealMemory=8000 Gres=gpu:2 State=UNKNOWN"
            )
        everywhere = f"Nodes={','.join(self.nodes)} State=UP"
        lines.append(f"PartitionName=main {everywhere} Default=YES PriorityTier=1")
        lines.append(f"PartitionName=urgent {everywhere} PriorityTier=2")
        (folder / "control").mkdir()
        self.conf.write_text("\n".join(lines) + "\n")
        # Read in any case.
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\n")
        # Pretended: SLURM wants files of its own for each.
        devices = [folder / f"gpu{number}" for number in range(2)]
        for device in devices:
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        (folder / "gres.conf").write_text("".join(f"Name=gpu File={path}\n" for path in devices))

    def start(self) -> None:
        """Start the daemons and wait until both nodes are idle."""
        self._daemon("control", "slurmctld", "-D", "-c")
        for node in self.nodes:
            self.start_node(node)
        self.wait_for_nodes()

    def wait_for_nodes(self) -> None:
        """Until jobs can run on both."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            said = self.ask("sinfo", "-h", "-N", "-t", "idle", "-o", "%N")
            if set(said.split()) >= set(self.nodes):
                return
            time.sleep(0.1)
        raise TimeoutError(f"the nodes are not idle; see the logs in {self.folder}")

    def forget(self) -> None:
        """Start slurmctld anew without its state: it has never heard of any job."""
        control = self._processes.pop("control")
        control.terminate()
        control.wait(20)
        self._daemon("control", "slurmctld", "-D", "-c")
        self.wait_for_nodes()

    def start_node(self, node: str) -> None:
        """Start a node's slurmd."""
        self._daemon(node, "slurmd", "-D", "-N", node)

    def cut_off(self, node: str) -> None:
        """What a lost network does: nobody can reach the node, whose jobs go on."""
        slurmd = self._processes.pop(node)
        slurmd.kill()
        slurmd.wait()

    def kill_node(self, node: str) -> None:
        """What a power cut does: the daemon and every job on the node are gone at once."""
        if node in self._processes:
            self.cut_off(node)
        for pid in _of_the_node(self.folder / node):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ask(self, *words: str) -> str:
        """What one of SLURM's commands answers."""
        environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        return done.stdout

    def stop(self) -> None:
        """End the jobs and the daemons that were started here, by their process ids."""
        self.ask("scancel", "--user=root")
        deadline = time.monotonic() + 10
        while self.ask("squeue", "-h").strip() and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in reversed(list(self._processes.values())):
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _daemon(self, name: str, *words: str) -> None:
        environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        self._processes[name] = daemon(words, environment, self.folder / f"{name}.out")


def _of_the_node(spool: Path) -> list[int]:
    """Processes of jobs on a node: those that slurmd gave its SLURMD_NODENAME."""
    wanted = f"SLURMD_NODENAME={spool.name}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if wanted in environment or (
                words.startswith(b"slurmstepd") and _child_of(folder, spool)
            ):
                found.append(int(folder.name))
    return found


def _child_of(process: Path, spool: Path) -> bool:
    """Whether a slurmstepd has this node's folder open."""
    try:
        return any(os.readlink(link).startswith(str(spool)) for link in (process / "fd").iterdir())
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    cluster = SlurmCluster(Path(sys.argv[1]).absolute())
    cluster.start()
    print(f"export SLURM_CONF={cluster.conf}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        cluster.stop()
