"""A benchmark's course over compute: the line, and around it what is known and what is forecast."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from cod_harness.evaluation.records.forecast import TaskSummary

SD_OF_90 = 1.645  # standard errors to either side that hold 90 %


class Point(NamedTuple):
    """A point of the course: FLOP, and accuracies in [0, 1]."""

    compute: float
    mean: float
    low: float
    high: float


def course(task: TaskSummary) -> list[Point]:
    """The curve of a task, by rising compute; [] where none was made.

    Beyond the largest rung the band is the forecast's interval. On the ladder nothing is left to
    forecast: there it reaches from the line to the ends of the rungs' 90 % error bars, and is as
    narrow as the rungs lie on the line.
    """
    made = task.curve.points if task.curve else ()
    line = [
        Point(flop, mean, mean if low is None else low, mean if high is None else high)
        for flop, mean, low, high in made
        if mean is not None
    ]
    bars = _error_bars(task)
    if not line or not bars:
        return line
    amounts = sorted(bars)
    known = []
    for flop in amounts:
        mean = _between([(one.compute, one.mean) for one in line], flop)
        low, high = bars[flop]
        known.append(Point(flop, mean, min(low, mean), max(high, mean)))
    lows = [(one.compute, one.low) for one in known]
    highs = [(one.compute, one.high) for one in known]
    for point in line:
        if amounts[0] < point.compute < amounts[-1] and point.compute not in bars:
            low, high = _between(lows, point.compute), _between(highs, point.compute)
            known.append(point._replace(low=min(low, point.mean), high=max(high, point.mean)))
    return sorted([*known, *(one for one in line if one.compute > amounts[-1])])


def _error_bars(task: TaskSummary) -> dict[float, tuple[float, float]]:
    """Compute -> ends of the error bar, of all rungs with that compute."""
    found: dict[float, tuple[float, float]] = {}
    for rung in task.rungs:
        if rung.accuracy is not None:
            bar = SD_OF_90 * (rung.stderr or 0.0)
            low, high = max(rung.accuracy - bar, 0.0), min(rung.accuracy + bar, 1.0)
            before = found.get(rung.compute, (low, high))
            found[rung.compute] = min(low, before[0]), max(high, before[1])
    return found


def _between(points: Sequence[tuple[float, float]], flop: float) -> float:
    """The value at an amount of compute, on straight lines over log compute, level beyond them."""
    place = bisect_left([compute for compute, _ in points], flop)
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (left, below), (right, above) = points[place - 1], points[place]
    share = math.log(flop / left) / math.log(right / left)
    return below + share * (above - below)
