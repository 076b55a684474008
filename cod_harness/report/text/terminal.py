"""The forecast table on a terminal, in colour; the plain and stable one everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from cod_harness.report.text.forecast_table import forecast_table

_STYLES = {"ok": "green", "weak": "yellow", "abstain": "dim"}


def print_forecast(document: Mapping[str, Any]) -> None:
    """Print the forecasts on standard output; colour heeds NO_COLOR."""
    text = forecast_table(document)
    if not sys.stdout.isatty():
        print(text)
        return
    try:
        from rich.console import Console
        from rich.text import Text
    except ModuleNotFoundError:  # colour is worth no fault
        print(text)
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in text.splitlines():
        console.print(_painted(Text(line)))


def _painted(line: Any) -> Any:
    """A line of the plain table with its verdict, title and errors in colour."""
    plain = str(line.plain)
    if plain.startswith(("Forecast for", "Absolute error")):
        line.stylize("bold")
        return line
    if not plain.startswith("|"):
        # Reasons: the task's name carries the verdict, the rest is for reading.
        start, colon, _ = plain.partition(": ")
        if colon and not plain.startswith(" "):
            line.stylize("bold", 0, len(start))
        return line
    cells = plain.split("|")
    if set(plain) <= set("|-:"):
        line.stylize("dim")
        return line
    at = 0
    for place, cell in enumerate(cells):
        style = _STYLES.get(cell.strip())
        if style:
            line.stylize(style, at, at + len(cell))
        elif place == 2 and any(letter.isdigit() for letter in cell):
            line.stylize("bold", at, at + len(cell))
        at += len(cell) + 1
    return line
