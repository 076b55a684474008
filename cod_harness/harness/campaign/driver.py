"""Carrying a campaign through: jobs to an executor, failures tried again, shards merged."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cod_harness.harness.campaign import locks
from cod_harness.harness.campaign.campaign import (
    JOB_FOLDER,
    Campaign,
    Unit,
    joined,
    measured_name,
    unfinished,
    units_of,
)
from cod_harness.harness.campaign.executors import Executor
from cod_harness.harness.campaign.jobs import REFUSED, Finished, Job
from cod_harness.harness.campaign.progress import Progress
from cod_harness.harness.campaign.records import Records
from cod_harness.messages import say

_LOOK_EVERY = 0.5  # seconds between looks at the jobs
_LOST_AGAIN = 5  # times that a job is started again which its engine, not itself, has ended

DRIVER_LOCK = "driver.lock"
CANCEL = "cancel"  # a file of this name asks the driver to end everything


@dataclass
class Outcome:
    """How far a campaign came.

    failed: jobs that failed for good. shared: the one that every rung would fail like, which
    stopped the ladder. away: jobs that go on without this process.
    """

    failed: list[Finished] = field(default_factory=list)
    shared: Finished | None = None
    away: int = 0


class Cancelled(Exception):
    """`cod-harness cancel` was run on the output folder."""


def execute(
    campaign: Campaign, executor: Executor, here: Executor | None = None, *, detach: bool = False
) -> Outcome:
    """Run what is left to run. A failing job stops no other, unless all would fail like it.

    here: runs the merges of shards; the executor itself if None. detach: hand everything over and
    return, once what has ended meanwhile is heard of and merged.
    """
    folder = campaign.output / JOB_FOLDER
    with locks.one_driver(folder / DRIVER_LOCK, campaign.output):
        (folder / CANCEL).unlink(missing_ok=True)
        units = units_of(campaign)
        left = unfinished(campaign, units)
        _say_skipped(units, left)
        drive = _Drive(campaign, joined(campaign, left), executor, here or executor)
        drive.records.begin(campaign, [unit for unit in units if unit not in left], drive.units)
        return drive.run(detach)


def _say_skipped(units: Sequence[Unit], left: Sequence[Unit]) -> None:
    if len(left) == len(units):
        return
    partly = {measured_name(unit) for unit in left}
    names = []
    for unit in units:
        if unit not in left:
            name = measured_name(unit)
            names.append(f"{name} {','.join(unit.tasks)}" if name in partly else name)
    say(f"already measured, skipped: {', '.join(dict.fromkeys(names))}")


def _killed(finished: Finished) -> bool:
    """Whether a job did not end of itself: its work may be done all the same."""
    return finished.fate != "ended" or finished.status < 0 or finished.status > 128


class _Drive:
    def __init__(
        self, campaign: Campaign, units: Sequence[Unit], executor: Executor, here: Executor
    ) -> None:
        self.campaign = campaign
        self.units = list(units)
        self.executor = executor
        self.here = here
        self.records = Records(campaign.output / JOB_FOLDER)
        self.outcome = Outcome()
        self._unit = {job: unit for unit in self.units for job in unit.jobs}
        self._open: set[Job] = set()
        self._merging: set[Job] = set()
        self._tries: Counter[Job] = Counter()
        self._lost: Counter[Job] = Counter()
        self._proven: set[str] = set()  # tasks that some model was measured on
        self._done = 0
        self._fresh = False  # whether jobs were submitted that no poll has handed over yet

    def run(self, detach: bool) -> Outcome:
        self._proven = self._measured_before()
        jobs = [job for unit in self.units for job in (unit.parts or (unit.whole,))]
        jobs = [job for job in jobs if not self._unit[job].kept(job)]
        merges = [unit.whole for unit in self.units if unit.parts]
        progress = Progress(
            ",".join(self.campaign.tasks),
            len(jobs) + len(merges),
            self.campaign.options.repeats or 1,
        )
        try:
            with self._let_go():
                self._begin(jobs)
                while self._step(progress):
                    if detach and not self._merging and not self._fresh:
                        self.outcome.away = len(self._open)
                        break
                    time.sleep(_LOOK_EVERY)
        finally:
            progress.close()
            self.records.write()
        return self.outcome

    def _measured_before(self) -> set[str]:
        left = {(unit.rung, unit.checkpoint, task) for unit in self.units for task in unit.tasks}
        return {
            task
            for unit in units_of(self.campaign)
            for task in unit.tasks
            if (unit.rung, unit.checkpoint, task) not in left
        }

    @contextlib.contextmanager
    def _let_go(self) -> Iterator[None]:
        """Whatever happens inside, nothing is left behind that ought not to be."""
        try:
            yield
        except Cancelled:
            self.executor.stop()
            raise
        finally:
            self.executor.leave()
            if self.here is not self.executor:
                self.here.leave()

    def _begin(self, jobs: Sequence[Job]) -> None:
        found = list(self.executor.found(jobs))
        if found:
            names = ", ".join(job.name for job in found[:6])
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            say(f"started earlier, found again: {names}{more}")
        self._open |= set(found)
        self._tries.update(found)
        for job in jobs:
            if job not in self._open:
                # An earlier attempt's log would be taken for this one's.
                job.log.unlink(missing_ok=True)
                self._submit(job)
        for unit in self.units:
            self._merge_if_whole(unit)

    def _submit(self, job: Job) -> None:
        self._tries[job] += 1
        self._open.add(job)
        self._fresh = True
        self.executor.submit(job)

    def _step(self, progress: Progress) -> bool:
        """One look at everything; whether anything is still to come."""
        if (self.campaign.output / JOB_FOLDER / CANCEL).exists():
            raise Cancelled
        self._fresh = False
        engines = [self.executor] if self.here is self.executor else [self.executor, self.here]
        for engine in engines:
            for finished in engine.poll():
                self._heard(finished, progress)
                if self.outcome.shared is not None:
                    self.executor.stop()
                    self.records.waiting(self._open)
                    return False
        running = [job for engine in engines for job in engine.running()]
        self.records.running(running, self._open | self._merging)
        progress.show(running, self._done, len(self._open))
        return bool(self._open or self._merging)

    def _heard(self, finished: Finished, progress: Progress) -> None:
        job = finished.job
        unit = self._unit[job]
        merged = job in self._merging
        if _killed(finished) and self._there(unit, job):
            finished = Finished(job, 0)
        if finished.status == 0:
            self._open.discard(job)
            self._merging.discard(job)
            self._done += 1
            progress.ended(finished, self._done)
            self.records.done(job)
            if job == unit.whole:
                self._proven |= set(unit.tasks)
                self._forget_shards(unit)
            else:
                self._merge_if_whole(unit)
        elif self._again(finished):
            progress.again(finished)
        else:
            self._open.discard(job)
            self._merging.discard(job)
            self._done += 1
            self.outcome.failed.append(finished)
            progress.ended(finished, self._done)
            self.records.failed(finished)
            refused = finished.fate == "ended" and finished.status in REFUSED
            if refused and not merged and not self._proven & set(unit.tasks):
                self.outcome.shared = finished

    def _again(self, finished: Finished) -> bool:
        job = finished.job
        if job in self._merging or finished.fate == "cancelled":
            return False
        if finished.fate in ("lost", "unknown"):
            self._lost[job] += 1
            if self._lost[job] > _LOST_AGAIN:
                return False
        elif (
            finished.status in REFUSED
            or self._tries[job] > self.campaign.retries
            or self._there(self._unit[job], job)  # what failed came after the measurement
        ):
            return False
        self._tries[job] -= finished.fate in ("lost", "unknown")
        self._submit(job)
        self.records.tried(finished, self._tries[job])
        return True

    def _there(self, unit: Unit, job: Job) -> bool:
        if job in unit.parts:
            return unit.kept(job)
        return not unfinished(self.campaign, [unit])

    def _merge_if_whole(self, unit: Unit) -> None:
        if unit.parts and all(unit.kept(job) for job in unit.parts):
            if unit.whole in self._merging or self._open & set(unit.parts):
                return
            self._merging.add(unit.whole)
            if not self.here.found([unit.whole]):
                unit.whole.log.unlink(missing_ok=True)
                self.here.submit(unit.whole)

    def _forget_shards(self, unit: Unit) -> None:
        """Their answers are in the store and, where asked for, in the samples."""
        if not unit.parts:
            return
        for path in unit.folder.glob("*.jsonl.gz"):
            path.unlink(missing_ok=True)
        for folder in (unit.folder, unit.folder.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()
