"""Gathering pass rates from the paths a user names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.groups import with_groups
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.newest import Replaced, newest
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import (
    KEY_COLUMNS,
    checked,
    column_names,
    describe_key,
    read_columns,
)
from cod_harness.ladder.results.accuracies import Choices, results_accuracies
from cod_harness.ladder.results.beside import not_covered, of_one_kind, on_rungs
from cod_harness.ladder.results.files import ResultsFile, results_files, results_in
from cod_harness.ladder.results.rows import checked_accuracies, holds_accuracies
from cod_harness.ladder.store import Capture, Settings, Store, model_of, open_store
from cod_harness.notes import Note, note

CAPTURE_COLUMNS = ("model", "checkpoint", "task")
Measured = tuple[Path, pd.DataFrame]
"""A file and its rows."""


def read_passrates(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    ladder: Ladder | None = None,
    *,
    match: str | None = None,
    metrics: Mapping[str, tuple[str, str]] | None = None,
) -> PassRates:
    """Pass rates out of output folders of runs, our own store files, tables, and results files.

    Of several captures of one (model, checkpoint, task) the newest counts, by the date in the
    file's name (else the file's own). Tables must not repeat what is already there. The harness's
    results files, those that the ladder names too, serve where nothing tells of questions: an
    accuracy a task and model (see `results.accuracies`).

    Args:
        paths: folders, `.parquet`, `.csv` or `.json` files; one or several, none where the ladder
            names results files.
        ladder: if given, every model must be one of its models; results files need it.
        match: how results files call the ladder's models (see `results.matching.matched`).
        metrics: task -> (filter, metric) that counts in results files with several.

    Raises:
        InputError: naming file, row and remedy: nothing there, unreadable, wrong rows, a model
            that isn't in the ladder, the same measurement in two tables.
    """
    given = [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(p) for p in paths]
    named = ladder is not None and any(model.results for model in ladder.models)
    if not given and not named:
        raise InputError("no pass rates given; name an output folder, a .parquet or a .csv file")
    found = gathered(given, ladder)
    known, settings, notes = found.frame, found.settings, found.notes
    if known is not None:
        known = with_groups(known, settings)
    if found.results or named:
        known = with_results(known, settings, notes, found.results, ladder, match, metrics)
    elif match is not None:
        raise InputError(f"--match {match}: there is no results file to match")
    if known is None or known.empty:
        raise InputError(notes[0] if notes else f"{given[0]}: holds no accuracy of any task")
    if ladder is not None:
        known, told = on_rungs(known, ladder)
        notes += told
    whole, told = of_one_kind(known, ladder)
    return PassRates.of_checked(whole, settings, [*notes, *told])


@dataclass(frozen=True, eq=False)
class Gathered:
    """What some paths hold.

    Attributes:
        frame: the rows of stores and tables; None where there are none.
        settings: of the runs behind them.
        notes: on what was read and what was set aside.
        results: the harness's results files.
    """

    frame: pd.DataFrame | None
    settings: list[Settings]
    notes: list[Note]
    results: list[ResultsFile]


def gathered(paths: Sequence[Path], ladder: Ladder | None) -> Gathered:
    """Stores and tables as they are, each measurement once, and the results files beside them.

    Raises:
        InputError: as `read_passrates`.
    """
    stores: list[tuple[Store, pd.DataFrame]] = []
    tables: list[Measured] = []
    named = set(paths)
    others: list[Note] = []  # a folder may hold targets taken out, or other families
    files, results = _files(paths)
    for path in files:
        store = open_store(path) if path.suffix.lower() == ".parquet" else None
        frame = _table(path) if store is None else store.rows()
        if ladder is not None and path in named:
            _check_models(path, frame, ladder)
        elif ladder is not None:
            frame = _known_models(path, frame, ladder, others)
        if store is None:
            tables.append((path, frame))
        elif frame.empty:
            continue
        else:
            stores.append((store, frame))
    frames, settings, notes = _newest(stores)
    frames += tables
    notes += others
    known = None
    if frames:
        known = frames[0][1]
        if len(frames) > 1:
            known = pd.concat([frame for _, frame in frames], ignore_index=True)
            if tables:
                _check_repeated(frames, known)
    return Gathered(known, settings, notes, results)


def _table(path: Path) -> pd.DataFrame:
    """A table of pass rates, or of accuracies, which become rows of `rate_table.WHOLE`."""
    found = read_columns(path)
    if holds_accuracies(found):
        found = checked_accuracies(found, str(path))
    return checked(found, str(path))


def with_results(
    known: pd.DataFrame | None,
    settings: list[Settings],
    notes: list[Note],
    files: Sequence[ResultsFile],
    ladder: Ladder | None,
    match: str | None,
    metrics: Choices | None,
) -> pd.DataFrame | None:
    """The pass rates, with accuracies of results files where there are none; adds to settings and
    notes."""
    if ladder is None:
        raise InputError(
            f"{files[0].path}: results name no model of a ladder; read them with the ladder"
        )
    found = results_accuracies(files, ladder, match, metrics)
    rows = found.frame
    if known is not None and len(rows):
        rows = not_covered(rows, known, found.groups)
    if rows.empty:
        if known is None:
            notes += found.notes
        return known
    used = set(rows[list(CAPTURE_COLUMNS)].itertuples(index=False, name=None))
    for run in found.runs:
        tasks = {
            task: about
            for task, about in run["tasks"].items()
            if (run["rung"], run["checkpoint"], task) in used
        }
        if tasks:
            settings.append({**run, "tasks": tasks})
    notes += found.notes
    return rows if known is None else pd.concat([known, rows], ignore_index=True)


def _files(paths: Sequence[Path]) -> tuple[list[Path], list[ResultsFile]]:
    """Stores and tables, and results files, each once."""
    found: dict[str, Path] = {}
    results: dict[str, ResultsFile] = {}
    for path in paths:
        if path.is_dir():
            stores, some = passrate_files(path), list(results_in(path))
            if not stores and not some:
                stores = [table for table in _tables_in(path) if _of_accuracies(table)]
            if not stores and not some:
                raise InputError(_nothing_in(path))
        elif path.suffix.lower() == ".json":
            stores, some = [], results_files([path])
        else:
            stores, some = [path], []
        for file in stores:
            found.setdefault(os.path.realpath(file), file)
        for one in some:
            results.setdefault(os.path.realpath(one.path), one)
    return list(found.values()), list(results.values())


def _tables_in(folder: Path) -> list[Path]:
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in inside if path.suffix in (".parquet", ".csv")]


def _of_accuracies(table: Path) -> bool:
    return holds_accuracies(column_names(table))


def holds_measured(folder: Path) -> bool:
    """Whether there is anything in a folder that can be read as pass rates or accuracies."""
    return bool(passrate_files(folder) or next(results_in(folder), None)) or any(
        map(_of_accuracies, _tables_in(folder))
    )


def _nothing_in(folder: Path) -> str:
    """What a folder holds that nothing can be read from, and what it might hold instead."""
    start = f"{folder}: holds no cod_passrates_*.parquet and no results_*.json"
    if next(folder.rglob("samples_*.jsonl"), None) is not None:
        return f"{start} but samples of earlier runs; make pass rates with `cod-harness ingest`"
    tables = _tables_in(folder)
    if tables:
        return f"{start}; name the file itself if {tables[0].name} is a table of pass rates"
    endings = Counter(path.suffix or path.name for path in folder.rglob("*") if path.is_file())
    holds = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(3))
    return (
        f"{start} ({holds or 'it is empty'}); name the --output_path of `cod-harness run`, a "
        "folder of the harness's results, or one of samples_*.jsonl for `cod-harness ingest`"
    )


def _check_models(path: Path, frame: pd.DataFrame, ladder: Ladder) -> None:
    known = {model.name for model in ladder.models}
    unknown = ~frame["model"].isin(known)
    if not unknown.any():
        return
    row = int(np.argmax(unknown.to_numpy()))
    name = frame["model"].iloc[row]
    others = frame["model"][unknown].nunique() - 1
    also = f" (nor are {others} more)" if others else ""
    raise InputError(
        f"{path}: row {row + 1}: the model {name!r} is not in the ladder "
        f"{ladder.path or ladder.name}{also}; add it there or take its rows out"
    )


def _known_models(
    path: Path, frame: pd.DataFrame, ladder: Ladder, notes: list[Note]
) -> pd.DataFrame:
    """The rows of the ladder's models; the others are left out, and named in the notes."""
    known = frame["model"].isin({model.name for model in ladder.models})
    if known.all():
        return frame
    names = ", ".join(sorted(map(str, frame["model"][~known].unique())))
    where = ladder.path or ladder.name
    notes.append(note("not_in_ladder", path=path, names=names, ladder=where))
    return frame[known].reset_index(drop=True)


