"""The forecast table on a terminal, in colour; the plain and stable one everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.report.text.forecast_table import forecast_lines
from cod_harness.report.text.grid import plain, terminal_width

_STYLES = {
    "title": "bold",
    "name": "bold",
    "number": "bold",
    "rule": "dim",
    "ok": "green",
    "weak": "yellow",
    "abstain": "dim",
    "outside": "bold red",
}


def print_forecast(forecasts: Sequence[TaskForecast]) -> None:
    """Print the forecasts on standard output; colour heeds NO_COLOR."""
    lines = forecast_lines(forecasts, terminal_width())
    if not sys.stdout.isatty():
        print("\n".join(plain(line) for line in lines))
        return
    from rich.console import Console
    from rich.text import Text

    screen = Console(highlight=False, soft_wrap=True)
    for line in lines:
        screen.print(Text.assemble(*((text, _STYLES.get(style, "")) for text, style in line)))
