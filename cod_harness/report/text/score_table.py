"""Scores of registered forecasts as text for a terminal."""

from __future__ import annotations

from cod_harness.evaluation.records.score import Calibration, ScoreRow, Scores
from cod_harness.report.text.forecast_table import percent
from cod_harness.report.text.grid import UNKNOWN, grid, terminal_width

_ROWS = ("Task", "Target", "Entry", "Method", "Forecast", "Interval", "Measured", "Error", "Inside")
_LEFT = ("Target", "Method")
_METHODS = (
    "Method", "Scored", "Mean", "Max", "Bias", "Inside", "Promised", "Abstained", "Late",
)  # fmt: skip


def score_table(scores: Scores, width: int | None = None) -> str:
    """The scores of now, and below them the calibration of every method over all so far.

    Args:
        scores: the record.
        width: columns to fit; that of the terminal if None, and 80 where there is none.

    Returns:
        Lines without a newline at the end.
    """
    width = terminal_width() if width is None else width
    about = scores.calibration
    lines = [
        "Registered forecasts against measured values, in percent",
        "",
        *grid(_ROWS, [_row_cells(row) for row in scores.rows], width, _LEFT),
        "",
        "Calibration over all entries so far, errors in points",
        "",
        *grid(_METHODS, [_cells(name, one) for name, one in about.items()], width),
    ]
    others = [f"{row.task}: {row.differs}" for row in scores.rows if row.differs]
    if others:
        lines += ["", "* another quantity than the forecast's; left out of the calibration"]
        lines += dict.fromkeys(others)
    if any(one.late for one in about.values()):
        lines += ["", "Late: registered after the evaluation began; such a forecast shows nothing."]
    return "\n".join(lines)


def _row_cells(row: ScoreRow) -> list[str]:
    return [
        row.task,
        row.target,
        str(row.entry),
        row.method,
        percent(row.forecast),
        UNKNOWN if row.low is None else f"{percent(row.low)} - {percent(row.high)}",
        percent(row.observed) + "*" * bool(row.differs),
        _signed(row.error),
        {None: UNKNOWN, True: "yes", False: "no"}[row.inside],
    ]


def _cells(method: str, one: Calibration) -> list[str]:
    return [
        method,
        str(one.n),
        _points(one.mean),
        _points(one.max),
        _signed(one.bias),
        _share(one.inside),
        _share(one.level),
        str(one.abstained),
        str(one.late),
    ]


def _points(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}"


def _signed(value: float | None) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return UNKNOWN if value is None else f"{round(value, 1) + 0.0:+.1f}"


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.0f} %"
