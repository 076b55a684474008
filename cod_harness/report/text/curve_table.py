"""Forecasts over a range of compute as tables for the terminal: one per task and method."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.report.text.forecast_table import (
    interval_text,
    level_text,
    percent,
    reason_lines,
)
from cod_harness.report.text.grid import UNKNOWN, grid, plain, terminal_width

_HEADERS = ("Compute", "Forecast", "Interval", "Measured", "Band", "Verdict")
_LEFT = ("Band", "Verdict")


def curve_table(forecasts: Iterable[TaskForecast], width: int | None = None) -> str:
    """Forecasts by rising compute, measured values held against the interval.

    Args:
        forecasts: of any targets, tasks and methods.
        width: columns to fit; that of the terminal if None, and 80 where there is none.

    Returns:
        Lines without a newline at the end; a measured value is `inside` its interval, `above` or
        `below` it.
    """
    if width is None:
        width = terminal_width()
    blocks: dict[tuple[str, str], list[TaskForecast]] = {}
    for entry in forecasts:
        blocks.setdefault((entry.task, entry.method), []).append(entry)
    return "\n\n".join(_block(entries, width) for entries in blocks.values())


def _block(entries: list[TaskForecast], width: int) -> str:
    entries = sorted(entries, key=lambda entry: entry.compute)
    first, last = entries[0], entries[-1]
    level = level_text(first.level)
    title = f"{first.task} by {first.method}, in percent, {level}, compute in FLOP"
    lines = [
        *textwrap.wrap(title, width),
        "",
        *grid(_HEADERS, [_cells(entry) for entry in entries], width, _LEFT),
    ]
    # Doubts grow with the distance: the farthest amount has them all.
    told = [plain(line) for line in reason_lines(last, width)]
    if told:
        lines += ["", f"At {last.compute:.3g} FLOP:", *told]
    return "\n".join(lines)


def _cells(entry: TaskForecast) -> list[str]:
    amount = f"{entry.compute:.3g}"
    return [
        f"{amount} ({entry.target})" if entry.named else amount,
        percent(entry.mean),
        interval_text(entry),
        percent(entry.observed),
        band(entry),
        entry.verdict,
    ]


def band(entry: TaskForecast) -> str:
    """Where a measured value lies to its interval, in a word; "-" where either is unknown."""
    if entry.observed is None or entry.low is None or entry.held is None:
        return UNKNOWN
    if entry.held:
        return "inside"
    return "below" if entry.observed < entry.low else "above"
