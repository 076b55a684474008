"""The charts of one benchmark, as Altair objects; every number in them stands in the document."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt

from cod_harness.evaluation.records.forecast import MapSummary, TaskForecast, TaskSummary
from cod_harness.report.charts.clusters import clusters_chart, questions_chart
from cod_harness.report.charts.parts import (
    class_colours,
    compute_axis,
    percent,
    percent_axis,
    rows_chart,
    spread,
    tips,
)
from cod_harness.report.charts.theme import CLASSES, colour, config

Chart = Any  # an Altair chart of any kind

_HEIGHT = 270
_SD_OF_90 = 1.645  # standard errors to either side that hold 90 %


def task_charts(
    task: TaskSummary, forecasts: Sequence[TaskForecast], texts: Mapping[str, str] | None = None
) -> dict[str, Chart]:
    """The charts of a benchmark that have something to show, by name.

    Args:
        task: its entry under `tasks`.
        forecasts: its forecasts, of all targets and methods.
        texts: question texts by name, shown with a cluster; None shows names.
    """
    drawn: dict[str, Callable[[], Chart | None]] = {
        "accuracy": lambda: accuracy_chart(task, forecasts),
        "clusters": lambda: clusters_chart(task, forecasts, texts or {}),
        "questions": lambda: questions_chart(task),
        "mapping": lambda: mapping_chart(task, forecasts),
        "deciles": lambda: deciles_chart(task),
    }
    charts = {name: draw() for name, draw in drawn.items()}
    return {
        name: chart.properties(height=_HEIGHT, width="container").configure(**config())
        for name, chart in charts.items()
        if chart is not None
    }


def accuracy_chart(task: TaskSummary, forecasts: Sequence[TaskForecast]) -> Chart | None:
    """Accuracy against compute: rungs with error bars, forecast with its band, targets."""
    rungs: list[dict[str, Any]] = [
        {
            "compute": rung.compute,
            "accuracy": percent(rung.accuracy),
            "low": percent(rung.accuracy - _SD_OF_90 * (rung.stderr or 0.0)),
            "high": percent(rung.accuracy + _SD_OF_90 * (rung.stderr or 0.0)),
            "model": rung.name,
        }
        for rung in task.rungs
        if rung.accuracy is not None
    ]
    if not rungs:
        return None
    course = task.curve or None
    first = course.method if course else forecasts[0].method if forecasts else ""
    band = [
        {
            "compute": flop,
            "mean": percent(mean),
            "low": percent(low),
            "high": percent(high),
        }
        for flop, mean, low, high in (course.points if course else ())
        if mean is not None
    ]
    goals = [_goal(entry) for entry in forecasts if entry.mean is not None]
    measured: list[dict[str, Any]] = list(
        {
            entry.target: {
                "compute": entry.compute,
                "accuracy": percent(entry.observed),
                "model": entry.target,
            }
            for entry in forecasts
            if entry.observed is not None
        }.values()
    )
    tops = [row["high"] for row in [*rungs, *band, *goals]] + [one["accuracy"] for one in measured]
    top = min(100.0, 10.0 * math.ceil(max(tops) / 10.0 + 0.2))
    x = compute_axis("compute", [row["compute"] for row in [*rungs, *band, *goals, *measured]])
    y = percent_axis("accuracy", "accuracy (%)", top)
    mine = [goal for goal in goals if goal["method"] == first]
    others = [goal for goal in goals if goal["method"] != first]
    whole = rows_chart(band).encode(x=x)
    layers = [
        whole.mark_area(color=colour("forecast"), opacity=0.16).encode(
            y=percent_axis("low", "accuracy (%)", top), y2="high"
        ),
        whole.mark_line(color=colour("forecast"), strokeWidth=1.8).encode(
            y=percent_axis("mean", "accuracy (%)", top)
        ),
        rows_chart(rungs)
        .mark_rule(color=colour("ink"), opacity=0.5)
        .encode(x=x, y="low:Q", y2="high"),
        rows_chart(rungs)
        .mark_point(filled=True, size=46, color=colour("ink"), opacity=1)
        .encode(x=x, y=y, tooltip=tips("model", "compute", "accuracy", "low", "high")),
        rows_chart(others)
        .mark_point(shape="stroke", size=260, strokeWidth=2, color=colour("outlier"), opacity=1)
        .encode(x=x, y=y, tooltip=tips("method", "target", "accuracy", "low", "high")),
        rows_chart(mine)
        .mark_rule(color=colour("forecast"), strokeWidth=2.4)
        .encode(x=x, y="low:Q", y2="high"),
        rows_chart(mine)
        .mark_point(filled=True, size=90, color=colour("forecast"), opacity=1)
        .encode(x=x, y=y, tooltip=tips("method", "target", "compute", "accuracy", "low", "high")),
        rows_chart(measured)
        .mark_point(filled=True, shape="diamond", size=110, color=colour("measured"), opacity=1)
        .encode(x=x, y=y, tooltip=tips("model", "compute", "accuracy")),
    ]
    return alt.layer(*layers)


def mapping_chart(task: TaskSummary, forecasts: Sequence[TaskForecast]) -> Chart | None:
    """From the predictable subset to the whole benchmark, with rungs, anchors and targets."""
    mapping = task.mapping
    if not mapping:
        return None
    rungs = {rung.name for rung in task.rungs}
    points = [
        {"subset": percent(subset), "full": percent(full), "model": name,
         "role": "rung" if name in rungs else "anchor"}
        for subset, full, name in mapping.points
    ]  # fmt: skip
    method = task.curve.method if task.curve else None
    goals = [
        {"subset": percent(entry.subset.mean), "full": percent(entry.mean),
         "model": entry.target, "role": "forecast"}
        for entry in forecasts
        if entry.mean is not None and entry.subset.mean is not None
        and entry.method == method
    ]  # fmt: skip
    x = percent_axis("subset", "accuracy on the predictable questions (%)", 100.0, alt.X)
    y = percent_axis("full", "accuracy on all questions (%)", 100.0)
    roles = alt.Color(
        "role:N",
        title=None,
        scale=alt.Scale(
            domain=["rung", "anchor", "forecast"],
            range=[colour("ink"), colour("anchor"), colour("forecast")],
        ),
    )
    line = [{"subset": 100 * at, "full": percent(_mapped(mapping, at))} for at in spread(0, 1)]
    even = [{"subset": 0, "full": 0}, {"subset": 100, "full": 100}]
    return alt.layer(
        rows_chart(even)
        .mark_line(color=colour("faint"), strokeDash=[4, 4], opacity=0.6)
        .encode(x=x, y=y),
        rows_chart(line).mark_line(color=colour("forecast"), strokeWidth=1.8).encode(x=x, y=y),
        rows_chart([*points, *goals])
        .mark_point(filled=True, size=60, opacity=1)
        .encode(x=x, y=y, color=roles, tooltip=tips("role", "model", "subset", "full")),
    )


def deciles_chart(task: TaskSummary) -> Chart | None:
    """Which class questions fall into, from the hardest tenth to the easiest."""
    if not task.quality:
        return None
    rows = [
        {"tenth": place, "kind": CLASSES[name][0], "share": percent(share), "order": order,
         "difficulty": round(decile.difficulty or 0.0, 3), "n": decile.questions}
        for place, decile in enumerate(task.quality, start=1)
        if decile.questions
        for order, name in enumerate(CLASSES)
        for share in [getattr(decile.classes, name)]
    ]  # fmt: skip
    return (
        rows_chart(rows)
        .mark_bar(stroke=colour("card"), strokeWidth=1)
        .encode(
            x=alt.X("tenth:O", title="tenths of the questions, hardest first",
                    axis=alt.Axis(labelAngle=0)),
            y=percent_axis("share", "questions (%)", 100.0),
            color=class_colours(list(CLASSES)),
            order="order:Q",
            tooltip=[
                alt.Tooltip("tenth:O"), alt.Tooltip("kind:N", title="class"),
                alt.Tooltip("share:Q", title="share (%)", format=".0f"),
                alt.Tooltip("difficulty:Q", title="difficulty"),
                alt.Tooltip("n:Q", title="questions"),
            ],
        )
    )  # fmt: skip


def _mapped(mapping: MapSummary, at: float) -> float:
    knots, coefficients = mapping.knots, mapping.coefficients
    piece = max(place for place, knot in enumerate(knots[:-1]) if knot <= at)
    offset = at - knots[piece]
    value = sum(factor * offset**power for power, factor in enumerate(coefficients[piece]))
    return float(min(max(value, 0.0), 1.0))


def _goal(entry: TaskForecast) -> dict[str, Any]:
    return {
        "compute": entry.compute,
        "accuracy": percent(entry.mean),
        "low": percent(entry.low),
        "high": percent(entry.high),
        "target": entry.target,
        "method": entry.method,
    }
