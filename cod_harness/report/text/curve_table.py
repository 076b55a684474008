"""Forecasts over a range of compute as tables for the terminal: one per task and method."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from cod_harness.report.text.forecast_table import interval_text, percent, reason_lines
from cod_harness.report.text.grid import UNKNOWN, grid, terminal_width

_HEADERS = ("Compute", "Forecast", "Interval", "Measured", "Band", "Verdict")
_LEFT = ("Band", "Verdict")

Entry = Mapping[str, Any]


def curve_table(document: Mapping[str, Any], width: int | None = None) -> str:
    """The forecasts of a document by rising compute, measured values held against the interval.

    Args:
        document: a `cod-forecast/1` document.
        width: columns to fit; that of the terminal if None, and 80 where there is none.

    Returns:
        Lines without a newline at the end; a measured value is `inside` its interval, `above` or
        `below` it.
    """
    if width is None:
        width = terminal_width()
    blocks: dict[tuple[str, str], list[Entry]] = {}
    for entry in document["forecasts"]:
        blocks.setdefault((entry["task"], entry["method"]), []).append(entry)
    return "\n\n".join(_block(entries, width) for entries in blocks.values())


def _block(entries: list[Entry], width: int) -> str:
    entries = sorted(entries, key=lambda entry: float(entry["compute"]))
    first = entries[0]
    level = f"{100 * first['level']:g} % interval"
    title = f"{first['task']} by {first['method']}, in percent, {level}, compute in FLOP"
    lines = [
        *textwrap.wrap(title, width),
        "",
        *grid(_HEADERS, [_cells(entry) for entry in entries], width, _LEFT),
    ]
    # Doubts grow with the distance: the farthest amount has them all.
    told = reason_lines(entries[-1], width)
    if told:
        lines += ["", f"At {entries[-1]['compute']:.3g} FLOP:", *told]
    return "\n".join(lines)


def _cells(entry: Entry) -> list[str]:
    name, amount = entry["target"], f"{entry['compute']:.3g}"
    return [
        amount if name.endswith(" FLOP") else f"{amount} ({name})",
        percent(entry["mean"]),
        interval_text(entry),
        percent(entry["observed"]),
        band(entry),
        entry["verdict"],
    ]


def band(entry: Entry) -> str:
    """Where a measured value lies to its interval, in a word; "-" where either is unknown."""
    if entry["observed"] is None or entry["low"] is None:
        return UNKNOWN
    if entry["observed"] < entry["low"]:
        return "below"
    return "above" if entry["observed"] > entry["high"] else "inside"