def _fuller(
    kept: dict[Capture, Store],
    replaced: Sequence[Replaced[Capture, Store]],
    frames: dict[Store, pd.DataFrame],
) -> list[Replaced[Capture, Store]]:
    """What is replaced, where a newer run of a part of the questions (`--limit`) replaces nothing.

    Changes `kept` in its place.
    """
    found = []
    for one in replaced:
        now = kept[one.key]
        before, after = (
            set(_rows_of(frames[store], {one.key})["question"]) for store in (one.stale, now)
        )
        if after < before:
            kept[one.key] = one.stale
            found.append(Replaced(one.key, now, one.stale))
        else:
            found.append(Replaced(one.key, one.stale, now))
    return found


def _newest(
    stores: Sequence[tuple[Store, pd.DataFrame]],
) -> tuple[list[Measured], list[Settings], list[Note]]:
    """The newest capture of each (model, checkpoint, task), with the settings of those.

    What was captured is told by the rows: a store may hold rows of tables without settings.
    """
    ordered = sorted(stores, key=lambda found: found[0].order)
    kept, replaced = newest(
        ((capture, store) for store, frame in ordered for capture in captures_in(frame)),
        date=lambda store: store.order,
    )
    replaced = _fuller(kept, replaced, dict(ordered))
    stale: dict[Store, list[Replaced[Capture, Store]]] = {}
    for one in replaced:
        stale.setdefault(one.stale, []).append(one)
    frames: list[Measured] = []
    settings: list[Settings] = []
    for store, frame in ordered:
        captures = {capture for capture, owner in kept.items() if owner is store}
        if captures:
            frames.append((store.path, _rows_of(frame, captures) if store in stale else frame))
            settings += _settings_of(store, captures)
    return frames, settings, [_not_used(store, found) for store, found in stale.items()]


