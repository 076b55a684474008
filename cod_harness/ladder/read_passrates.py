"""Gathering pass rates from the paths a user names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.files import date_stamp, file_date, passrate_files
from cod_harness.ladder.groups import with_groups
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import KEY_COLUMNS, describe_key, read_table
from cod_harness.ladder.store import Settings, is_store, read_store, runs_of

_CAPTURE = ("model", "checkpoint", "task")
Capture = tuple[str, str, str]


@dataclass(frozen=True)
class _Source:
    path: Path
    frame: pd.DataFrame
    settings: Settings | None  # None for a table
    date: str


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
    sources = [_read(path) for path in _files([Path(path) for path in paths])]
    if ladder is not None:
        for source in sources:
            _check_models(source, ladder)
    stores = [source for source in sources if source.settings is not None]
    tables = [source for source in sources if source.settings is None]
    frames, settings, notes = _newest(stores)
    frames += [(table.path, table.frame) for table in tables]
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


def _read(path: Path) -> _Source:
    if path.suffix.lower() == ".parquet" and is_store(path):
        frame, settings = read_store(path)
        # A file that was renamed has no date in its name; the file system's serves.
        changed = datetime.fromtimestamp(path.stat().st_mtime)
        return _Source(path, frame, settings, file_date(path) or date_stamp(changed))
    return _Source(path, read_table(path), None, "")


def _check_models(source: _Source, ladder: Ladder) -> None:
    known = {model.name for model in ladder.models}
    unknown = ~source.frame["model"].isin(known)
    if not unknown.any():
        return
    row = int(np.argmax(unknown.to_numpy()))
    name = source.frame["model"].iloc[row]
    others = source.frame["model"][unknown].nunique() - 1
    also = f" (nor are {others} more)" if others else ""
    raise InputError(
        f"{source.path}: row {row + 1}: the model {name!r} is not in the ladder "
        f"{ladder.path or ladder.name}{also}; add it there or take its rows out"
    )


def _newest(
    stores: Sequence[_Source],
) -> tuple[list[tuple[Path, pd.DataFrame]], list[Settings], list[str]]:
    """The newest capture of each (model, checkpoint, task), with the settings of those."""
    owner: dict[Capture, Path] = {}
    frames: list[tuple[Path, pd.DataFrame]] = []
    settings: list[Settings] = []
    notes: list[str] = []
    for store in sorted(stores, key=lambda source: (source.date, str(source.path)), reverse=True):
        captures = [
            (str(model), str(checkpoint), str(task))
            for model, checkpoint, task in store.frame[list(_CAPTURE)]
            .drop_duplicates()
            .itertuples(index=False)
        ]
        kept = {capture for capture in captures if capture not in owner}
        replaced = sorted(set(captures) - kept)
        if replaced:
            newer = sorted({owner[capture].name for capture in replaced})
            tasks = sorted({task for _, _, task in replaced})
            models = sorted({model for model, _, _ in replaced})
            notes.append(
                f"{store.path}: {', '.join(tasks)} on {', '.join(models)} not used, "
                f"captured again in {', '.join(newer)}"
            )
        owner.update(dict.fromkeys(kept, store.path))
        if kept:
            frames.append((store.path, _rows_of(store.frame, kept) if replaced else store.frame))
            settings += _settings_of(store, kept)
    frames.reverse()
    settings.reverse()
    return frames, settings, notes


def _rows_of(frame: pd.DataFrame, captures: set[Capture]) -> pd.DataFrame:
    wanted = pd.MultiIndex.from_tuples(sorted(captures), names=list(_CAPTURE))
    inside = pd.MultiIndex.from_frame(frame[list(_CAPTURE)]).isin(wanted)
    return frame[inside].reset_index(drop=True)


def _settings_of(store: _Source, kept: set[Capture]) -> Iterator[Settings]:
    for run in runs_of(store.settings or {}):
        rung, checkpoint = str(run.get("rung") or ""), str(run.get("checkpoint") or "")
        tasks = {
            task: about
            for task, about in (run.get("tasks") or {}).items()
            if (rung, checkpoint, task) in kept
        }
        if tasks:
            yield {**run, "tasks": tasks}


def _check_repeated(frames: Sequence[tuple[Path, pd.DataFrame]], whole: pd.DataFrame) -> None:
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
