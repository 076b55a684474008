"""The forecast document as a table for the terminal, in the manner of lm-eval's own tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from cod_harness.report.text.grid import UNKNOWN, grid, terminal_width

_HEADERS = (
    "Task",
    "Forecast",
    "Interval",
    "Measured",
    "Error",
    "Verdict",
    "Predictable",
)
_LEFT = ("Verdict",)
_VIEWS = ("clusters", "trend")
_PARTS = ("Made from", "Clusters", "Weight", "Trend", "Weight ")  # grid wants names to differ

Entry = Mapping[str, Any]


def forecast_table(document: Mapping[str, Any], width: int | None = None) -> str:
    """The forecasts of a document as plain text.

    One block per target and method: a Markdown table with forecast, interval, measured value and
    predictable share in percent, and the error (forecast minus measured) in points; the views that
    each forecast was made from, with their weights; below it the reasons of every forecast that
    isn't "ok", and the mean and largest absolute error where values were measured.

    Args:
        document: a `cod-forecast/1` document.
        width: columns to fit; that of the terminal if None, and 80 where there is none. Task
            names are shortened to fit, down to eight characters.

    Returns:
        Lines without a newline at the end.
    """
    if width is None:
        width = terminal_width()
    blocks: dict[tuple[str, str], list[Entry]] = {}
    for entry in document["forecasts"]:
        blocks.setdefault((entry["target"], entry["method"]), []).append(entry)
    return "\n\n".join(_block(entries, width) for entries in blocks.values())


def _block(entries: Sequence[Entry], width: int) -> str:
    lines = [
        *textwrap.wrap(_title(entries[0]), width),
        "",
        *grid(_HEADERS, [_cells(entry) for entry in entries], width, _LEFT),
    ]
    pooled = [entry for entry in entries if entry.get("parts")]
    if pooled:
        lines += ["", *grid(_PARTS, [_part_cells(entry) for entry in pooled], width)]
    reasons = [line for entry in entries for line in reason_lines(entry, width)]
    if reasons:
        lines += ["", *reasons]
    errors = _errors(entries)
    if errors:
        lines += ["", *textwrap.wrap(errors, width)]
    return "\n".join(lines)


def _title(entry: Entry) -> str:
    amount = f"{entry['compute']:.3g} FLOP"
    target = entry["target"]
    if not target.endswith(" FLOP"):
        target = f"{target} ({amount})"
    level = f"{100 * entry['level']:g} % interval"
    return f"Forecast for {target} by {entry['method']}, in percent, {level}"


def _cells(entry: Entry) -> list[str]:
    error = _error(entry)
    return [
        entry["task"],
        percent(entry["mean"]),
        interval_text(entry),
        percent(entry["observed"]),
        # Adding 0.0 turns a rounded -0.0 into 0.0.
        UNKNOWN if error is None else f"{round(100 * error, 1) + 0.0:+.1f}",
        entry["verdict"],
        percent(entry["subset"]["share"]),
    ]


def _part_cells(entry: Entry) -> list[str]:
    cells = [entry["task"]]
    for name in _VIEWS:
        part = entry["parts"].get(name)
        cells += [UNKNOWN, UNKNOWN] if part is None else [
            percent(part["mean"]), f"{part['weight']:.2f}"
        ]  # fmt: skip
    return cells


def interval_text(entry: Entry) -> str:
    """The interval of a forecast in percent."""
    low, high = percent(entry["low"]), percent(entry["high"])
    return UNKNOWN if UNKNOWN in (low, high) else f"{low} - {high}"


def percent(value: float | None) -> str:
    """A share in percent."""
    return UNKNOWN if value is None else f"{100 * value:.1f}"


def _error(entry: Entry) -> float | None:
    if entry["mean"] is None or entry["observed"] is None:
        return None
    return float(entry["mean"]) - float(entry["observed"])


def reason_lines(entry: Entry, width: int) -> list[str]:
    """Why a forecast is not ok, wrapped; none where it is."""
    if entry["verdict"] == "ok" or not entry["reasons"]:
        return []
    text = f"{entry['task']}: {entry['verdict']}: {'; '.join(entry['reasons'])}"
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)


def _errors(entries: Sequence[Entry]) -> str:
    errors = {entry["task"]: error for entry in entries if (error := _error(entry)) is not None}
    if not errors:
        return ""
    sizes = {task: 100 * abs(error) for task, error in errors.items()}
    worst = max(sizes, key=lambda task: sizes[task])
    mean = sum(sizes.values()) / len(sizes)
    count = f"{len(sizes)} task{'s' * (len(sizes) != 1)}"
    return (
        f"Absolute error over {count}: mean {mean:.1f} points, largest {sizes[worst]:.1f} ({worst})"
    )
