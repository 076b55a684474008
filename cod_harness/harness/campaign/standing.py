"""Where a ladder's jobs are, asked of the folder and of the engine that has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cod_harness.harness.campaign import locks
from cod_harness.harness.campaign.campaign import JOB_FOLDER
from cod_harness.harness.campaign.driver import CANCEL, DRIVER_LOCK
from cod_harness.harness.campaign.executors import Executor, Room, executor
from cod_harness.harness.campaign.progress import PREPARED, clock, last_bar
from cod_harness.harness.campaign.records import Entry, Records, words

SCHEMA = "cod-status/1"


@dataclass
class Row:
    """One rung, checkpoint and task.

    state: waiting, running, done or failed. shards: how many of them are in which state; empty if
    the task is not cut. questions, total, unit, left: out of the logs of what runs; unit is what
    is counted, left "" until known. words: the last of a failed job; log: its file, or the running
    one's.
    """

    rung: str
    checkpoint: str
    task: str
    state: str
    shards: dict[str, int] = field(default_factory=dict)
    questions: int | None = None
    total: int | None = None
    unit: str = ""
    left: str = ""
    tries: int = 0
    words: str = ""
    log: str = ""


@dataclass
class Standing:
    """All rows, and who drives. driver: host and pid, or None if nobody does."""

    ladder: str
    executor: str
    driver: dict[str, Any] | None
    rows: list[Row]

    def document(self) -> dict[str, Any]:
        """The JSON of `status`."""
        rows = [asdict(row) for row in self.rows]
        counts = {state: 0 for state in ("waiting", "running", "done", "failed")}
        for row in self.rows:
            counts[row.state] += 1
        return {
            "schema": SCHEMA,
            "ladder": self.ladder,
            "executor": self.executor,
            "driver": self.driver,
            "counts": counts,
            "rungs": rows,
        }


def standing(output: Path) -> Standing:
    """Where everything is now. Raises InputError where no ladder was run into that folder."""
    folder = output / JOB_FOLDER
    records = Records.read(folder)
    driven = locks.held(folder / DRIVER_LOCK)
    if not driven:  # what was running then is for the engines to say
        for entry in _still(records):
            entry.state = "waiting"
    for engine in _engines(records, folder, watching=True):
        _look(records, engine)
    return Standing(
        ladder=records.about["ladder"],
        executor=records.about["engine"]["executor"],
        driver=locks.holder(folder / DRIVER_LOCK) if driven else None,
        rows=_rows(list(records.entries.values()), records.about["repeats"]),
    )


def _engines(records: Records, folder: Path, watching: bool) -> list[Executor]:
    about = records.about["engine"]
    room = Room(folder, options=about["options"], watching=watching, look_every=0.0)
    made = [executor(about["executor"], room)]
    # Merges are jobs of the driver's machine.
    return made if about["executor"] == "local" else [*made, executor("local", room)]


def _still(records: Records) -> list[Entry]:
    return [entry for entry in records.entries.values() if entry.state in ("waiting", "running")]


def _look(records: Records, engine: Executor) -> int:
    """Ask an engine about the jobs that are to end; how many of them it still has."""
    jobs = {entry.name: entry.job() for entry in _still(records)}
    found = [job.name for job in engine.found(list(jobs.values()))]
    ended = {finished.job.name: finished for finished in engine.poll()}
    running = {job.name for job in engine.running()}
    for entry in map(records.entries.__getitem__, found):
        finished = ended.get(entry.name)
        if finished is None:
            entry.state = "running" if entry.name in running else "waiting"
        elif finished.status == 0:
            entry.state = "done"
        elif finished.fate in ("ended", "cancelled"):
            entry.state, entry.words = "failed", words(finished)
        else:
            entry.state = "waiting"
    return len(found) - len(ended)


def _rows(entries: Sequence[Entry], repeats: int) -> list[Row]:
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        for task in entry.tasks:
            groups.setdefault((entry.rung, entry.checkpoint, task), []).append(entry)
    return [_row(*key, some, repeats) for key, some in groups.items()]


def _row(rung: str, checkpoint: str, task: str, some: Sequence[Entry], repeats: int) -> Row:
    states = [entry.state for entry in some]
    row = Row(rung, checkpoint, task, _together(states))
    shards = [entry for entry in some if entry.part not in ("", "merge")]
    if shards:
        row.shards = {
            state: sum(entry.state == state for entry in shards)
            for state in ("waiting", "running", "done", "failed")
        }
    running = [entry for entry in some if entry.state == "running"]
    bars = [bar for entry in running if (bar := last_bar(Path(entry.log), repeats)) is not None]
    bars = [bar for bar in bars if bar.unit != PREPARED]
    bars = [bar for bar in bars if bar.unit == bars[0].unit]
    if bars:
        row.unit = bars[0].unit
        row.questions = sum(bar.done for bar in bars)
        row.total = sum(bar.total for bar in bars)
        lefts = [bar.left for bar in bars]
        known = [left for left in lefts if left is not None]
        row.left = clock(max(known)) if len(known) == len(lefts) else ""
    told = next((entry for entry in some if entry.state == "failed"), None)
    told = told or next((entry for entry in some if entry.words and entry.state != "done"), None)
    row.words = told.words if told else ""
    row.tries = max((entry.tries for entry in some), default=0)
    shown = told or (running[0] if running else None)
    row.log = shown.log if shown else ""
    return row


def _together(states: Sequence[str]) -> str:
    if "failed" in states:
        return "failed"
    if all(state == "done" for state in states):
        return "done"
    return "running" if "running" in states else "waiting"


def cancel(output: Path) -> int:
    """End all jobs of the ladder that was run into a folder; the number that was ended.

    A driver elsewhere is asked by a file that it looks for. Raises InputError where no ladder was
    run into that folder.
    """
    folder = output / JOB_FOLDER
    records = Records.read(folder)
    driven = locks.held(folder / DRIVER_LOCK)
    if driven:
        (folder / CANCEL).touch()
    ended = 0
    if driven:
        ended = len(_still(records))
        locks.released(folder / DRIVER_LOCK, 15.0)
        records = Records.read(folder)
    for engine in _engines(records, folder, watching=False):
        # What has ended of itself is told to nobody after this: it is written down here.
        ended += _look(records, engine)
        engine.stop()
    for entry in _still(records):
        entry.state = "waiting"
    records.write()
    (folder / CANCEL).unlink(missing_ok=True)
    return ended
