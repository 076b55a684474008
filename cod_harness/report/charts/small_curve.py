"""The small picture of a benchmark beside its numbers: a few coordinates, no library."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cod_harness.evaluation.records.forecast import TaskForecast, TaskSummary
from cod_harness.report.charts.course import course
from cod_harness.report.text.sentences import percent

WIDTH, HEIGHT = 150, 48
_EDGE = 4  # left free at every side, for marks on the border

Place = tuple[float, float]


@dataclass(frozen=True)
class SmallCurve:
    """Coordinates in a box of `WIDTH` x `HEIGHT`, 0 to 100 % from bottom to top.

    band, line: polygons as SVG writes them, '' without any; rungs: their places; goal: x, low,
    mean and high of the forecast; measured: the measured value's place; told: all of it in words.
    """

    band: str
    line: str
    rungs: tuple[Place, ...]
    goal: tuple[float, float, float, float] | None
    measured: Place | None
    told: str


def small_curve(task: TaskSummary, entry: TaskForecast) -> SmallCurve | None:
    """Rungs, course and forecast of a task; None where no rung was measured."""
    rungs = sorted(
        (rung.compute, rung.accuracy, rung.name) for rung in task.rungs if rung.accuracy is not None
    )
    if not rungs:
        return None
    drawn = [point for point in course(task) if point.compute <= entry.compute]
    ends = [rungs[0][0], rungs[-1][0], entry.compute]
    first, last = math.log(min(ends)), math.log(max(ends))

    def across(flop: float) -> float:
        share = (math.log(flop) - first) / (last - first) if last > first else 0.5
        return round(_EDGE + share * (WIDTH - 2 * _EDGE), 1)

    def up(accuracy: float) -> float:
        return round(HEIGHT - _EDGE - accuracy * (HEIGHT - 2 * _EDGE), 1)

    top = [(across(one.compute), up(one.high)) for one in drawn]
    bottom = [(across(one.compute), up(one.low)) for one in reversed(drawn)]
    goal = None
    if entry.mean is not None:
        low = entry.mean if entry.low is None else entry.low
        high = entry.mean if entry.high is None else entry.high
        goal = across(entry.compute), up(low), up(entry.mean), up(high)
    seen = entry.observed
    said = [f"{percent(accuracy)} on {name}" for _, accuracy, name in (rungs[0], rungs[-1])]
    said += [f"forecast {percent(entry.mean)}"] if entry.mean is not None else ["no forecast"]
    said += [f"measured {percent(seen)}"] if seen is not None else []
    return SmallCurve(
        band=_path(top + bottom),
        line=_path([(across(one.compute), up(one.mean)) for one in drawn]),
        rungs=tuple((across(flop), up(accuracy)) for flop, accuracy, _ in rungs),
        goal=goal,
        measured=None if seen is None else (across(entry.compute), up(seen)),
        told=", ".join(said),
    )


def _path(places: list[Place]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)
