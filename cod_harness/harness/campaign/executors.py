"""Where the runs of a ladder are executed: a job in, its exit status and log out.

The campaign knows only the `Executor` protocol, so that a cluster's own engine (Ray, SLURM) can
stand behind it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

# Children get this long to end after being asked to, in seconds.
_GRACE = 10.0


@dataclass(frozen=True)
class RungJob:
    """One process to run: its command, its log file, and what to add to its environment."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """A job that has ended. status: its exit status; 0 is success."""

    job: RungJob
    status: int


class Executor(Protocol):
    """Runs jobs, some at a time, and says which have ended."""

    def submit(self, job: RungJob) -> None:
        """Take a job; it starts when there is room."""

    def running(self) -> Sequence[RungJob]:
        """The jobs that are running now."""

    def poll(self) -> Sequence[Finished]:
        """Start what there is room for; return the jobs that have ended since the last call."""

    def stop(self) -> None:
        """End everything that runs and forget what waits."""


class LocalExecutor:
    """Runs up to `jobs` processes at a time on this machine, each writing into its log file."""

    def __init__(self, jobs: int = 1) -> None:
        self._jobs = jobs
        self._waiting: list[RungJob] = []
        self._running: list[tuple[RungJob, subprocess.Popen[bytes]]] = []

    def submit(self, job: RungJob) -> None:
        """Take a job; it starts when there is room."""
        self._waiting.append(job)

    def running(self) -> Sequence[RungJob]:
        """The jobs that are running now."""
        return [job for job, _ in self._running]

    def poll(self) -> Sequence[Finished]:
        """Start what there is room for; return the jobs that have ended since the last call."""
        ended = [(job, process) for job, process in self._running if process.poll() is not None]
        self._running = [pair for pair in self._running if pair not in ended]
        finished = [Finished(job, process.returncode) for job, process in ended]
        while self._waiting and len(self._running) < self._jobs:
            job = self._waiting.pop(0)
            try:
                self._running.append((job, _started(job)))
            except OSError as error:  # a command that is not there is a failed job, not ours
                job.log.write_text(f"{job.command[0]}: {error}\n", encoding="utf-8")
                finished.append(Finished(job, 127))
        return finished

    def stop(self) -> None:
        """End everything that runs (asked first, then killed) and forget what waits."""
        self._waiting.clear()
        for _, process in self._running:
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        for _, process in self._running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
        self._running.clear()


def _started(job: RungJob) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, "ab") as log:
        return subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **job.environment},
            # Its own group: Ctrl-C reaches us alone, and we end the children and theirs in order.
            start_new_session=True,
        )


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
