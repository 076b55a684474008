"""Jobs as tasks of a Ray cluster that others have started.

A detached actor, the keeper, owns the tasks: they go on when the driver ends, and a later driver
finds the keeper by its name. Where its node dies its tasks die with it, so nothing runs twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.campaign.executors import Room
from cod_harness.harness.campaign.jobs import Finished, Job, shell_script

_KNOCK = 10.0  # seconds that the head may take to answer
_NAMESPACE = "cod-harness"
_GRACE = 30  # seconds that a job may take to end in order after its worker
# What Ray says of a task whose node or worker was lost, by the names of its exceptions.
_LOST = (
    "NodeDiedError",
    "WorkerCrashedError",
    "OwnerDiedError",
    "ActorDiedError",
    "RaySystemError",
)
_LOST_WORDS = "its node or worker was lost"


class RayExecutor:
    """Hands jobs to the keeper of this output folder, and starts one where there is none."""

    stays = True

    def __init__(self, room: Room) -> None:
        """Raises InputError where there is no Ray to import, or none at the address."""
        self._room = room
        self._address = room.options.get("address") or os.environ.get("RAY_ADDRESS") or "auto"
        self._keeper: Any = None
        self._waiting: list[Job] = []
        self._open: dict[str, Job] = {}
        self._running: list[Job] = []
        self._looked = 0.0

    def found(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Jobs of an earlier driver that the keeper has, or has the end of and told nobody."""
        keeper = self._reached(make=False)
        if keeper is None:
            return []
        states = self._get(keeper.states.remote())
        found = [job for job in jobs if job.key in states]
        self._open.update({job.key: job for job in found})
        return found

    def submit(self, job: Job) -> None:
        """Take a job; it is handed over at the next `poll`."""
        self._waiting.append(job)

    def running(self) -> Sequence[Job]:
        """The jobs that have a worker."""
        return list(self._running)

    def poll(self) -> Sequence[Finished]:
        """Hand over what waits; return the jobs that have ended since the last call."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            keeper = self._reached(make=True)
            tasks = [_Task.of(job, self._room.setup) for job in waiting]
            self._get(keeper.submit.remote(tasks))
            self._open.update({job.key: job for job in waiting})
        if not self._open or time.monotonic() - self._looked < self._room.look_every:
            return []
        self._looked = time.monotonic()
        return self._ended()

    def _ended(self) -> list[Finished]:
        import_ray()
        import ray

        try:
            states = self._get(self._reached(make=True).states.remote())
        except ray.exceptions.RayActorError:  # its node is gone, and all its tasks with it
            self._keeper = None
            states = {}
        self._running = [job for key, job in self._open.items() if states.get(key) == "running"]
        ended = []
        for key, job in self._open.items():
            state = states.get(key)
            if state is None:
                ended.append(Finished(job, 1, "lost", "its keeper's node failed"))
            elif not isinstance(state, str):
                ended.append(Finished(job, *state))
        for finished in ended:
            del self._open[finished.job.key]
        if ended and not self._room.watching and self._keeper is not None:
            self._get(self._keeper.forget.remote([finished.job.key for finished in ended]))
        return ended

    def stop(self) -> None:
        """End everything that the keeper has, and the keeper."""
        import_ray()
        import ray

        self._waiting.clear()
        keeper = self._reached(make=False)
        if keeper is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                self._get(keeper.stop.remote())
                ray.kill(keeper)
        self._open.clear()

    def leave(self) -> None:
        """The keeper goes on; one that has nothing left is ended."""
        import_ray()
        import ray

        self._waiting.clear()
        if self._keeper is None or self._room.watching:
            return
        with contextlib.suppress(ray.exceptions.RayError):
            if not self._get(self._keeper.states.remote()):
                ray.kill(self._keeper)
        self._keeper = None
        self._open.clear()

    def script(self, jobs: Sequence[Job]) -> str:
        """What each worker would run, and what Ray would be asked for."""
        parts = []
        for job in jobs:
            task = _Task.of(job, self._room.setup)
            parts.append(f"# {job.name}: num_cpus=1, num_gpus={task.gpus}\n{task.script}")
        return f"# Ray at {self._address}\n" + "\n".join(parts)

    def _reached(self, make: bool) -> Any:
        """The keeper; None where there is none and none is to be made."""
        import_ray()
        import ray

        if not ray.is_initialized():
            self._knock()
            quiet = os.environ.get("RAY_USAGE_STATS_ENABLED")
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            try:
                ray.init(
                    address=self._address,
                    namespace=_NAMESPACE,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
            except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
                raise self._nobody(error) from None
            finally:
                if quiet is None:
                    os.environ.pop("RAY_USAGE_STATS_ENABLED", None)
            _keep_signals()
        if self._keeper is None:
            name = (
                f"cod-{hashlib.sha256(str(self._room.folder.resolve()).encode()).hexdigest()[:16]}"
            )
            try:
                self._keeper = ray.get_actor(name)
            except ValueError:
                if not make:
                    return None
                keeper = ray.remote(num_cpus=0, max_restarts=0)(Keeper)
                self._keeper = keeper.options(
                    name=name,
                    lifetime="detached",
                    get_if_exists=True,
                    # The cluster ends with its head, so the keeper may as well.
                    resources={"node:__internal_head__": 0.001},
                ).remote(self._room.jobs)
        return self._keeper

    def _knock(self) -> None:
        """Ray waits for minutes where nobody answers."""
        host, _, port = self._address.removeprefix("ray://").rpartition(":")
        if host and port.isdecimal():
            try:
                socket.create_connection((host, int(port)), _KNOCK).close()
            except OSError as error:
                raise self._nobody(error) from None

    def _nobody(self, error: Exception) -> InputError:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        return InputError(
            f"--ray-address {self._address}: no Ray cluster answers there ({said}); start one with "
            "`ray start --head` or name its address"
        )

    def _get(self, reference: Any) -> Any:
        import ray

        return ray.get(reference, timeout=60.0)


def _keep_signals() -> None:
    """Ray puts handlers of its own in place, which would end the driver on the spot."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.getsignal(number))


