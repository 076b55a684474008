"""Gathering pass rates from the paths a user names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.groups import with_groups
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.newest import Replaced, newest
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import KEY_COLUMNS, describe_key, read_table
from cod_harness.ladder.store import Capture, Settings, Store, model_of, open_store

CAPTURE_COLUMNS = ("model", "checkpoint", "task")
Measured = tuple[Path, pd.DataFrame]
"""A file and its rows."""


def read_passrates(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    ladder: Ladder | None = None,
) -> PassRates:
    """Pass rates out of output folders of runs, our own store files, and tables.

    Of several captures of one (model, checkpoint, task) the newest counts, by the date in the
    file's name (else the file's own). Tables must not repeat what is already there.

    Args:
        paths: folders, `.parquet` or `.csv` files; one or several.
        ladder: if given, every model must be one of its models.

    Raises:
        InputError: naming file, row and remedy: nothing there, unreadable, wrong rows, a model
            that isn't in the ladder, the same measurement in two tables.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    if not paths:
        raise InputError("no pass rates given; name an output folder, a .parquet or a .csv file")
    stores: list[tuple[Store, pd.DataFrame]] = []
    tables: list[Measured] = []
    named = {Path(path) for path in paths}
    others: list[str] = []  # a folder may hold targets taken out, or other families
    for path in _files([Path(path) for path in paths]):
        store = open_store(path) if path.suffix.lower() == ".parquet" else None
        frame = read_table(path) if store is None else store.rows()
        if ladder is not None and (store is None or path in named):
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
    if not frames:
        raise InputError(others[0])
    if len(frames) == 1:
        return PassRates.of_checked(with_groups(frames[0][1], settings), settings, notes)
    whole = pd.concat([frame for _, frame in frames], ignore_index=True)
    if tables:
        _check_repeated(frames, whole)
    return PassRates.of_checked(with_groups(whole, settings), settings, notes)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found = passrate_files(path)
            if not found:
                raise InputError(_nothing_in(path))
        else:
            found = [path]
        for file in found:
            place = file.resolve()
            if place not in seen:
                seen.add(place)
                yield file


def _nothing_in(folder: Path) -> str:
    start = f"{folder}: holds no cod_passrates_*.parquet"
    if next(folder.rglob("samples_*.jsonl"), None) is not None:
        return f"{start} but samples of earlier runs; make pass rates with `cod-harness ingest`"
    tables = [path for path in sorted(folder.iterdir()) if path.suffix in (".parquet", ".csv")]
    if tables:
        return f"{start}; name the file itself if {tables[0].name} is a table of pass rates"
    return f"{start}; is it the --output_path of `cod-harness run`?"


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
    path: Path, frame: pd.DataFrame, ladder: Ladder, notes: list[str]
) -> pd.DataFrame:
    """The rows of the ladder's models; the others are left out, and named in the notes."""
    known = frame["model"].isin({model.name for model in ladder.models})
    if known.all():
        return frame
    names = ", ".join(sorted(map(str, frame["model"][~known].unique())))
    notes.append(f"{path}: left out: {names}: not in the ladder {ladder.path or ladder.name}")
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
) -> tuple[list[Measured], list[Settings], list[str]]:
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


def _not_used(store: Store, replaced: Sequence[Replaced[Capture, Store]]) -> str:
    tasks = sorted({one.key[2] for one in replaced})
    models = sorted({one.key[0] for one in replaced})
    newer = sorted({one.newer.path.name for one in replaced})
    return (
        f"{store.path}: {', '.join(tasks)} on {', '.join(models)} not used, "
        f"captured again, or on more questions, in {', '.join(newer)}"
    )


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
