"""`cod-harness ablate`: the paper's ablation tables on one's own ladder."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cod_harness.arguments import (
    ArgumentParser,
    add_allow_mismatch,
    add_json,
    add_sources,
    names,
)
from cod_harness.cli.sources import kept, opened
from cod_harness.engine.methods import DEFAULT_METHOD, PAPER_METHOD
from cod_harness.messages import say


def parser() -> ArgumentParser:
    """The parser of `cod-harness ablate`."""
    made = ArgumentParser(
        prog="cod-harness ablate",
        examples=(
            "cod-harness ablate out --ladder ladder.yaml",
            "cod-harness ablate out --ladder ladder.yaml --what law,map --by-task",
        ),
        allow_abbrev=False,
        description="Change one thing about the recipe at a time and score its forecasts of "
        "measured targets, or of the largest rung where no target was measured. With one output "
        "folder as PATH the JSON goes into it as cod_ablation_<date>.json.",
    )
    add_sources(made)
    made.add_argument(
        "--what",
        metavar="A,...",
        help="clustering, law, thresholds, map, anchors (default: all that the ladder allows)",
    )
    made.add_argument(
        "--base",
        metavar="METHOD",
        default=PAPER_METHOD,
        help=f"{PAPER_METHOD} (default) or {DEFAULT_METHOD}",
    )
    made.add_argument("--by-task", action="store_true", help="also the error of every forecast")
    add_json(made)
    add_allow_mismatch(made)
    return made


def main(words: Sequence[str]) -> int:
    """Parse, ablate, print and write. Returns the exit status."""
    asked = parser().parse_args(words)

    from cod_harness.documents.writing import json_text
    from cod_harness.evaluation.ablation import ablate_ladder
    from cod_harness.report.text.ablation_table import ablation_table

    ladder, rates = opened(asked)
    ablation = ablate_ladder(
        rates,
        ladder,
        what=None if asked.what is None else names(asked.what),
        base=asked.base,
        allow_mismatch=asked.allow_mismatch,
        progress=say,
    )
    if asked.json == "-":
        sys.stdout.write(json_text(ablation))
        return 0
    written = kept(ablation, asked)
    print(ablation_table(ablation, asked.by_task))
    for note in ablation.settings.notes:
        say(note)
    if written:
        say(f"ablations written to {written}")
    return 0
