"""Our own file of pass rates: Parquet, zstd, with schema version and settings in its metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.files import passrate_files, write_whole
from cod_harness.ladder.rate_table import COLUMNS, checked, read_parquet, unreadable_parquet
from cod_harness.messages import say

SCHEMA = "cod-passrates/1"
_METADATA_KEY = b"cod_passrates"

Settings = dict[str, Any]


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
    table = pa.Table.from_pandas(checked(frame, str(path)), schema=schema, preserve_index=False)
    # from_pandas adds metadata of its own; only ours is part of the format.
    table = table.replace_schema_metadata(schema.metadata)
    return write_whole(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_store(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, Settings]:
    """The pass rates and settings of a store file.

    Raises:
        InputError: no such file, not Parquet, not ours, of a later schema, or wrong in itself.
    """
    path = Path(path)
    settings = read_metadata(path, _METADATA_KEY)
    if settings is None:
        raise InputError(f"{path}: holds no settings of ours; give it as a table, or capture again")
    if settings.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: its schema is {settings.get('schema')!r}, this version reads {SCHEMA!r}; "
            "use the version of cod-harness that wrote it or capture again"
        )
    return checked(read_parquet(path), str(path)), settings


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a store of ours.

    Raises:
        InputError: it isn't readable as Parquet.
    """
    return read_metadata(Path(path), _METADATA_KEY) is not None


def runs_of(settings: Settings) -> list[Settings]:
    """The runs a store's settings tell of: itself, or the entries of its "runs"."""
    runs = settings.get("runs")
    if isinstance(runs, list):
        return [run for run in runs if isinstance(run, dict)]
    return [settings]


def stores_of(folder: Path, ladder: str) -> dict[Path, dict[str, object]]:
    """Pass-rate files of the ladder of that name under a folder, oldest first, with their settings.

    A file that cannot be read is left out, and named on stderr.
    """
    found: dict[Path, dict[str, object]] = {}
    for path in passrate_files(folder):
        try:
            _, settings = read_store(path)
        except InputError as unreadable:
            say(f"left out: {unreadable}")
            continue
        if settings.get("ladder") == ladder:
            found[path] = settings
    return found


def read_metadata(path: Path, key: bytes) -> Settings | None:
    """The JSON object that a Parquet file of ours carries under a key; None if it has no such key.

    Raises:
        InputError: no such file, not Parquet, or no JSON object there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise unreadable_parquet(path, error) from None
    text = metadata.get(key)
    if text is None:
        return None
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise InputError(f"{path}: its settings are not readable; capture again")
    return settings
