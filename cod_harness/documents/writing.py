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
from cod_harness.ladder.files import write_dated

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
    text = json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A path need not be text: what of it is none becomes `?`.
    return text.encode("utf-8", "replace").decode("utf-8")


def write_record(record: Record, folder: str | os.PathLike[str], prefix: str = "") -> Path:
    """Write a record into a folder as `<prefix><date>.json`, whole or not at all.

    prefix: another than that of its kind.

    Returns:
        The path of the file.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    return write_dated(folder, prefix or PREFIXES[type(record)], ".json", json_text(record), folder)
