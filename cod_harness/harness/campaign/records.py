"""What a driver writes down of its jobs, for `status`, `cancel` and whoever looks there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from cod_harness.errors import InputError
from cod_harness.harness.campaign.campaign import Campaign, Unit
from cod_harness.harness.campaign.jobs import Finished, Job
from cod_harness.harness.campaign.progress import ending, last_words
from cod_harness.ladder.files import write_whole
from cod_harness.parent import uninterrupted

SCHEMA = "cod-jobs/1"
FILE = "campaign.json"


@dataclass
class Entry:
    """One job: whose it is, what it runs, and how far it is.

    part: its shard as `3/40`, "merge", or "" for a run of its own. state: waiting, running, done
    or failed. tries: times it was begun. words: how it failed.
    """

    name: str
    rung: str
    checkpoint: str
    tasks: list[str]
    part: str = ""
    state: str = "waiting"
    tries: int = 0
    words: str = ""
    command: list[str] = field(default_factory=list)
    log: str = ""

    def job(self) -> Job:
        """The job, as an executor knows it."""
        return Job(self.name, tuple(self.command), Path(self.log))


class _Engine(msgspec.Struct):
    executor: str
    options: dict[str, str]


class _About(msgspec.Struct):
    """What else stands in the file, as far as it is read again."""

    ladder: str
    repeats: int
    engine: _Engine


class Records:
    """The file of a campaign's jobs, written whole whenever something has changed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.about: dict[str, Any] = {}
        self.entries: dict[str, Entry] = {}
        self._written = ""

    @classmethod
    def read(cls, folder: Path) -> Records:
        """Raises InputError where there is none that this version can read."""
        records = cls(folder)
        try:
            found = json.loads(records.path.read_text(encoding="utf-8"))
            if found["schema"] != SCHEMA:
                raise ValueError(found["schema"])
            with uninterrupted():
                entries = msgspec.convert(found.pop("jobs"), list[Entry])
                msgspec.convert(found, _About)
            records.entries = {entry.name: entry for entry in entries}
        except FileNotFoundError:
            raise InputError(
                f"{folder.parent}: no ladder was run into this folder; name the OUT of one"
            ) from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, msgspec.MsgspecError):
            raise InputError(
                f"{records.path}: not readable; `cod-harness ladder` writes it anew"
            ) from None
        records.about = found
        records._written = records._text()  # as far as this version knows it, nothing is new
        return records

    def begin(self, campaign: Campaign, before: Iterable[Unit], units: Iterable[Unit]) -> None:
        """Write down everything that is to be done, and what was done before."""
        self.about = {
            "schema": SCHEMA,
            "ladder": campaign.ladder.name,
            "repeats": campaign.options.repeats or 1,
            "engine": campaign.engine,
        }
        for unit in before:
            # Another job may go by the same name: the one of what is left of a rung's tasks.
            self._add(unit, replace(unit.whole, name=f"{unit.whole.name}, {unit.tasks[0]}"), "done")
        for unit in units:
            for job in unit.parts:
                self._add(unit, job, "done" if unit.kept(job) else "waiting")
            self._add(unit, unit.whole, "waiting")
        self.write()

    def _add(self, unit: Unit, job: Job, state: str) -> None:
        share = unit.share(job)
        part = str(share) if share else "merge" if unit.parts and state != "done" else ""
        self.entries[job.name] = Entry(
            name=job.name,
            rung=unit.rung,
            checkpoint=unit.checkpoint,
            tasks=list(unit.tasks),
            part=part,
            state=state,
            command=list(job.command),
            log=str(job.log.absolute()),
        )

    def running(self, running: Sequence[Job], still: Collection[Job]) -> None:
        """These jobs run now; the others of those that are still to end wait."""
        for job in still:
            self.entries[job.name].state = "running" if job in running else "waiting"
        self.write()

    def waiting(self, jobs: Iterable[Job]) -> None:
        """These jobs are to be begun again."""
        for job in jobs:
            self.entries[job.name].state = "waiting"

    def done(self, job: Job) -> None:
        """This job has done its work."""
        self.entries[job.name].state = "done"

    def failed(self, finished: Finished) -> None:
        """This job has failed for good."""
        entry = self.entries[finished.job.name]
        entry.state, entry.words = "failed", words(finished)

    def tried(self, finished: Finished, tries: int) -> None:
        """This job has failed and is begun again."""
        entry = self.entries[finished.job.name]
        entry.state, entry.words, entry.tries = "waiting", words(finished), tries

    def write(self) -> None:
        """Write the file, if there is anything new."""
        text = self._text()
        if text != self._written:
            write_whole(self.path, text, overwrite=True)
            self._written = text

    def _text(self) -> str:
        jobs = [asdict(entry) for entry in self.entries.values()]
        return json.dumps({**self.about, "jobs": jobs}, indent=1)


def words(finished: Finished) -> str:
    """How a job failed, and the last it said."""
    return f"{ending(finished)}: {last_words(finished.job.log)}"
