"""Programs that models wrote, run in a process of their own with limits.

Time, memory, files and the network are limited by the operating system where it can, and by an
audit hook inside the process. That stops accidents; against a program that means harm only a
container helps, and that is what the harness's own warning says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Per program: seconds of wall clock (what the harness's metric allows), bytes of memory, bytes of
# any file it writes.
SECONDS = 3.0
MEMORY = 1 << 30
FILE_SIZE = 1 << 20
# Starting an interpreter takes time of its own, and a loaded machine more.
_START = 2.0

_CONSENT = "HF_ALLOW_CODE_EVAL"

_RUNNER = """
import sys
seconds, memory, size = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
program = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
try:
    import resource
    for kind, limit in (("AS", memory), ("DATA", memory), ("FSIZE", size), ("CORE", 0),
                        ("CPU", int(seconds) + 1)):
        try:
            resource.setrlimit(getattr(resource, "RLIMIT_" + kind), (limit, limit))
        except (ValueError, OSError):
            pass
except ImportError:
    pass
try:
    import ctypes
    # A user and a network namespace of its own: no interface but an unconfigured loopback.
    ctypes.CDLL(None).unshare(0x10000000 | 0x40000000)
    del ctypes
except Exception:
    pass
# Loaded ahead, since typical solutions import them and the hook below watches from here on.
import collections, functools, heapq, itertools, math, re, string
import os, signal
if hasattr(signal, "setitimer"):
    signal.setitimer(signal.ITIMER_REAL, seconds)
refused = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn",
           "os.fork", "os.kill", "os.remove", "os.rename", "os.rmdir", "shutil.", "ctypes.",
           "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "pty.", "webbrowser.")
def hook(event, arguments):
    if event.startswith(refused):
        raise PermissionError(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise PermissionError("writing files")
sys.addaudithook(hook)
sys.stdin = None
finish = os._exit
del os, signal, hook
try:
    exec(compile(program, "<answer>", "exec"), {"__name__": "__main__"})
except BaseException:
    finish(1)
finish(17)
"""
_PASSED = 17  # not 0: a program that ends itself early has passed no test


def allowed() -> bool:
    """Whether the harness's own consent to run programs is given."""
    return os.environ.get(_CONSENT) == "1"


def passes(program: str, seconds: float = SECONDS, memory: int = MEMORY) -> bool:
    """Whether a program runs to its end, tests included, within its limits."""
    with tempfile.TemporaryDirectory(prefix="cod-program-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _RUNNER, str(seconds), str(memory), str(FILE_SIZE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        try:
            process.communicate(program.encode("utf-8", "surrogatepass"), seconds + _START)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return process.returncode == _PASSED


class CodeEval:
    """The metric `code_eval` in the form the harness's tasks call it."""

    def compute(
        self,
        references: Sequence[str],
        predictions: Sequence[Sequence[str]],
        k: Sequence[int] = (1,),
        num_workers: int = 1,
        timeout: float = SECONDS,
        **_: Any,
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, dict[str, Any]]]]]:
        """pass@k of candidate programs and, by problem, what became of each candidate.

        references: test code, one text a problem. predictions: candidates, by problem.
        Raises ValueError without the consent HF_ALLOW_CODE_EVAL=1.
        """
        if not allowed():
            raise ValueError(
                f"this task runs programs that a model wrote: set {_CONSENT}=1 and add "
                "--confirm_run_unsafe_code if you accept that, best inside a container"
            )
        jobs = [
            (problem, at, f"{candidate}\n{tests}")
            for problem, (candidates, tests) in enumerate(zip(predictions, references, strict=True))
            for at, candidate in enumerate(candidates)
        ]
        with ThreadPoolExecutor(max(1, num_workers)) as pool:
            outcomes = list(pool.map(lambda job: passes(job[2], timeout), jobs))
        found: dict[int, list[tuple[int, dict[str, Any]]]] = {}
        for (problem, at, _program), passed in zip(jobs, outcomes, strict=True):
            words = "passed" if passed else "failed"
            told = {"task_id": problem, "passed": passed, "result": words, "completion_id": at}
            found.setdefault(problem, []).append((at, told))
        rates = {
            f"pass@{size}": sum(
                _pass_at(len(told), sum(one["passed"] for _, one in told), size)
                for told in found.values()
            )
            / max(1, len(found))
            for size in k
            if all(len(told) >= size for told in found.values())
        }
        return rates, found


def _pass_at(drawn: int, right: int, size: int) -> float:
    """Chance that at least one of `size` answers out of `drawn` is right."""
    from math import comb

    return 1.0 - comb(drawn - right, size) / comb(drawn, size)
