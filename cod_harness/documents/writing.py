"""Records as JSON: text, and files beside the runs they are about."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from cod_harness.evaluation.records.ablation import Ablation
from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.evaluation.records.base import Record
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.ladder.files import date_stamp, write_whole

# How the file of a record is called, before its date.
PREFIXES: dict[type[Record], str] = {
    Forecasts: "cod_forecast_",
    Backtest: "cod_backtest_",
    Ablation: "cod_ablation_",
}


def plain(record: Record) -> dict[str, Any]:
    """A record in JSON's own types."""
    values: dict[str, Any] = msgspec.to_builtins(record)
    return values


def json_text(record: Record) -> str:
    """A record as JSON text, ending in a newline."""
    return json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_record(record: Record, folder: str | os.PathLike[str]) -> Path:
    """Write a record into a folder as `<prefix><date>.json`, whole or not at all.

    Returns:
        The path of the file.

    Raises:
        InputError: the folder cannot be written.
    """
    name = f"{PREFIXES[type(record)]}{date_stamp()}.json"
    return write_whole(Path(folder) / name, json_text(record))
