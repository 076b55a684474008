"""Forecasts beside what was then measured, and beside what other methods made of the same runs."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.report.text.forecast_table import interval_text, percent
from cod_harness.report.text.grid import UNKNOWN, grid, terminal_width

_LEFT = ("Verdict",)


@dataclass(frozen=True)
class _Method:
    """A method's forecasts of one target that was measured. errors: signed, points, by task."""

    name: str
    errors: Mapping[str, float]

    @property
    def mean(self) -> float:
        return statistics.fmean(map(abs, self.errors.values()))

    @property
    def largest(self) -> tuple[float, str]:
        return max((abs(error), task) for task, error in self.errors.items())


def baselines_table(
    forecasts: Iterable[TaskForecast],
    method: str,
    left_out: Sequence[str] = (),
    width: int | None = None,
) -> str:
    """What a target was forecast to score, what it scored, and by how much the best baseline erred.

    One line per task: forecast, interval, measured accuracy in percent, error in points, verdict,
    and the error of the one baseline whose mean error is smallest; below them the mean sizes of the
    errors, and in words how the baselines did.

    Args:
        forecasts: of one target, by one method and its baselines.
        method: the one to look at.
        left_out: methods that are no baselines.
        width: columns to fit; that of the terminal if None, and 80 where there is none.

    Returns:
        Lines without a newline at the end.
    """
    width = terminal_width() if width is None else width
    entries: dict[str, list[TaskForecast]] = {}
    for entry in forecasts:
        entries.setdefault(entry.method, []).append(entry)
    mine = entries.pop(method)
    errors = _Method(method, _errors(mine))
    baselines = [
        _Method(name, found)
        for name, theirs in entries.items()
        if name not in left_out and (found := _errors(theirs))
    ]
    # A baseline that forecasts little errs little: only those that dared as much are compared.
    baselines = [one for one in baselines if len(one.errors) >= len(errors.errors)] or baselines
    best = min(baselines, key=lambda one: one.mean, default=_Method("baseline", {}))
    headers = (
        "Benchmark",
        "Forecast",
        "Interval",
        "Measured",
        "Error",
        "Verdict",
        f"{best.name} errs",
    )
    rows = [_cells(one, errors, best) for one in mine]
    if errors.errors:
        ending = ["mean error size", "", "", "", f"{errors.mean:.1f}", ""]
        rows.append([*ending, f"{best.mean:.1f}" if best.errors else UNKNOWN])
    lines = grid(headers, rows, width, _LEFT)
    return "\n".join([*lines, "", *textwrap.wrap(_sentence(mine, errors, baselines), width)])


def _errors(entries: Sequence[TaskForecast]) -> dict[str, float]:
    return {one.task: one.error for one in entries if one.error is not None}


def _cells(entry: TaskForecast, mine: _Method, best: _Method) -> list[str]:
    return [
        entry.task,
        percent(entry.mean),
        interval_text(entry),
        percent(entry.observed),
        _points(mine.errors.get(entry.task)),
        entry.verdict,
        _points(best.errors.get(entry.task)),
    ]


def _points(error: float | None) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return UNKNOWN if error is None else f"{round(error, 1) + 0.0:+.1f}"


def _sentence(entries: Sequence[TaskForecast], mine: _Method, baselines: Sequence[_Method]) -> str:
    """The outcome in one sentence, whatever it is."""
    if not mine.errors:
        return f"{mine.name} forecast nothing that was measured."
    size, worst = mine.largest
    inside = sum(one.held is True for one in entries if one.task in mine.errors)
    said = (
        f"From the smaller models alone {mine.name} forecast {len(mine.errors)} of {len(entries)} "
        f"benchmarks with a mean error of {mine.mean:.1f} points, at most {size:.1f} ({worst}); "
        f"{inside} of {len(mine.errors)} intervals hold what was measured"
    )
    if not baselines:
        return f"{said}."
    means = sorted((one.mean, one.name) for one in baselines)
    better = sum(mean > mine.mean for mean, _ in means)
    return (
        f"{said}; {better} of {len(means)} other methods err more on the same runs, the best of "
        f"them in hindsight ({means[0][1]}) by {means[0][0]:.1f} points, the median one by "
        f"{statistics.median(mean for mean, _ in means):.1f}, the worst ({means[-1][1]}) by "
        f"{means[-1][0]:.1f}."
    )
