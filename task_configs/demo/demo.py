"""Data and scoring of the miniature benchmarks, for the YAML files beside this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets

from cod_harness.demo.families.programs import program_passes


def questions(family: str, **_: Any) -> dict[str, datasets.Dataset]:
    """The one split of a family, from the data folder beside this file."""
    path = Path(__file__).parent / "data" / f"{family}.jsonl"
    with path.open() as lines:
        return {"test": datasets.Dataset.from_list([json.loads(line) for line in lines])}


def program_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """pass_at_1 of one completion: its string, or what it computes, is right."""
    return {"pass_at_1": float(program_passes(results[0], doc["answer"]))}
