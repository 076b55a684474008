"""Where the runs of a ladder are executed.

The campaign knows only the `Executor` protocol. Those there are stand in `EXECUTORS`, those of
other packages among them (entry points `cod_harness.executors`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cod_harness.errors import InputError, did_you_mean
from cod_harness.harness.campaign.jobs import Finished, Job
from cod_harness.registry import Registry


@dataclass(frozen=True)
class Room:
    """What an executor is told of the campaign.

    folder: where it may keep what a later driver needs. jobs: how many at a time; None for as many
    as there is room for. setup: shell lines that come before each job, on other machines. options:
    what the executor alone knows, as `address` for Ray. watching: only to look, so that what has
    ended is still news to the next driver. look_every: seconds between questions to an engine.
    """

    folder: Path
    jobs: int | None = None
    setup: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    watching: bool = False
    look_every: float = 2.0


class Executor(Protocol):
    """Runs jobs, some at a time, and says which have ended.

    stays: whether jobs go on without the process that submitted them.
    """

    stays: bool

    def found(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Those of the jobs that an earlier process submitted and nobody has heard the end of.

        From now on they are like jobs submitted here.
        """

    def submit(self, job: Job) -> None:
        """Take a job; it starts when there is room. It may be handed over only at `poll`."""

    def running(self) -> Sequence[Job]:
        """The jobs that are running now, as far as the last `poll` knows."""

    def poll(self) -> Sequence[Finished]:
        """Start what there is room for; return the jobs that have ended since the last call.

        Raises InputError where the engine refuses what the user asked of it.
        """

    def stop(self) -> None:
        """End everything that runs, in good order where it can, and forget what waits."""

    def leave(self) -> None:
        """Let go of everything; where `stays`, it goes on."""

    def script(self, jobs: Sequence[Job]) -> str:
        """What would be run for these jobs, as a shell would take it. Starts nothing."""


_PLACE = "cod_harness.harness.campaign"
EXECUTORS: Registry[Callable[[Room], Executor]] = Registry(
    "executor",
    "cod_harness.executors",
    {
        "local": f"{_PLACE}.local:LocalExecutor",
        "slurm": f"{_PLACE}.slurm:SlurmExecutor",
        "ray": f"{_PLACE}.ray_cluster:RayExecutor",
    },
)


def executor(name: str, room: Room) -> Executor:
    """The executor of that name. Raises InputError where it is unknown or cannot be had."""
    if name not in EXECUTORS:
        raise InputError(
            f"--executor {name}: there is none of that name; {', '.join(EXECUTORS)}"
            f"{did_you_mean(name, EXECUTORS)}"
        )
    return EXECUTORS[name](room)
