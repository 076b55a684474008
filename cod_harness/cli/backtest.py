"""`cod-harness backtest`: how well each method would have forecast what is known by now."""

from __future__ import annotations

import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence

from cod_harness.arguments import (
    ArgumentParser,
    add_allow_mismatch,
    add_json,
    add_sources,
    names,
    share,
    whole,
)
from cod_harness.cli.sources import kept, opened
from cod_harness.cores import cores
from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError, did_you_mean
from cod_harness.messages import say

_ABOUT = """\
Forecast results that are known, each from what is below it, and score the forecasts.

Measured targets are forecast from all rungs; then the largest rungs, each from the rungs of less
compute, down to the fifth. A forecast never sees what it is scored on. The table has one line per
method:
  Mean, 90 % CI   mean absolute error in points, and how far chance alone moves it (bootstrap over
                  tasks and hidden models)
  Max             the largest absolute error
  Inside, Width   share of measured values inside the intervals, and the median width of those
  Abstain, Made   share of the results a method would not forecast, and number it did
  vs METHOD       mean difference of the error to the first method's where both forecast; beyond
                  chance if 0 is outside the brackets
and below it the errors of forecasts called ok and called weak.

With one output folder as PATH the JSON goes into it as cod_backtest_<date>.json."""

_EXAMPLES = (
    "cod-harness backtest out --ladder ladder.yaml",
    "cod-harness backtest rates.parquet --ladder ladder.yaml --method cod,exp",
    "cod-harness backtest out --ladder ladder.yaml --holdout 0 --by task",
)


def parser() -> ArgumentParser:
    """The parser of `cod-harness backtest`."""
    made = ArgumentParser(
        prog="cod-harness backtest",
        allow_abbrev=False,
        description=_ABOUT,
        examples=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_sources(made)
    made.add_argument(
        "--holdout",
        metavar="N",
        help="hide at most the N largest rungs, 0 for none (default: all that leave enough below)",
    )
    made.add_argument(
        "--method", metavar="M,...", help="the first is what others are compared to (default: all)"
    )
    made.add_argument(
        "--level", metavar="P", default=str(LEVEL), help=f"of the intervals ({LEVEL:g})"
    )
    made.add_argument(
        "--by", metavar="task,target", default="", help="also mean errors per task or hidden model"
    )
    made.add_argument(
        "--jobs", metavar="N", help="processes to share the work (default: one a core)"
    )
    add_json(made)
    add_allow_mismatch(made)
    return made


def main(words: Sequence[str]) -> int:
    """Parse, backtest, print and write. Returns the exit status."""
    asked = parser().parse_args(words)

    from cod_harness.documents.writing import json_text
    from cod_harness.evaluation.backtest import BacktestOptions, backtest_ladder
    from cod_harness.progress import progress_bar
    from cod_harness.report.page.beside import page_beside
    from cod_harness.report.text.backtest_table import BY, backtest_table

    by = names(asked.by)
    for name in by:
        if name not in BY:
            raise InputError(f"--by {name}: there are {' and '.join(BY)}{did_you_mean(name, BY)}")
    ladder, rates = opened(asked)
    with progress_bar("backtest", "fit") as progress:
        backtest = backtest_ladder(
            rates,
            ladder,
            BacktestOptions(
                methods=None if asked.method is None else names(asked.method),
                holdout=None if asked.holdout is None else whole("--holdout", asked.holdout),
                level=share("--level", asked.level),
                allow_mismatch=asked.allow_mismatch,
            ),
            processes=whole("--jobs", asked.jobs) if asked.jobs else cores(),
            command=["cod-harness", "backtest", *words],
            progress=progress,
        )
    if asked.json == "-":
        sys.stdout.write(json_text(backtest))
        return 0
    written = kept(backtest, asked)
    drawn = page_beside(backtest, written.parent) if written and not asked.json else None
    print(backtest_table(backtest, by))
    for note in backtest.settings.notes:
        say(note)
    if written:
        say(f"backtest written to {written}")
    if drawn:
        say(f"report written to {drawn}")
    return 0
