"""The backtest document as tables for the terminal: one's own Table 1."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from cod_harness.evaluation.records.backtest import Backtest, BacktestRow, Difference
from cod_harness.evaluation.records.base import mean
from cod_harness.report.text.forecast_table import level_text
from cod_harness.report.text.grid import UNKNOWN, grid, terminal_width

BY = ("task", "target")


def backtest_table(document: Backtest, by: Sequence[str] = (), width: int | None = None) -> str:
    """The methods of a backtest, one line each, errors in points.

    Mean absolute error with its 90 % bootstrap interval, largest error, share of measured values
    inside the intervals, median width of those, share of the points abstained on, forecasts made,
    and the difference to the first method. Below it errors by verdict, and beside the intervals'
    median width that of one interval alike for every forecast that holds as many; then, for every
    name in `by` ("task", "target"), the mean absolute errors of all methods per task or model.

    Args:
        document: the record.
        by: further tables.
        width: columns to fit; that of the terminal if None, and 80 where there is none.

    Returns:
        Lines without a newline at the end.
    """
    width = terminal_width() if width is None else width
    silent = [name for name in document.methods if name not in document.speaking]
    told = [f"No number at all from {', '.join(silent)}."] if silent else []
    blocks = [
        "\n".join(textwrap.wrap(_title(document), width)),
        "\n".join([*_methods(document, width), *textwrap.wrap("".join(told), width)]),
        "\n".join(_verdicts(document, width)),
        *("\n".join(_means_by(key, document, width)) for key in by),
    ]
    return "\n\n".join(blocks)


def _title(document: Backtest) -> str:
    rows = document.rows
    tasks = {row.task for row in rows}
    points = {(row.task, row.target) for row in rows}
    targets = {row.target for row in rows if row.role == "target"}
    rungs = {row.target for row in rows if row.role == "rung"}
    level = f"{level_text(document.settings.level)}s"
    return (
        f"Backtest of {document.ladder}: {_count(len(points), 'known result')} on "
        f"{_count(len(tasks), 'task')} ({_count(len(targets), 'target')} and "
        f"{_count(len(rungs), 'rung')}), each forecast from what is below it; absolute errors in "
        f"points, {level}"
    )


def _methods(document: Backtest, width: int) -> list[str]:
    summary = {name: document.summary[name] for name in document.speaking}
    first = document.methods[0]
    # The first method differs from itself by nothing; alone it needs no such column.
    compared = len(summary) > 1
    headers = ["Method", "Mean", "90 % CI", "Max", "Inside", "Width", "Score", "Abstain", "Made"]
    headers += [f"vs {first}"] if compared else []
    cells = [
        [
            name,
            _points(about.mean),
            _range(about.mean_low, about.mean_high),
            _points(about.max),
            _share(about.coverage),
            _points(about.width),
            _points(about.interval_score),
            _share(about.abstained),
            str(about.n),
            *([_difference(about.versus)] if compared else []),
        ]
        for name, about in summary.items()
    ]
    return grid(headers, cells, width)


def _verdicts(document: Backtest, width: int) -> list[str]:
    cells = []
    for name in document.speaking:
        about = document.summary[name]
        parts = [about.verdicts.ok, about.verdicts.weak]
        numbers = [(_points(part.mean), str(part.n)) for part in parts]
        widths = [_points(about.width), _points(about.naive_width)]
        cells.append([name, *(text for pair in numbers for text in pair), *widths])
    headers = ["Error where", "ok", "Made ok", "weak", "Made weak", "Width", "Naive"]
    return grid(headers, cells, width)


def _means_by(key: str, document: Backtest, width: int) -> list[str]:
    rows = document.rows
    names = list(dict.fromkeys(getattr(row, key) for row in rows))
    methods = document.speaking
    lines: list[str] = []
    # As many methods side by side as fit, at least one.
    longest = max(len(name) for name in names)
    room = max(width - min(longest, width // 3) - 2, 1)
    while methods:
        taken = [methods.pop(0)]
        while methods and sum(max(len(name), 5) + 1 for name in [*taken, methods[0]]) <= room:
            taken.append(methods.pop(0))
        cells = [[name, *(_mean(rows, key, name, method) for method in taken)] for name in names]
        lines += ["", *grid([key.capitalize(), *taken], cells, width)]
    return lines[1:]


def _mean(rows: Sequence[BacktestRow], key: str, name: str, method: str) -> str:
    errors = [
        abs(row.error)
        for row in rows
        if getattr(row, key) == name and row.method == method and row.error is not None
    ]
    return _points(mean(errors))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _points(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}"


def _range(low: float | None, high: float | None) -> str:
    return UNKNOWN if low is None or high is None else f"{low:.1f}-{high:.1f}"


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.0f} %"


def _difference(about: Difference | None) -> str:
    if about is None or about.mean is None:
        return UNKNOWN
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    said = f"{round(about.mean, 1) + 0.0:+.1f}"
    if about.low is None or about.high is None:
        return said
    return f"{said} [{round(about.low, 1) + 0.0:+.1f},{round(about.high, 1) + 0.0:+.1f}]"
