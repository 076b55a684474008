"""Readers of logs: each knows one kind of file that runs without the capture left behind.

A reader is an entry point of the group `cod_harness.readers`: its name, and where something stands
that is called without arguments and gives a `Reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.capture.guards import choice_for, rung_of
from cod_harness.harness.ingest.rescoring import TaskSource
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.newest import newest
from cod_harness.ladder.store import Capture, Settings
from cod_harness.notes import Note, note
from cod_harness.registry import Registry


@dataclass(frozen=True, eq=False)
class LogRates:
    """Pass rates of one log.

    path: the log. capture: model, checkpoint and task. date: what sorts by time. frame: columns of
    the table of pass rates (`rate_table`), question among them; task, model and checkpoint are
    filled in. about: the task's settings, as stores hold them (version, filter, metric, repeats,
    generation_kwargs, num_fewshot, questions, ...); unknown ones are left out. run: what is known
    of the run beside.
    """

    path: Path
    capture: Capture
    date: str
    frame: pd.DataFrame
    about: Settings = field(default_factory=dict)
    run: Settings = field(default_factory=dict)


@dataclass
class Asked:
    """What a reader is told, and where it says what it noticed.

    covered: what has been captured, or stands in a table given. source: where definitions of tasks
    come from. processes: at most so many; None for all cores. notes: what was noticed; a plain
    sentence will do. set_aside: those of them that say why a log was not used.
    """

    ladder: Ladder
    options: CaptureOptions
    source: TaskSource = field(default_factory=TaskSource)
    covered: set[Capture] = field(default_factory=set)
    processes: int | None = None
    notes: list[Note] = field(default_factory=list)
    set_aside: list[Note] = field(default_factory=list)

    def entry(self, *names: str) -> tuple[str, str]:
        """Model and checkpoint of the ladder that a log's model is, by what it may be called.

        Raises InputError where none, or more than one, fits.
        """
        model, checkpoint = rung_of(
            self.ladder, self.options, [*(f"pretrained={name}" for name in names), *names]
        )
        return model.name, checkpoint

    def choice(self, task: str) -> tuple[str, str] | None:
        """The (filter, metric) that the user wants to count as correct; None leaves it open."""
        return choice_for(task, self.options)

    def leave(self, path: Path, why: str) -> None:
        """Say that a log is not used. why: begins with `: ` or `, `."""
        self.put_aside(note("not_used", path=path, why=why))

    def put_aside(self, why: Note) -> None:
        """Say by a note why a log is not used."""
        self.notes.append(why)
        self.set_aside.append(why)

    def newest(self, found: Iterable[tuple[Capture, Any]]) -> list[Any]:
        """The newest of each capture, of things with `path` and `date`; the others are left."""
        kept, replaced = newest(found, date=lambda one: one.date)
        for one in replaced:
            self.put_aside(note("older_log", path=one.stale.path, newer=one.newer.path.name))
        return list(kept.values())


class Reader(Protocol):
    """Reads logs of one kind.

    patterns: names of its files, as `*.eval`; folders are searched for them.
    """

    patterns: Sequence[str]

    def read(self, paths: Sequence[Path], asked: Asked) -> Iterable[LogRates]:
        """The pass rates in some logs; of one model and task the newest.

        What has no pass rates or is broken is left (`Asked.leave`): that is no reason to refuse the
        others of a folder. Raises InputError where the user has to decide something first.
        """


_HERE = "cod_harness.harness.ingest"
READERS: Registry[Callable[[], Reader]] = Registry(
    "reader",
    "cod_harness.readers",
    {
        "lm-eval": f"{_HERE}.samples:SamplesReader",
        "inspect": f"{_HERE}.inspect_logs:InspectReader",
    },
)


def sorted_out(paths: Sequence[Path], readers: Sequence[Reader]) -> tuple[list[Path], list[int]]:
    """Logs under some paths, and for each the place of its reader; files that nobody knows by name
    go by their ending, and those of no ending known are not among them."""
    logs: dict[Path, int] = {}
    for path in paths:
        if path.is_dir():
            for at, reader in enumerate(readers):
                for pattern in reader.patterns:
                    logs |= {found: at for found in sorted(path.rglob(pattern))}
            continue
        named = [at for at, one in enumerate(readers) if any(map(path.match, one.patterns))]
        ending = [
            at
            for at, one in enumerate(readers)
            if any(path.suffix == Path(pattern).suffix for pattern in one.patterns)
        ]
        for at in (named or ending)[:1]:
            logs[path] = at
    return list(logs), list(logs.values())