def _not_used(store: Store, replaced: Sequence[Replaced[Capture, Store]]) -> Note:
    tasks = sorted({one.key[2] for one in replaced})
    models = sorted({one.key[0] for one in replaced})
    newer = sorted({one.newer.path.name for one in replaced})
    return note(
        "captured_again",
        path=store.path, tasks=", ".join(tasks), models=", ".join(models), newer=", ".join(newer),
    )  # fmt: skip


def captures_in(frame: pd.DataFrame) -> list[Capture]:
    """What a table of pass rates holds: (model, checkpoint, task), in order of appearance."""
    found = frame[list(CAPTURE_COLUMNS)].drop_duplicates().itertuples(index=False)
    return [(str(model), str(checkpoint), str(task)) for model, checkpoint, task in found]


def _rows_of(frame: pd.DataFrame, captures: set[Capture]) -> pd.DataFrame:
    wanted = pd.MultiIndex.from_tuples(sorted(captures), names=list(CAPTURE_COLUMNS))
    inside = pd.MultiIndex.from_frame(frame[list(CAPTURE_COLUMNS)]).isin(wanted)
    return frame[inside].reset_index(drop=True)


def _settings_of(store: Store, kept: set[Capture]) -> Iterator[Settings]:
    for run in store.runs():
        tasks = {
            task: about
            for task, about in (run.get("tasks") or {}).items()
            if (*model_of(run), task) in kept
        }
        if tasks:
            yield {**run, "tasks": tasks}


def _check_repeated(frames: Sequence[Measured], whole: pd.DataFrame) -> None:
    repeated = whole.duplicated(list(KEY_COLUMNS)).to_numpy()
    if not repeated.any():
        return
    second = int(np.argmax(repeated))
    same = np.ones(len(whole), dtype=bool)
    for column in KEY_COLUMNS:
        same &= (whole[column] == whole[column].iloc[second]).to_numpy()
    first = int(np.argmax(same))
    starts = np.cumsum([0] + [len(frame) for _, frame in frames])
    where = [int(np.searchsorted(starts, row, side="right")) - 1 for row in (first, second)]
    rows = [row - int(starts[file]) + 1 for row, file in zip((first, second), where, strict=True)]
    raise InputError(
        f"{frames[where[1]][0]}: row {rows[1]}: {describe_key(whole, second)} "
        f"is also in {frames[where[0]][0]} (row {rows[0]}); give only one of them"
    )
