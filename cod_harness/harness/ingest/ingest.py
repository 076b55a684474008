"""Pass rates out of runs made without the capture: logs of the harness, of Inspect and of others,
and tables.

What reads a kind of log stands in `readers`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.ingest.readers import READERS, Asked, Reader, sorted_out
from cod_harness.harness.ingest.rescoring import TaskSource
from cod_harness.ladder.compare import differences, refuse_serious
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.foreign_table import TableColumns
from cod_harness.ladder.logs.samples_log import task_and_date
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_passrates import Gathered, captures_in, gathered, with_results
from cod_harness.ladder.results.files import ResultsFile, results_files, results_in
from cod_harness.notes import note


def ingest(
    paths: Iterable[str | os.PathLike[str]],
    ladder: Ladder,
    metrics: Mapping[str, tuple[str, str]] | None = None,
    allow_fractional: bool = False,
    *,
    rung: str | None = None,
    match: str | None = None,
    columns: TableColumns | None = None,
    include_paths: Sequence[Path] = (),
    run_code: bool = False,
    task_code: bool = False,
    allow_mismatch: bool = True,
    processes: int | None = None,
) -> PassRates:
    """Pass rates from output folders of earlier runs, logs and tables.

    paths: folders (searched for logs that some reader knows), such files, tables and stores
    (`.parquet`, `.csv`), and the harness's results, which serve where nothing tells of questions.
    metrics: task -> (filter, metric) that counts as correct; of a log, its scorer and value. rung:
    the ladder entry that all samples are of; by default it is told by the model's name. match: how
    results call the ladder's models (see `ladder.results.matching`). columns: what a table's
    columns are called. include_paths: folders with task definitions, beside the harness's own.
    run_code: consent to run programs out of responses; task_code: to run Python of definitions
    that nobody vetted. allow_mismatch: go on where rungs were run differently. processes: at most
    so many; None for all cores.

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
    tables, logs, results = _found([Path(path) for path in paths], readers)
    # Groups are made of tasks by whoever reads what is ingested.
    known = _tables(tables, ladder, columns)
    asked = Asked(
        ladder,
        options,
        TaskSource(tuple(include_paths), run_code, task_code),
        set() if known.frame is None else set(captures_in(known.frame)),
        processes,
        known.notes,
    )
    frames = [] if known.frame is None else [known.frame]
    runs: list[dict[str, Any]] = known.settings
    for reader, files in zip(readers, logs, strict=True):
        for log in reader.read(files, asked) if files else ():
            if log.capture in asked.covered:
                asked.put_aside(note("known_already", path=log.path))
                continue
            model, checkpoint, task = log.capture
            frames.append(log.frame.assign(task=task, model=model, checkpoint=checkpoint))
            run = {"rung": model, "checkpoint": checkpoint, "ladder": ladder.name}
            runs.append({**run, **log.run, "tasks": {task: log.about}})
    found = pd.concat(frames, ignore_index=True) if frames else None
    # Samples that could not be used are told of; no accuracy takes their place unseen.
    results = [_without_logged(one) for one in (*results, *known.results)]
    if results:
        if rung is not None:
            ladder, results = _all_of(ladder, rung, results), []
        found = with_results(found, runs, asked.notes, results, ladder, match, metrics)
    if found is None or found.empty:
        raise InputError(
            "no pass rates found; name folders with samples_*.jsonl (runs with --log_samples) or "
            "results_*.json, or tables"
            + "".join(f"; {note}" for note in (asked.set_aside or asked.notes)[:1])
        )
    rates = PassRates(found, runs)
    differ = differences(rates)
    refuse_serious(differ, allow_mismatch, "name runs that were made alike, or say")
    notes = asked.notes + [note("run_differently", difference=one.text) for one in differ]
    return PassRates.of_checked(rates.frame, rates.settings, notes)


def _tables(paths: Sequence[Path], ladder: Ladder, columns: TableColumns | None) -> Gathered:
    if columns is None or not paths:
        return gathered(paths, ladder)
    read = columns.read(paths, ladder)
    return Gathered(read.frame, list(read.settings), list(read.notes), [])


def _without_logged(one: ResultsFile) -> ResultsFile:
    """A results file without the tasks whose samples stand beside it."""
    names = map(task_and_date, one.path.parent.glob("samples_*.jsonl"))
    logged = {name[0] for name in names if name is not None}
    scores = {task: some for task, some in one.content["results"].items() if task not in logged}
    return replace(one, content={**one.content, "results": scores})


def _all_of(ladder: Ladder, rung: str, results: Sequence[ResultsFile]) -> Ladder:
    """The ladder, in which one entry names all these files as its results."""
    model = replace(ladder.find(rung), results=tuple(one.path for one in results))

    def told(models: Sequence[Model]) -> tuple[Model, ...]:
        return tuple(model if one.name == rung else one for one in models)

    return replace(
        ladder,
        rungs=told(ladder.rungs),
        anchors=told(ladder.anchors),
        targets=told(ladder.targets),
    )


def _found(
    paths: Sequence[Path], readers: Sequence[Reader]
) -> tuple[list[Path], list[list[Path]], list[ResultsFile]]:
    """Tables and stores, the logs of each reader, and the harness's results."""
    tables: list[Path] = []
    logs: list[list[Path]] = [[] for _ in readers]
    results: list[ResultsFile] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
        found, whose = sorted_out([path], readers)
        for log, at in zip(found, whose, strict=True):
            logs[at].append(log)
        # Captured pass rates hold every repeat: they come before logged samples. A folder without
        # any of it is a table too: reading it says what is missing.
        if path.is_dir() and passrate_files(path):
            tables.append(path)
            continue
        some = list(results_in(path)) if path.is_dir() else []
        if not found and path.suffix.lower() == ".json":
            some = results_files([path])
        results += some
        if not found and not some:
            tables.append(path)
    return tables, [list(dict.fromkeys(some)) for some in logs], results
