"""Forecasts as a table for the terminal, in the manner of lm-eval's own tables."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.report.text.grid import (
    UNKNOWN,
    Line,
    Span,
    plain,
    styled_grid,
    terminal_width,
)
from cod_harness.report.text.sentences import trust

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


def forecast_table(forecasts: Iterable[TaskForecast], width: int | None = None) -> str:
    """Forecasts as plain text.

    One block per target and method: a Markdown table with forecast, interval, measured value and
    predictable share in percent, and the error (forecast minus measured) in points; the views that
    each forecast was made from, with their weights; below it the reasons of every forecast that
    isn't "ok", and the mean and largest absolute error where values were measured.

    Args:
        forecasts: of any targets, tasks and methods.
        width: columns to fit; that of the terminal if None, and 80 where there is none. Task
            names are shortened to fit, down to eight characters.

    Returns:
        Lines without a newline at the end.
    """
    lines = forecast_lines(forecasts, terminal_width() if width is None else width)
    return "\n".join(plain(line) for line in lines)


def forecast_lines(forecasts: Iterable[TaskForecast], width: int) -> list[Line]:
    """The lines of `forecast_table`, with what each piece of them is."""
    blocks: dict[tuple[str, str], list[TaskForecast]] = {}
    for entry in forecasts:
        blocks.setdefault((entry.target, entry.method), []).append(entry)
    lines: list[Line] = []
    for entries in blocks.values():
        lines += [[], *_block(entries, width)]
    return lines[1:]


def _block(entries: Sequence[TaskForecast], width: int) -> list[Line]:
    rows = [_cells(entry) for entry in entries]
    lines = [*_bold(_title(entries[0]), width), [], *styled_grid(_HEADERS, rows, width, _LEFT)]
    alone = [entry.task for entry in entries if _from_accuracies(entry)]
    if alone:
        which = "" if len(alone) == len(entries) else f": {', '.join(alone)}"
        text = f"Of results without samples, their trend alone; nothing is clustered{which}"
        lines += [[], *([Span(line)] for line in textwrap.wrap(text, width))]
    pooled = [entry for entry in entries if entry.parts and not _from_accuracies(entry)]
    if pooled:
        lines += [[], *styled_grid(_PARTS, [_part_cells(entry) for entry in pooled], width)]
    reasons = [line for entry in entries for line in reason_lines(entry, width)]
    if reasons:
        lines += [[], *reasons]
    errors = _errors(entries)
    if errors:
        lines += [[], *_bold(errors, width)]
    return lines


def _bold(text: str, width: int) -> list[Line]:
    return [[Span(line, "title")] for line in textwrap.wrap(text, width)]


def _title(entry: TaskForecast) -> str:
    amount = f"{entry.compute:.3g} FLOP"
    target = f"{entry.target} ({amount})" if entry.named else entry.target
    return f"Forecast for {target} by {entry.method}, in percent, {level_text(entry.level)}"


def level_text(level: float) -> str:
    """What the intervals of a table or page are."""
    return f"{100 * level:g} % interval"


def _cells(entry: TaskForecast) -> Line:
    error = entry.error
    return [
        Span(entry.task),
        Span(percent(entry.mean), "number" if entry.mean is not None else ""),
        Span(interval_text(entry)),
        Span(percent(entry.observed), "outside" if entry.held is False else ""),
        # Adding 0.0 turns a rounded -0.0 into 0.0.
        Span(UNKNOWN if error is None else f"{round(error, 1) + 0.0:+.1f}"),
        Span(entry.verdict, entry.verdict),
        Span(percent(entry.subset.share)),
    ]


def _from_accuracies(entry: TaskForecast) -> bool:
    """Whether it was made without questions: then no share of them is told."""
    return entry.mean is not None and entry.subset.share is None


def _part_cells(entry: TaskForecast) -> Line:
    cells = [entry.task]
    for name in _VIEWS:
        part = entry.parts.get(name)
        if part is None:
            cells += [UNKNOWN, UNKNOWN]
        else:
            cells += [percent(part.mean), UNKNOWN if part.weight is None else f"{part.weight:.2f}"]
    return [Span(cell) for cell in cells]


def interval_text(entry: TaskForecast) -> str:
    """The interval of a forecast in percent."""
    if entry.low is None or entry.high is None:
        return UNKNOWN
    return f"{percent(entry.low)} - {percent(entry.high)}"


def percent(value: float | None) -> str:
    """A share in percent."""
    return UNKNOWN if value is None else f"{100 * value:.1f}"


def reason_lines(entry: TaskForecast, width: int) -> list[Line]:
    """Why a forecast is not ok, wrapped; none where it is."""
    if entry.verdict == "ok":
        return []
    text = f"{entry.task}: {trust(entry, brief=False)}"
    first, *more = textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    name = len(entry.task)
    head = [Span(first[:name], "name"), Span(first[name:])]
    return [head, *([Span(line)] for line in more)]


def _errors(entries: Sequence[TaskForecast]) -> str:
    sizes = {entry.task: abs(entry.error) for entry in entries if entry.error is not None}
    if not sizes:
        return ""
    worst = max(sizes, key=lambda task: sizes[task])
    mean = sum(sizes.values()) / len(sizes)
    count = f"{len(sizes)} task{'s' * (len(sizes) != 1)}"
    return (
        f"Absolute error over {count}: mean {mean:.1f} points, largest {sizes[worst]:.1f} ({worst})"
    )
