"""`cod-harness demo`: ladder, capture, forecast and comparison on the models that ship."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cod_harness.arguments import ArgumentParser
from cod_harness.cores import cores
from cod_harness.demo.tasks import GROUP
from cod_harness.engine.methods import DEFAULT_METHOD, PAPER_METHOD
from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder
from cod_harness.messages import say
from cod_harness.task_folder import task_folder

if TYPE_CHECKING:
    from cod_harness.evaluation.records.forecast import Forecasts

LADDER = Path(__file__).parents[1] / "demo" / "ladder.yaml"
REPEATS = 16
REPEATS_FULL = 100


def parser() -> argparse.ArgumentParser:
    """The parser of `cod-harness demo`."""
    arguments = ArgumentParser(
        prog="cod-harness demo",
        examples=(
            "cod-harness demo",
            "cod-harness demo --full --output_path demo",
        ),
        allow_abbrev=False,
        description="Run eight small benchmarks on the ladder of tiny models that ships, through "
        "lm_eval, and compare the forecast for the target with what the target scores.",
    )
    arguments.add_argument("--output_path", metavar="OUT", default="cod_demo")
    arguments.add_argument(
        "--full", action="store_true", help=f"{REPEATS_FULL} samples a question, not {REPEATS}"
    )
    return arguments


def main(argv: Sequence[str]) -> int:
    """Run the demo. argv: the arguments after the word `demo`. Returns the exit status."""
    asked = parser().parse_args(argv)
    # Nothing here is on a hub; two runs at a time share the cores better without BLAS threads.
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ.update(offline)
    jobs = cores()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from cod_harness.cli import ladder

    begun = time.monotonic()
    repeats = REPEATS_FULL if asked.full else REPEATS
    print(
        f"cod-harness: the shipped ladder on {GROUP}, {repeats} samples a question, "
        f"{jobs} runs at a time, into {asked.output_path}",
        file=sys.stderr,
    )
    status = ladder.main(
        [
            str(LADDER),
            *("--tasks", GROUP, "--output_path", asked.output_path, "--jobs", str(jobs)),
            *("--include_path", str(task_folder()), "--cod-include-only"),
            *("--cod-repeats", str(repeats)),
        ],
        follow=show,
    )
    if status == 0:
        say(f"{time.monotonic() - begun:.0f} s in all")
    return status


def show(folder: Path, ladder: Ladder) -> None:
    """Forecast the target by every method; table, sentence and the page's place."""
    from cod_harness.cli.outlook import make_forecast
    from cod_harness.engine import METHODS

    made = make_forecast(folder, ladder, methods=list(METHODS))
    if made is None:
        raise InputError(f"{folder}: too few rungs were measured")
    print(f"{ending(made.record, ladder)}\n\nCurves, questions, reasons: {made.page or made.path}")


def ending(record: Forecasts, ladder: Ladder) -> str:
    """What the demo ends with: what was done, the table, and what came out in a sentence."""
    from cod_harness.report.text.baselines_table import baselines_table
    from cod_harness.report.text.sentences import distance

    (target,) = ladder.targets
    first = record.forecasts[0]
    times = distance(first, record.tasks[first.task])
    said = (
        f"{len(ladder.rungs)} models of {ladder.rungs[0].name} to {ladder.rungs[-1].name} "
        f"parameters forecast one of {target.name}, trained with {times:.1f} times the compute of "
        "the largest. Percent, 90 % intervals; measured is what that model scored, run for this "
        "comparison only; last, the errors of the best other method."
    )
    table = baselines_table(record.forecasts, DEFAULT_METHOD, left_out=(PAPER_METHOD,))
    return "\n".join([*textwrap.wrap(said, 80), "", table])
