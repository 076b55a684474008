"""What forecasts, backtests and ablations begin and end with: the ladder and its pass rates, a
record as JSON."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from cod_harness.arguments import output_folder

if TYPE_CHECKING:
    from cod_harness.evaluation.records.base import Record
    from cod_harness.ladder.manifest import Ladder
    from cod_harness.ladder.passrates import PassRates


def opened(asked: Namespace) -> tuple[Ladder, PassRates]:
    """The ladder and the pass rates that the flags of `add_sources` name.

    Where the JSON goes (see `kept`) is tried first: nobody waits for what cannot be written.
    """
    from cod_harness.ladder.files import check_file, check_folder
    from cod_harness.ladder.metrics import metric_choice
    from cod_harness.ladder.read_ladder import read_ladder
    from cod_harness.ladder.read_passrates import read_passrates

    ladder = read_ladder(asked.ladder)
    check_file(asked.json)
    if not asked.json and (beside := output_folder(asked.paths)):
        check_folder(beside)
    rates = read_passrates(
        asked.paths,
        ladder,
        match=asked.match,
        metrics=dict(metric_choice(text, "--metric") for text in asked.metric),
    )
    return ladder, rates


def kept(record: Record, asked: Namespace) -> Path | None:
    """Write a record where --json says, else into the one output folder; None without either."""
    from cod_harness.documents.writing import json_text, write_record
    from cod_harness.ladder.files import write_whole

    if asked.json:
        return write_whole(asked.json, json_text(record))
    folder = output_folder(asked.paths)
    return write_record(record, folder) if folder else None
