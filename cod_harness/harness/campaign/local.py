"""Jobs as processes of this machine."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cod_harness.errors import InputError
from cod_harness.harness.campaign import locks
from cod_harness.harness.campaign.executors import Room
from cod_harness.harness.campaign.jobs import Finished, Job
from cod_harness.ladder.files import file_name
from cod_harness.parent import PARENT

# Children get this long to end after being asked to, in seconds.
_GRACE = 10.0


@dataclass
class _Child:
    job: Job
    process: subprocess.Popen[bytes]
    gpus: tuple[str, ...]


class LocalExecutor:
    """Runs up to `jobs` processes at a time, each writing into its log file.

    Each process holds a lock of its job's, so that a process that outlived its driver is found and
    waited for, and never has a second one beside it. Where there are GPUs and more than one job
    may run, each job gets GPUs of its own: as many as it asks for, else one.
    """

    stays = False

    def __init__(self, room: Room) -> None:
        self._locks = room.folder / "locks"
        self._jobs = room.jobs or 1
        self._gpus = visible_gpus()
        self._free = list(self._gpus)
        self._waiting: list[Job] = []
        self._running: list[_Child] = []
        self._orphans: list[Job] = []

    def found(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """The jobs whose processes have outlived the driver that started them."""
        found = [job for job in jobs if locks.held(self._lock(job))]
        self._orphans += found
        for job in found:
            theirs = locks.holder(self._lock(job)).get("gpus") or []
            self._free = [gpu for gpu in self._free if gpu not in theirs]
        return found

    def submit(self, job: Job) -> None:
        """Take a job; it starts when there is room.

        Raises InputError for a job that wants more GPUs than this machine has.
        """
        if self._gpus and (job.gpus or 0) > len(self._gpus):
            raise InputError(
                f"{job.name} needs {job.gpus} GPUs, this machine shows {len(self._gpus)}; change "
                "`gpus` in the ladder file or run it elsewhere"
            )
        self._waiting.append(job)

    def running(self) -> Sequence[Job]:
        """The jobs that are running now."""
        return [*self._orphans, *(child.job for child in self._running)]

    def poll(self) -> Sequence[Finished]:
        """Start what there is room for; return the jobs that have ended since the last call."""
        finished = []
        for child in [child for child in self._running if child.process.poll() is not None]:
            self._running.remove(child)
            self._free += child.gpus
            finished.append(Finished(child.job, child.process.returncode))
        for job in [job for job in self._orphans if not locks.held(self._lock(job))]:
            self._orphans.remove(job)
            self._free += locks.holder(self._lock(job)).get("gpus") or []
            finished.append(Finished(job, 1, "unknown", "it outlived the process that started it"))
        while self._waiting and len(self.running()) < self._jobs:
            job = self._waiting[0]
            wanted = self._wanted(job)
            if wanted > len(self._free):
                break
            self._waiting.pop(0)
            gpus, self._free = tuple(self._free[:wanted]), self._free[wanted:]
            try:
                self._running.append(_Child(job, self._started(job, gpus), gpus))
            except OSError as error:  # a command that is not there is a failed job, not ours
                self._free += gpus
                job.log.write_text(f"{job.command[0]}: {error}\n", encoding="utf-8")
                finished.append(Finished(job, 127))
        return finished

    def stop(self) -> None:
        """End everything that runs (asked first, then killed) and forget what waits."""
        self._waiting.clear()
        for child in self._running:
            _signal_group(child.process.pid, signal.SIGTERM)
        for job in self._orphans:
            by = locks.holder(self._lock(job))
            pid = by.get("pid")
            # 0 would be our own group, 1 the machine's first process.
            if by.get("host") == socket.gethostname() and isinstance(pid, int) and pid > 1:
                _signal_group(pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        for child in self._running:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(child.process.pid, signal.SIGKILL)
                child.process.wait()
        self._running.clear()
        self._orphans.clear()

    def leave(self) -> None:
        """Nothing of this process goes on without it."""
        self.stop()

    def script(self, jobs: Sequence[Job]) -> str:
        """One line a job."""
        lines = []
        for job in jobs:
            wanted = min(self._wanted(job), len(self._gpus))
            words = ["CUDA_VISIBLE_DEVICES=<its own>"] if wanted else []
            words += [f"{key}={shlex.quote(value)}" for key, value in job.environment.items()]
            lines.append(f"{' '.join([*words, shlex.join(job.command)])} >> {job.log} 2>&1")
        return "\n".join(lines) + "\n"

    def _wanted(self, job: Job) -> int:
        if not self._gpus:
            return 0
        # One job at a time that says nothing has all GPUs there are, as ever.
        return job.gpus if job.gpus is not None else int(self._jobs > 1)

    def _lock(self, job: Job) -> Path:
        return self._locks / f"{file_name(job.name)}.lock"

    def _started(self, job: Job, gpus: Sequence[str]) -> subprocess.Popen[bytes]:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        lock = locks.locked(self._lock(job), patience=1.0)  # `status` may be looking
        if lock is None:
            raise OSError("it is running already, started by another process")
        mine = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}
        try:
            with open(job.log, "ab") as log:
                process = subprocess.Popen(
                    job.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, PARENT: str(os.getpid()), **job.environment, **mine},
                    pass_fds=(lock,),
                    # Its own group: Ctrl-C reaches us alone, and we end the children and theirs
                    # in order.
                    start_new_session=True,
                )
            locks.note(lock, {"pid": process.pid, "gpus": list(gpus)})
        finally:
            os.close(lock)
        return process


def visible_gpus() -> list[str]:
    """The GPUs that CUDA would show a process here, named as in CUDA_VISIBLE_DEVICES."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError, OverflowError):
        os.killpg(pid, number)
