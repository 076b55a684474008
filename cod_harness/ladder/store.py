"""Our own file of pass rates: Parquet, zstd, with schema version and settings in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.files import (
    PASSRATES_PREFIX,
    PASSRATES_SUFFIX,
    date_stamp,
    file_date,
    passrate_files,
    write_dated,
    write_whole,
)
from cod_harness.ladder.newest import Replaced, newest
from cod_harness.ladder.rate_table import COLUMNS, checked, read_parquet, unreadable_parquet

SCHEMA = "cod-passrates/1"
_METADATA_KEY = b"cod_passrates"
_DIGEST_KEY = b"cod_digest"

Settings = dict[str, Any]
Capture = tuple[str, str, str]
"""What one run measured of one task: model, checkpoint ("" for the model itself), task."""


# All responses the same on so large a share of documents: no sampling took place.
COPIES = 0.98


@dataclass(frozen=True, eq=False)
class Store:
    """A store file: its settings are read, its rows are not until they are asked for.

    Attributes:
        path: the file.
        settings: its metadata, as `write_passrates` was given it.
        date: when it was made, as text that sorts by time: the date in its name, else the file's.
    """

    path: Path
    settings: Settings
    date: str
    _footer: Any = field(repr=False)

    @property
    def ladder(self) -> str:
        """Name of the ladder that it was measured for; "" if unknown."""
        return str(self.settings.get("ladder") or "")

    @property
    def order(self) -> tuple[str, str]:
        """What sorts stores by time."""
        return self.date, str(self.path)

    def runs(self) -> list[Settings]:
        """The runs it holds: its settings themselves, or the entries of their "runs"."""
        runs = self.settings.get("runs")
        if isinstance(runs, list):
            return [run for run in runs if isinstance(run, dict)]
        return [self.settings]

    def captures(self) -> dict[Capture, Settings]:
        """What its settings say was measured, each with its run, told for that task alone."""
        found: dict[Capture, Settings] = {}
        for run in self.runs():
            for task, about in (run.get("tasks") or {}).items():
                found[(*model_of(run), task)] = {**run, "tasks": {task: about}}
        return found

    def rows(self) -> pd.DataFrame:
        """The pass rates, with all columns of `rate_table`; copies count as one sample.

        Raises:
            InputError: they cannot be read, or are wrong in themselves.
        """
        frame = read_parquet(self.path, footer=self._footer)
        kept = self._footer.metadata or {}
        digest = kept.get(_DIGEST_KEY)  # stores of earlier versions have none
        if digest is not None and digest != _digest(frame, kept[_METADATA_KEY]):
            raise InputError(
                f"{self.path}: was damaged or changed after it was written (its digest differs); "
                "take it from a backup, or capture again"
            )
        frame = checked(frame, str(self.path))
        for (model, checkpoint, task), run in self.captures().items():
            if float(run["tasks"][task].get("identical_share") or 0.0) >= COPIES:
                copies = (frame["model"] == model) & (frame["task"] == task)
                copies &= (frame["checkpoint"] == checkpoint) & (frame["n_samples"] > 1)
                frame.loc[copies, "n_correct"] = frame.loc[copies, "rate"]
                frame.loc[copies, "n_samples"] = 1
        return frame

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Some columns as they are, not checked: for a look that need not read the rest.

        Raises:
            InputError: they cannot be read, or one is missing.
        """
        frame = read_parquet(self.path, names, self._footer)
        missing = [name for name in names if name not in frame]
        if missing:
            raise InputError(f"{self.path}: lacks the column {missing[0]}; capture again")
        return frame


def model_of(run: Mapping[str, Any]) -> tuple[str, str]:
    """Model and checkpoint of one run's settings."""
    return str(run.get("rung") or ""), str(run.get("checkpoint") or "")


def write_passrates(
    path: str | os.PathLike[str], frame: pd.DataFrame, settings: Mapping[str, Any]
) -> Path:
    """Write pass rates to a store file, whole or not at all; never over an existing file.

    Args:
        path: the `.parquet` file.
        frame: a long table of pass rates (checked as in `rate_table.checked`).
        settings: what was run, kept as JSON: "rung", "checkpoint", "ladder", "tasks" (one entry
            per task with version, filter, metric, repeats, generation_kwargs, num_fewshot,
            prompt_hash, questions), "lm_eval", "cod_harness". A file of several runs has "runs",
            a list of such mappings. "schema" is added.

    Returns:
        `path`.

    Raises:
        InputError: the table is wrong, the file exists, or it cannot be written.
        TypeError: the settings are not JSON.
    """
    return write_whole(path, _written(frame, settings, str(path)))


def write_capture(
    folder: str | os.PathLike[str], frame: pd.DataFrame, settings: Mapping[str, Any], among: Path
) -> Path:
    """Write pass rates to `cod_passrates_<date>.parquet` in a folder, later than those in `among`.

    Otherwise as `write_passrates`.
    """
    content = _written(frame, settings, str(folder))
    return write_dated(folder, PASSRATES_PREFIX, PASSRATES_SUFFIX, content, among)


