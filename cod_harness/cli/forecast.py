"""`cod-harness forecast`: forecasts out of pass rates that exist."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cod_harness.arguments import (
    ArgumentParser,
    add_allow_mismatch,
    add_json,
    add_sources,
    names,
    output_folder,
    parsed,
    share,
)
from cod_harness.cli.sources import opened
from cod_harness.engine.methods import DEFAULT_METHOD
from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError
from cod_harness.messages import detail, say

if TYPE_CHECKING:
    from cod_harness.ladder.manifest import Ladder

_RANGE = 10  # amounts in a range of compute, unless told
_WHAT_IF = "cod_whatif_"


def parser() -> ArgumentParser:
    """The parser of `cod-harness forecast`."""
    made = ArgumentParser(
        prog="cod-harness forecast",
        examples=(
            "cod-harness forecast out --ladder ladder.yaml",
            "cod-harness forecast out --ladder ladder.yaml --compute 1e22:1e25",
        ),
        allow_abbrev=False,
        description="Forecast the ladder's targets from pass rates. With one output folder as "
        "PATH the JSON goes into it as cod_forecast_<date>.json.",
    )
    add_sources(made)
    made.add_argument("--target", metavar="NAME", action="append", help="default: all targets")
    made.add_argument(
        "--compute",
        metavar="FLOP",
        help="forecast for this training compute, or as 1e22:1e25 for a range of it (1e22:1e25:20 "
        "for 20 amounts)",
    )
    made.add_argument("--tasks", metavar="TASK,...", help="default: all tasks measured")
    made.add_argument(
        "--observed",
        metavar="FILE",
        help="hold checkpoints of a running job against the band: a CSV file with task, compute, "
        "accuracy and, if wanted, name",
    )
    made.add_argument(
        "--method", metavar="M,...", default=DEFAULT_METHOD, help=f"default: {DEFAULT_METHOD}"
    )
    made.add_argument(
        "--level", metavar="P", default=str(LEVEL), help=f"of the interval ({LEVEL:g})"
    )
    add_json(made)
    add_allow_mismatch(made)
    made.add_argument(
        "--clusters", metavar="FILE", help="use the clusters of another ladder, saved before"
    )
    made.add_argument(
        "--save-clusters", metavar="FILE", help="save the clusters (.parquet) for another ladder"
    )
    return made


def main(words: Sequence[str]) -> int:
    """Parse, forecast, print and write. Returns the exit status."""
    asked = parser().parse_args(words)

    from cod_harness.documents.writing import json_text, write_record
    from cod_harness.evaluation.checkpoints import read_checkpoints
    from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
    from cod_harness.evaluation.transfer import SavedClusters
    from cod_harness.ladder.files import check_file, write_whole
    from cod_harness.progress import progress_bar
    from cod_harness.report.page.beside import page_beside
    from cod_harness.report.text.curve_table import curve_table
    from cod_harness.report.text.terminal import print_forecast

    check_file(asked.save_clusters)
    ladder, rates = opened(asked)
    if asked.tasks:
        rates = rates.only(names(asked.tasks))
    amounts = _amounts(asked.compute) if asked.compute else None
    _check_above(amounts or [], ladder)
    options = ForecastOptions(
        methods=names(asked.method),
        targets=asked.target,
        compute=amounts,
        level=share("--level", asked.level),
        allow_mismatch=asked.allow_mismatch,
        clusters=SavedClusters.read(asked.clusters) if asked.clusters else None,
        checkpoints=read_checkpoints(asked.observed, rates.tasks) if asked.observed else (),
    )
    command = ["cod-harness", "forecast", *words]
    begun = time.monotonic()
    with progress_bar("forecast", "task") as progress:
        made = forecast_ladder(rates, ladder, options, command, progress)
    detail(f"forecasts made in {time.monotonic() - begun:.1f} s")
    if asked.save_clusters:
        made.clusters().write(asked.save_clusters)
    if asked.json == "-":
        sys.stdout.write(json_text(made.record))
        return 0
    # Files before words: whatever becomes of the terminal, they are there.
    written = drawn = None
    if asked.json:
        written = write_whole(Path(asked.json), json_text(made.with_curves()))
    elif folder := output_folder(asked.paths):
        record = made.with_curves()
        if asked.compute or asked.tasks:  # never taken for the ladder's forecast later
            written = write_record(record, folder, _WHAT_IF)
        else:
            written = write_record(record, folder)
            drawn = page_beside(record, folder)
    if asked.observed or ":" in (asked.compute or ""):
        print(curve_table(made.record.forecasts))
    else:
        print_forecast(made.record.forecasts)
    for note in made.record.settings.notes:
        say(note)
    if written:
        say(f"forecast written to {written}")
    if drawn:
        say(f"report written to {drawn}")
    return 0


def _check_above(amounts: Sequence[float], ladder: Ladder) -> None:
    """A forecast goes up from the ladder; below its smallest rung no law says anything."""
    known = [model.compute for model in ladder.rungs if model.compute is not None]
    for amount in amounts:
        if known and amount < min(known):
            raise InputError(
                f"--compute {amount:g}: below the smallest rung, of {min(known):.3g} FLOP; name an "
                "amount above it"
            )


def _amounts(text: str) -> list[float]:
    """The compute that `--compute` asks for, FLOP: one amount, or A:B or A:B:N by equal factors."""
    from cod_harness.ladder.read_ladder import number

    parts = text.split(":")
    if len(parts) > 3:
        raise InputError(f"--compute {text}: give one amount of FLOP, or a range as in 1e22:1e25")
    ends = [parsed("--compute", part, number) for part in parts[:2]]
    if len(ends) == 1:
        return ends
    count = parsed("--compute", parts[2], int) if len(parts) == 3 else _RANGE
    if not 0 < ends[0] < ends[1] or count < 2:
        raise InputError(
            f"--compute {text}: a range goes up, from an amount above 0, in 2 steps or more"
        )
    factor = (ends[1] / ends[0]) ** (1 / (count - 1))
    return [ends[0] * factor**step for step in range(int(count))]
