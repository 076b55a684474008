"""Pass rates out of runs made without the capture: logs of the harness, of Inspect and of others,
and tables.

What reads a kind of log stands in `readers`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.ingest.readers import READERS, Asked, Reader, sorted_out
from cod_harness.harness.ingest.rescoring import TaskSource
from cod_harness.ladder.compare import differences, refuse_serious
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.foreign_table import TableColumns
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_passrates import captures_in, read_passrates


def ingest(
    paths: Iterable[str | os.PathLike[str]],
    ladder: Ladder,
    metrics: Mapping[str, tuple[str, str]] | None = None,
    allow_fractional: bool = False,
    *,
    rung: str | None = None,
    columns: TableColumns | None = None,
    include_paths: Sequence[Path] = (),
    run_code: bool = False,
    task_code: bool = False,
    allow_mismatch: bool = True,
    processes: int | None = None,
) -> PassRates:
    """Pass rates from output folders of earlier runs, logs and tables.

    paths: folders (searched for logs that some reader knows), such files, tables and stores
    (`.parquet`, `.csv`). metrics: task -> (filter, metric) that counts as correct; of a log, its
    scorer and value. rung: the ladder entry that all samples are of; by default it is told by the
    model's name. columns: what a table's columns are called. include_paths: folders with task
    definitions, beside the harness's own. run_code: consent to run programs out of responses;
    task_code: to run Python of definitions that nobody vetted.
    allow_mismatch: go on where rungs were run differently. processes: at most so many; None for
    all cores.

    Of several runs of one model on one task the newest counts. What was read and set aside is said
    in `notes` of the result. Raises InputError naming file and line for what cannot be read.
    """
    import pandas as pd

    if rung is not None:
        ladder.find(rung)
    options = CaptureOptions(
        ladder.path or Path(), rung=rung, metrics=metrics or {}, allow_fractional=allow_fractional
    )
    readers = [make() for make in READERS.values()]
    tables, logs = _found([Path(path) for path in paths], readers)
    known = _tables(tables, ladder, columns)
    if known is not None:  # groups are made of tasks by whoever reads the result
        rows = known.frame[known.frame["task"].isin(_tasks_of(known))]
        known = PassRates.of_checked(rows.reset_index(drop=True), known.settings, known.notes)
    asked = Asked(
        ladder,
        options,
        TaskSource(tuple(include_paths), run_code, task_code),
        set(captures_in(known.frame)) if known else set(),
        processes,
        list(known.notes) if known else [],
    )
    frames = [known.frame] if known else []
    runs: list[dict[str, Any]] = list(known.settings) if known else []
    for reader, files in zip(readers, logs, strict=True):
        for log in reader.read(files, asked) if files else ():
            if log.capture in asked.covered:
                asked.leave(log.path, ", its pass rates are already in a file given or found")
                continue
            model, checkpoint, task = log.capture
            frames.append(log.frame.assign(task=task, model=model, checkpoint=checkpoint))
            run = {"rung": model, "checkpoint": checkpoint, "ladder": ladder.name}
            runs.append({**run, **log.run, "tasks": {task: log.about}})
    if not frames:
        raise InputError(
            "no pass rates found; name folders with samples_*.jsonl (runs with --log_samples) or "
            "tables" + "".join(f"; {note}" for note in asked.set_aside[:1])
        )
    rates = PassRates(pd.concat(frames, ignore_index=True), runs)
    found = differences(rates)
    refuse_serious(found, allow_mismatch, "name runs that were made alike, or say")
    notes = asked.notes + [f"models were run differently: {one.text}" for one in found]
    return PassRates.of_checked(rates.frame, rates.settings, notes)


def _tables(
    paths: Sequence[Path], ladder: Ladder, columns: TableColumns | None
) -> PassRates | None:
    if not paths:
        return None
    if columns is None:
        return read_passrates(paths, ladder)
    return columns.read(paths, ladder)


def _tasks_of(rates: PassRates) -> list[str]:
    """Tasks, apart from the groups that reading made of them."""
    groups = {name for run in rates.settings for name in (run.get("pooled") or {})}
    measured = {task for run in rates.settings for task in (run.get("tasks") or {})}
    return [task for task in rates.tasks if task not in groups or task in measured]


def _found(paths: Sequence[Path], readers: Sequence[Reader]) -> tuple[list[Path], list[list[Path]]]:
    """Tables, and the logs of each reader."""
    tables: list[Path] = []
    logs: list[list[Path]] = [[] for _ in readers]
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
        found, whose = sorted_out([path], readers)
        for log, at in zip(found, whose, strict=True):
            logs[at].append(log)
        # Captured pass rates hold every repeat: they come before logged samples. A folder without
        # any of it is a table too: read_passrates says what is missing.
        if not found or (path.is_dir() and passrate_files(path)):
            tables.append(path)
    return tables, [list(dict.fromkeys(some)) for some in logs]