def _written(
    frame: pd.DataFrame, settings: Mapping[str, Any], where: str
) -> Callable[[Path], object]:
    """What writes a store to a path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [(name, pa.string()) for name in COLUMNS]
    types = dict(fields) | {
        "n_correct": pa.float64(),
        "n_samples": pa.int64(),
        "rate": pa.float64(),
    }
    text = json.dumps({**settings, "schema": SCHEMA}, ensure_ascii=False, allow_nan=False)
    schema = pa.schema(list(types.items()), metadata={_METADATA_KEY: text.encode("utf-8")})
    table = pa.Table.from_pandas(checked(frame, where), schema=schema, preserve_index=False)
    # from_pandas adds metadata of its own; only ours is part of the format.
    digest = _digest(table.to_pandas(), text.encode("utf-8"))
    table = table.replace_schema_metadata({**schema.metadata, _DIGEST_KEY: digest})

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            pq.write_table(table, stream, compression="zstd", write_page_checksum=True)

    return write


def _digest(frame: pd.DataFrame, settings: bytes) -> bytes:
    """SHA-256 over rows and settings: a flipped bit anywhere in what counts changes it."""
    found = hashlib.sha256(settings)
    for name in frame.columns:
        found.update(str(name).encode("utf-8"))
        found.update(pd.util.hash_pandas_object(frame[name], index=False).to_numpy().tobytes())
    return found.hexdigest().encode("ascii")


def read_store(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, Settings]:
    """The pass rates and settings of a store file.

    Raises:
        InputError: no such file, not Parquet, not ours, of another schema, or wrong in itself.
    """
    store = open_store(path)
    if store is None:
        raise _no_store(path)
    return store.rows(), store.settings


def open_store(path: str | os.PathLike[str]) -> Store | None:
    """A store file, of which only the metadata is read; None for Parquet that is no store of ours.

    Raises:
        InputError: no such file, not Parquet, or of another schema.
    """
    path = Path(path)
    settings, footer = _metadata(path, _METADATA_KEY)
    if settings is None:
        return None
    if settings.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: its schema is {settings.get('schema')!r}, this version reads {SCHEMA!r}; "
            "use the version of cod-harness that wrote it or capture again"
        )
    odd = _odd(settings)
    if odd:
        raise InputError(
            f"{path}: its settings are not what a capture writes ({odd}); capture again"
        )
    # A file that was renamed has no date in its name; the file system's serves.
    date = file_date(path) or date_stamp(datetime.fromtimestamp(path.stat().st_mtime))
    return Store(path, settings, date, footer)


_TEXTS = ("ladder", "rung", "checkpoint")


def _odd(settings: Settings) -> str:
    """What among a store's settings is of another type than a capture writes; empty if nothing."""
    runs = settings.get("runs")
    for run in [settings, *(runs if isinstance(runs, list) else [])]:
        if not isinstance(run, dict):
            return "runs"
        wrong = [key for key in _TEXTS if not isinstance(run.get(key) or "", str)]
        tasks, pooled, request = (run.get(key) or {} for key in ("tasks", "pooled", "request"))
        if not _is_mapping(tasks, dict) or any(map(_odd_task, tasks.values())):
            wrong.append("tasks")
        if not _is_mapping(pooled, list) or not all(map(_are_texts, pooled.values())):
            wrong.append("pooled")
        if not _is_mapping(request, list) or not all(map(_are_texts, request.values())):
            wrong.append("request")
        if wrong:
            return wrong[0]
    return ""


def _odd_task(about: dict[str, Any]) -> bool:
    share = about.get("identical_share") or 0.0
    return not isinstance(share, (int, float)) or not 0 <= share <= 1


def _is_mapping(value: Any, of: type) -> bool:
    return isinstance(value, dict) and all(isinstance(part, of) for part in value.values())


def _are_texts(value: list[Any]) -> bool:
    return all(isinstance(part, str) for part in value)


def stores_in(folder: Path, ladder: str) -> tuple[list[Store], list[InputError]]:
    """The stores of the ladder of that name anywhere under a folder, oldest first.

    Returns:
        The stores, and for each file that cannot be read what is wrong with it.
    """
    stores: list[Store] = []
    unreadable: list[InputError] = []
    for path in passrate_files(folder):
        try:
            store = open_store(path)
            if store is None:
                raise _no_store(path)
        except InputError as problem:
            unreadable.append(problem)
            continue
        if store.ladder == ladder:
            stores.append(store)
    return stores, unreadable


def _no_store(path: str | os.PathLike[str]) -> InputError:
    return InputError(f"{path}: holds no settings of ours; give it as a table, or capture again")


def newest_captures(
    stores: Sequence[Store],
) -> tuple[dict[Capture, Store], list[Replaced[Capture, Store]]]:
    """Of stores that tell of the same captures in their settings the newest, for each."""
    return newest(
        ((capture, store) for store in stores for capture in store.captures()),
        date=lambda store: store.order,
    )


def read_metadata(path: Path, key: bytes) -> Settings | None:
    """The JSON object that a Parquet file of ours carries under a key; None if it has no such key.

    Raises:
        InputError: no such file, not Parquet, or no JSON object there.
    """
    return _metadata(path, key)[0]


def _metadata(path: Path, key: bytes) -> tuple[Settings | None, Any]:
    """The JSON object, and the footer it stands in."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    try:
        with open(path, "rb") as stream:
            footer = pq.read_metadata(stream)
    except (pa.ArrowException, OSError) as error:
        raise unreadable_parquet(path, error) from None
    text = (footer.metadata or {}).get(key)
    if text is None:
        return None, footer
    try:
        settings = json.loads(text)
        json.dumps(settings, ensure_ascii=False).encode("utf-8")  # no half characters
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise InputError(f"{path}: its settings are not readable; capture again")
    return settings, footer
