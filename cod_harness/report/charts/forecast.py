"""The charts of one benchmark, as Altair objects; every number in them stands in the document."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt

from cod_harness.evaluation.records.forecast import (
    MapSummary,
    TaskForecast,
    TaskSummary,
    compute_name,
)
from cod_harness.report.charts.clusters import clusters_chart, questions_chart
from cod_harness.report.charts.course import SD_OF_90, course
from cod_harness.report.charts.parts import (
    class_colours,
    compute_axis,
    names_axis,
    percent,
    percent_axis,
    rows_chart,
    spread,
    tips,
)
from cod_harness.report.charts.theme import CLASSES, colour, config

Chart = Any  # an Altair chart of any kind

_HEIGHT = 270

# For whoever has the charts read out; the numbers stand in the page's tables.
_IN_WORDS = {
    "accuracy": "Accuracy over training compute: rungs, forecast with its interval, what was "
    "measured",
    "clusters": "Pass rates of the clusters over training compute, with their laws",
    "questions": "Questions by how often they are solved and by what larger rungs gain",
    "mapping": "Accuracy on all questions over accuracy on the predictable ones",
    "deciles": "Classes of the questions in each tenth, from the hardest to the easiest",
}


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
        name: chart.properties(
            height=_HEIGHT, width="container", description=_IN_WORDS[name]
        ).configure(**config())
        for name, chart in charts.items()
        if chart is not None
    }


def accuracy_chart(task: TaskSummary, forecasts: Sequence[TaskForecast]) -> Chart | None:
    """Accuracy against compute: rungs with error bars, the course with its band, targets."""
    rungs: list[dict[str, Any]] = [
        {
            "compute": rung.compute,
            "accuracy": percent(rung.accuracy),
            "low": percent(rung.accuracy - SD_OF_90 * (rung.stderr or 0.0)),
            "high": percent(rung.accuracy + SD_OF_90 * (rung.stderr or 0.0)),
            "model": rung.name,
            "role": "rung",
        }
        for rung in task.rungs
        if rung.accuracy is not None
    ]
    if not rungs:
        return None
    first = task.curve.method if task.curve else forecasts[0].method if forecasts else ""
    band = [
        {"compute": one.compute, "mean": percent(one.mean), "low": percent(one.low),
         "high": percent(one.high)}
        for one in course(task)
    ]  # fmt: skip
    goals = [_goal(entry) for entry in forecasts if entry.mean is not None]
    mine = [goal | {"role": "forecast"} for goal in goals if goal["method"] == first]
    others = [goal for goal in goals if goal["method"] != first]
    seen = _measured(forecasts, first)
    marks = [*rungs, *mine, *_views(forecasts, first), *seen]
    tops = [row["high"] for row in [*rungs, *band, *goals]] + [one["accuracy"] for one in marks]
    top = min(100.0, 10.0 * math.ceil(min(max(tops), 100.0) / 10.0 + 0.2))
    x = compute_axis("compute", [row["compute"] for row in [*rungs, *band, *goals, *seen]])
    y = percent_axis("accuracy", "accuracy (%)", top)
    named = {one["target"]: one for one in mine if one["target"] != compute_name(one["compute"])}
    names = names_axis("compute", {row["model"]: row["compute"] for row in rungs}, x)
    below = alt.X("compute:Q", scale=x.to_dict()["scale"], axis=None)
    roles = [role for role in _ROLES if any(one["role"] == role for one in marks)]
    whole = rows_chart(band).encode(x=x)
    # A layer without rows would be an empty group to a screen reader.
    layers = [
        whole.mark_area(color=colour("forecast"), opacity=0.16).encode(
            y=percent_axis("low", "accuracy (%)", top), y2="high"
        ),
        rows_chart(rungs).mark_point(opacity=0).encode(x=names, y=y),
        rows_chart(band)
        .mark_line(color=colour("forecast"), strokeWidth=1.8)
        .encode(x=below, y=percent_axis("mean", "accuracy (%)", top)),
        rows_chart(rungs)
        .mark_rule(color=colour("ink"), opacity=0.5)
        .encode(x=below, y="low:Q", y2="high"),
        rows_chart(marks)
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            x=below,
            y=y,
            color=alt.Color(
                "role:N",
                title=None,
                scale=alt.Scale(domain=roles, range=[colour(_ROLES[role][0]) for role in roles]),
            ),
            shape=alt.Shape(
                "role:N",
                title=None,
                scale=alt.Scale(domain=roles, range=[_ROLES[role][1] for role in roles]),
            ),
            tooltip=tips("role", "model", "compute", "accuracy", "low", "high"),
        ),
    ]
    if others:
        strokes = rows_chart(others).mark_point(
            shape="stroke", size=200, strokeWidth=1.6, color=colour("outlier"), opacity=0.8
        )
        told = tips("method", "target", "accuracy", "low", "high")
        layers.insert(-1, strokes.encode(x=below, y=y, tooltip=told))
    if mine:
        rule = rows_chart(mine).mark_rule(color=colour("forecast"), strokeWidth=2.4)
        layers.insert(-1, rule.encode(x=below, y="low:Q", y2="high"))
    if named:
        label = rows_chart(list(named.values())).mark_text(
            align="right", dx=4, dy=-9, fontSize=11, color=colour("ink"), limit=110
        )
        high = percent_axis("high", "accuracy (%)", top)
        layers.append(label.encode(x=below, y=high, text="target:N"))
    return alt.layer(*layers).resolve_axis(x="independent")


# What is drawn at a model's compute: colour and shape.
_ROLES = {
    "rung": ("ink", "circle"),
    "forecast": ("forecast", "circle"),
    "trend": ("trend", "triangle-down"),
    "clusters": ("clusters", "triangle-up"),
    "measured": ("measured", "diamond"),
    "measured, outside the interval": ("outside", "diamond"),
}


def _views(forecasts: Sequence[TaskForecast], method: str) -> list[dict[str, Any]]:
    """What each view alone makes of the targets that have a name."""
    return [
        {"compute": entry.compute, "accuracy": percent(part.mean), "role": name,
         "model": entry.target}
        for entry in forecasts
        if entry.method == method and entry.named
        for name, part in entry.parts.items()
        if part.mean is not None and name in _ROLES
    ]  # fmt: skip


def _measured(forecasts: Sequence[TaskForecast], method: str) -> list[dict[str, Any]]:
    """What was measured of the targets, told apart by whether the method's interval holds it."""
    found = {}
    for entry in sorted(forecasts, key=lambda one: one.method == method):
        if entry.observed is not None:
            found[entry.target] = {
                "compute": entry.compute,
                "accuracy": percent(entry.observed),
                "model": entry.target,
                "role": "measured, outside the interval"
                if entry.method == method and entry.held is False
                else "measured",
            }
    return list(found.values())


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
        "model": entry.target,
        "method": entry.method,
    }
