"""Where programs that models wrote are run: inside bubblewrap, or under limits of our own.

SECURITY.md says which of the two stops what.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cod_harness.errors import InputError
from cod_harness.messages import say

# Bytes of any file that a program writes.
FILE_SIZE = 1 << 20
# Starting an interpreter takes time of its own, and a loaded machine more: seconds.
_START = 2.0

_RUNNER = Path(__file__).with_name("program_runner.py")
# What a limit that the system refuses leaves open, by the runner's name for it.
_LEFT_OPEN = {
    "memory": "taking all memory",
    "network": "",  # calls of the kernel are filtered as well
    "files": "reading your files and the environment of your processes (tokens)",
    "calls": "starting processes, ending yours, writing files, the network: all of these only "
    "against accidents",
}


@dataclass(frozen=True)
class Sandbox:
    """A place to run programs in.

    before: the words of a command line that set it up. open: what it does not stop.
    """

    name: str
    before: tuple[str, ...] = ()
    open: tuple[str, ...] = ()

    def answer(self, text: bytes, seconds: float, memory: int) -> bytes:
        """What the runner tells about a program: its nonce, on the first line of `text`, if it ran
        to its end. Nothing that it started is left running."""
        told, told_from = os.pipe()
        try:
            with tempfile.TemporaryDirectory(prefix="cod-program-") as folder:
                process = subprocess.Popen(
                    [*self.before, *_interpreter(seconds, memory, told_from, folder)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env={"PATH": os.defpath, "HOME": folder, "OMP_NUM_THREADS": "1"},
                    pass_fds=(told_from,),
                    start_new_session=True,
                )
                os.close(told_from)
                told_from = -1
                try:
                    process.communicate(text, seconds + _START)
                except subprocess.TimeoutExpired:
                    pass
                finally:
                    with contextlib.suppress(OSError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.kill()
                    process.wait()
            os.set_blocking(told, False)
            try:
                return os.read(told, 4096)
            except BlockingIOError:  # a process that outlived it holds the pipe
                return b""
        finally:
            os.close(told)
            if told_from >= 0:
                os.close(told_from)

    def runs_to_its_end(self, program: str, seconds: float, memory: int) -> bool:
        """Whether a program does, within seconds of wall clock and bytes of memory."""
        nonce = secrets.token_hex(16).encode()
        text = nonce + b"\n" + program.encode("utf-8", "surrogatepass")
        return self.answer(text, seconds, memory) == nonce


def _interpreter(seconds: float, memory: int, pipe: int, folder: str) -> list[str]:
    numbers = [str(seconds), str(memory), str(FILE_SIZE), str(pipe)]
    source = _RUNNER.read_text(encoding="utf-8")
    return [_python(), "-I", "-S", "-c", source, *numbers, *_system(), folder]


def _python() -> str:
    # The one below a virtual environment, whose packages no program needs.
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def _system() -> Sequence[str]:
    """Files and folders that an interpreter needs."""
    folders = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/dev/null")
    python = [os.path.realpath(sys.base_prefix), os.path.dirname(_python())]
    return [path for path in (*folders, "/dev/urandom", *python) if os.path.exists(path)]


def bubblewrap() -> Sandbox | None:
    """Bubblewrap, where it is installed and this system lets it work."""
    found = shutil.which("bwrap")
    if found is None:
        return None
    words = [found, "--unshare-user", "--unshare-all", "--die-with-parent", "--new-session"]
    words += ["--cap-drop", "ALL", "--clearenv", "--setenv", "HOME", "/tmp"]
    for path in _system():
        if not path.startswith("/dev/"):
            words += ["--ro-bind", path, path]
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp", "--"]
    box = Sandbox("bubblewrap", tuple(words))
    return box if box.answer(b"tell\n", 10.0, 1 << 30) else None


def limits() -> Sandbox:
    """The limits that a process of this system can set for itself."""
    told = Sandbox("limits").answer(b"tell\n", 10.0, 1 << 30).decode()
    refused = told.split() if told else ["files", "calls"]
    left = [_LEFT_OPEN[name] for name in refused if _LEFT_OPEN.get(name)]
    left.append("finding out which files exist")
    return Sandbox("limits", (), tuple(left))


@lru_cache(maxsize=1)
def found() -> Sandbox:
    """The best of the two on this machine; said on stderr the first time.

    Raises InputError on Windows, which knows neither.
    """
    if os.name != "posix":
        raise InputError("programs that models wrote run on Linux and macOS only; score them there")
    box = bubblewrap()
    if box is not None:
        say("programs that models wrote run inside bubblewrap, without network, files or processes")
        return box
    box = limits()
    say(
        "programs that models wrote run under limits, not in a sandbox, since bubblewrap (bwrap) "
        "is not here or not allowed; not stopped: " + "; ".join(box.open)
    )
    return box
