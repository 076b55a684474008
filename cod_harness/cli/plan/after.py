"""What to measure or train next, with what is measured so far."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import names


def print_plan(
    asked: argparse.Namespace,
    budget_flop: float | None,
    budget_tokens: float | None,
    answer_tokens: float | None,
    command: Sequence[str],
) -> int:
    """Forecast, look at the options, print and write. Returns the exit status."""
    from cod_harness.cli.tasks import costs
    from cod_harness.documents.writing import json_text
    from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
    from cod_harness.evaluation.planning import Budget, next_measurements
    from cod_harness.ladder.files import write_whole
    from cod_harness.ladder.read_ladder import read_ladder
    from cod_harness.ladder.read_passrates import read_passrates
    from cod_harness.messages import say
    from cod_harness.progress import progress_bar
    from cod_harness.report.text.plan_table import plan_table

    ladder = read_ladder(asked.ladder)
    rates = read_passrates(asked.paths, ladder)
    if asked.tasks:
        rates = rates.only(names(asked.tasks))
    options = ForecastOptions(targets=asked.target, allow_mismatch=asked.allow_mismatch)
    with progress_bar("forecast", "task") as progress:
        made = forecast_ladder(rates, ladder, options, command, progress)
    known = {name: cost.answer_tokens for name, cost in costs().items()}
    if answer_tokens is not None:
        known = {**dict.fromkeys(rates.tasks, answer_tokens), **known}
    lengths = {task: known[task] for task in rates.tasks if known.get(task)}
    budget = Budget(budget_flop, budget_tokens)
    with progress_bar("plan", "option") as progress:
        plan = next_measurements(made, budget, lengths, command, progress)
    if asked.json == "-":
        sys.stdout.write(json_text(plan))
        return 0
    print(plan_table(plan))
    if asked.json:
        say(f"plan written to {write_whole(Path(asked.json), json_text(plan))}")
    for note in plan.settings.notes:
        say(note)
    return 0
