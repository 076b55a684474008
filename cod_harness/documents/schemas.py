"""The JSON Schemas (draft 2020-12) of our documents, generated from the types they are.

`python -m cod_harness.documents.schemas` writes them into this folder, where they ship.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from cod_harness.evaluation.records.ablation import Ablation
from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.evaluation.records.base import Record, schema_name
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.evaluation.records.plan import Plan
from cod_harness.evaluation.records.score import Scores

DOCUMENTS: tuple[type[Record], ...] = (Forecasts, Backtest, Ablation, Scores, Plan)


def schema(kind: type[Record]) -> dict[str, Any]:
    """The JSON Schema of a kind of document."""
    found = _unwrapped(msgspec.json.schema(kind))
    whole = found["$defs"].pop(kind.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": file_name(kind),
        **whole,
        "title": schema_name(kind),
        "$defs": found["$defs"],
    }


def _unwrapped(value: Any) -> Any:
    """A schema with its descriptions, which are docstrings, on one line each."""
    if isinstance(value, list):
        return [_unwrapped(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: " ".join(one.split()) if key == "description" and isinstance(one, str)
        else _unwrapped(one)
        for key, one in value.items()
    }  # fmt: skip


def file_name(kind: type[Record]) -> str:
    """What the file of the schema is called: cod-forecast-1.schema.json, for one."""
    return f"{schema_name(kind).replace('/', '-')}.schema.json"


def schema_text(kind: type[Record]) -> str:
    """The JSON Schema as text, ending in a newline."""
    return json.dumps(schema(kind), indent=2) + "\n"


def main() -> None:
    """Write all schemas into this folder."""
    for kind in DOCUMENTS:
        (Path(__file__).parent / file_name(kind)).write_text(schema_text(kind), "utf-8")


if __name__ == "__main__":
    main()