def import_ray() -> None:
    """Raises InputError, with the line that installs it, where there is no Ray."""
    try:
        import ray  # noqa: F401
    except ImportError:
        raise InputError(
            "--executor ray: Ray is not installed here; pip install 'cod-harness[ray]'"
        ) from None


# A worker ends its children by SIGKILL, or not at all, and theirs go on. Hence a shell beside the
# job's that waits for the worker's end of a pipe, the script's standard input, to be closed.
_HEAD = f"""exec 3<&0
{{ trap '' TERM; read -r <&3; kill -TERM 0; sleep {_GRACE}; kill -KILL 0; }} >/dev/null 2>&1 &
watch=$!
exec 3<&-
finish() {{ kill -KILL $watch; exit "$1"; }}
"""


@dataclass(frozen=True)
class _Task:
    key: str
    name: str
    script: str
    log: str
    gpus: int

    @classmethod
    def of(cls, job: Job, setup: Sequence[str]) -> _Task:
        script = _HEAD + shell_script(job, Path.cwd(), setup)
        return cls(job.key, job.name, script, str(job.log.absolute()), job.gpus or 0)


class Keeper:
    """Owns a campaign's tasks: starts them, some at a time, and remembers how they ended.

    states: key -> "waiting", "running" or (status, fate, why).
    """

    def __init__(self, jobs: int | None) -> None:
        self._jobs = jobs
        self._waiting: list[Any] = []
        self._references: dict[Any, Any] = {}  # reference -> task
        self._states: dict[str, Any] = {}
        self._cancelled: set[str] = set()
        self._lock = threading.RLock()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, tasks: Sequence[Any]) -> None:
        """Take tasks; one that is there already is not taken twice."""
        with self._lock:
            for task in tasks:
                if self._states.get(task.key) not in ("waiting", "running"):
                    self._states[task.key] = "waiting"
                    self._waiting.append(task)
        self._start()

    def begun(self, key: str) -> None:
        """A worker has begun a task."""
        with self._lock:
            if self._states.get(key) == "waiting":
                self._states[key] = "running"

    def states(self) -> Mapping[str, Any]:
        """Where every task is."""
        with self._lock:
            return dict(self._states)

    def forget(self, keys: Sequence[str]) -> None:
        """The driver has heard of these."""
        with self._lock:
            for key in keys:
                self._states.pop(key, None)

    def stop(self) -> None:
        """End all tasks."""
        import ray

        with self._lock:
            self._waiting.clear()
            for reference, task in self._references.items():
                self._cancelled.add(task.key)
                ray.cancel(reference, force=True)

    def _start(self) -> None:
        import ray

        with self._lock:
            me = ray.get_runtime_context().current_actor
            while self._waiting and (self._jobs is None or len(self._references) < self._jobs):
                task = self._waiting.pop(0)
                body = ray.remote(max_retries=0)(run_script)
                reference = body.options(name=task.name, num_cpus=1, num_gpus=task.gpus).remote(
                    task.script, task.key, me
                )
                self._references[reference] = task

    def _watch(self) -> None:
        import ray

        while True:
            time.sleep(0.3)
            with self._lock:
                references = list(self._references)
            if not references:
                continue
            done, _ = ray.wait(references, num_returns=len(references), timeout=0.3)
            for reference in done:
                try:
                    end = _end(int(ray.get(reference)))
                except ray.exceptions.RayError as error:
                    end = _fate(error)
                with self._lock:
                    task = self._references.pop(reference)
                    if task.key in self._cancelled:
                        end = (-signal.SIGTERM, "cancelled", "cancelled")
                    self._states[task.key] = end
            self._start()


def _end(status: int) -> tuple[int, str, str]:
    """How a task ended whose worker could still tell. That of a dying node may, before it goes."""
    # The shell hands SIGTERM on and lives: what another signal did to it was meant for its worker.
    if status < 0:
        return (1, "lost", _LOST_WORDS)
    # Ray knows no time limits; who asks a job to end is ending its node.
    if status == 128 + signal.SIGTERM:
        return (status, "lost", "it was asked to end")
    return (status, "ended", "")


def _fate(error: Exception) -> tuple[int, str, str]:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & set(_LOST):
        return (1, "lost", _LOST_WORDS)
    if "OutOfMemoryError" in kinds:
        return (1, "ended", "out of memory")
    if "TaskCancelledError" in kinds:
        return (-signal.SIGTERM, "cancelled", "cancelled")
    return (1, "ended", f"Ray: {' '.join(str(error).split())[:160]}")


def run_script(script: str, key: str, keeper: Any) -> int:
    """Run a job's script on a worker; its exit status. The job ends with the worker."""
    keeper.begun.remote(key)
    theirs, ours = os.pipe()
    try:
        with os.fdopen(theirs) as stdin:
            shell = subprocess.Popen(["bash", "-c", script], stdin=stdin, start_new_session=True)
        return shell.wait()
    finally:
        os.close(ours)
