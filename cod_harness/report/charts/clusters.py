"""Charts of a benchmark's clusters, and of where its questions lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cod_harness.evaluation.question_map import OUTLIER, ZERO
from cod_harness.evaluation.records.forecast import ClusterSummary, TaskForecast, TaskSummary
from cod_harness.report.charts.parts import (
    class_colours,
    compute_axis,
    percent,
    percent_axis,
    rows_chart,
    spread,
)
from cod_harness.report.charts.theme import CLASSES

Chart = Any  # an Altair chart of any kind

CLUSTERS_DRAWN = 30  # the largest of each kind
_BB = 1e18  # FLOP; the unit of `a`
_GREY = "'var(--outlier)'"
_HUES = (
    "['#4c78a8','#f58518','#e45756','#3d9c8f','#54a24b','#c9a227','#b279a2','#d67195','#9d755d',"
    "'#6f7bd9']"
)
_PICKED = "picked == null || picked == datum.cluster"


def clusters_chart(
    task: TaskSummary, forecasts: Sequence[TaskForecast], texts: Mapping[str, str]
) -> Chart | None:
    """Mean pass rates of the clusters over the rungs, and their laws beyond."""
    rungs = [rung.compute for rung in task.rungs]
    if not task.clusters or len(rungs) < 2:
        return None
    end = max([*rungs, *(entry.compute for entry in forecasts)])
    points, lines = [], []
    for cluster in drawn_clusters(task):
        about = _about(cluster, texts)
        points += [
            {**about, "compute": flop, "rate": percent(rate)}
            for flop, rate in zip(rungs, cluster.rates, strict=False)
        ]
        lines += [
            {"cluster": cluster.id, "kind": about["kind"], "size": cluster.size,
             "compute": flop, "rate": rate}
            for flop, rate in _law(cluster, rungs, end)
        ]  # fmt: skip
    if not points:
        return None
    x = compute_axis("compute", [row["compute"] for row in [*points, *lines]])
    y = percent_axis("rate", "pass rate of the cluster (%)", 100.0)
    colours = class_colours(["predictable", "non_extrapolatable"])
    hover = alt.selection_point(
        name="hover", fields=["cluster"], on="pointerover", clear="pointerout", empty=False
    )
    curves = (
        rows_chart(lines)
        .mark_line()
        .encode(
            x=x, y=y, detail="cluster:N", color=colours,
            size=alt.Size("size:Q", legend=None, scale=alt.Scale(type="sqrt", range=[1, 4])),
            opacity=_lit(hover, 0.55),
        )
    )  # fmt: skip
    marks = (
        rows_chart(points)
        .mark_point(filled=True, size=34)
        .encode(
            x=x, y=y, color=colours,
            opacity=_lit(hover, 0.85),
            tooltip=[
                alt.Tooltip("cluster:N"), alt.Tooltip("size:Q", title="questions"),
                alt.Tooltip("kind:N", title="class"),
                alt.Tooltip("rate:Q", title="pass rate (%)", format=".1f"),
                *(alt.Tooltip(f"{name}:N") for name in ("law", "note", "examples")),
            ],
        )
        .add_params(hover)
    )  # fmt: skip
    return alt.layer(curves, marks).add_params(alt.param(name="picked", value=None))


def _lit(hover: Any, usual: float) -> Any:
    picked = alt.when(hover, empty=False).then(alt.value(1)).when(_PICKED)
    return picked.then(alt.value(usual)).otherwise(alt.value(0.08))


def questions_chart(task: TaskSummary) -> Chart | None:
    """The difficulty map: how often questions are solved, and how much the larger rungs gain."""
    picture = task.map
    if picture is None or not picture.cells:
        return None
    step = picture.step
    predictable = {cluster.id: cluster.predictable for cluster in task.clusters}
    rows = [
        {
            "rate": round(100 * step * (across + 0.5), 2),
            "gain": round(100 * step * (up + 0.5), 2),
            "cluster": cluster,
            "name": {OUTLIER: "none", ZERO: "none"}.get(cluster, str(cluster)),
            "kind": _kind(cluster, predictable),
            "n": count,
        }
        for across, up, cluster, count in picture.cells
    ]
    by_class = class_colours(list(CLASSES)).to_dict()
    return (
        rows_chart(rows)
        .mark_point(filled=True)
        .encode(
            x=alt.X(
                "rate:Q", title="mean pass rate over the rungs (%)",
                scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5, grid=False),
            ),
            y=alt.Y(
                "gain:Q", title="gain of the upper rungs (points)", scale=alt.Scale(zero=True),
                axis=alt.Axis(tickCount=5),
            ),
            size=alt.Size("n:Q", legend=None, scale=alt.Scale(type="sqrt", range=[12, 340])),
            opacity=alt.when(_PICKED).then(alt.value(0.72)).otherwise(alt.value(0.06)),
            # Of clusters there may be hundreds: neighbours in number need only look different.
            color={
                "condition": {"test": "tint == 'class'", **by_class, "type": "nominal"},
                "value": {"expr": f"datum.cluster < 0 ? {_GREY} : {_HUES}[datum.cluster % 10]"},
            },
            tooltip=[
                alt.Tooltip("n:Q", title="questions"), alt.Tooltip("kind:N", title="class"),
                alt.Tooltip("name:N", title="cluster"),
                alt.Tooltip("rate:Q", title="mean pass rate (%)", format=".0f"),
                alt.Tooltip("gain:Q", title="gain (points)", format="+.0f"),
            ],
        )
        .add_params(alt.param(name="picked", value=None), alt.param(name="tint", value="class"))
    )  # fmt: skip


def drawn_clusters(task: TaskSummary) -> list[ClusterSummary]:
    """The largest clusters of either kind: more lines than that show nothing."""
    by_size = sorted(task.clusters, key=lambda cluster: -cluster.size)
    kept = [one for one in by_size if one.predictable][:CLUSTERS_DRAWN]
    return kept + [one for one in by_size if not one.predictable][:CLUSTERS_DRAWN]


def _about(cluster: ClusterSummary, texts: Mapping[str, str]) -> dict[str, Any]:
    kind = "predictable" if cluster.predictable else "non_extrapolatable"
    parameters = {"g": cluster.g, "a": cluster.a, "b": cluster.b, "c": cluster.c}
    law = ", ".join(
        f"{name} = {value:.3g}" for name, value in parameters.items() if value is not None
    )
    return {
        "cluster": cluster.id,
        "size": cluster.size,
        "kind": CLASSES[kind][0],
        "law": law or "-",
        "note": cluster.reason or "-",
        "examples": " | ".join(texts.get(name, name) for name in cluster.examples) or "-",
    }


def _law(
    cluster: ClusterSummary, rungs: Sequence[float], end: float
) -> list[tuple[float, float | None]]:
    """The cluster's curve; its measured rates where it has no law."""
    if cluster.law is None:
        return [(flop, percent(rate)) for flop, rate in zip(rungs, cluster.rates, strict=False)]
    g, a, b, c = cluster.law
    low, high = math.log(min(rungs)), math.log(end)
    amounts = [math.exp(at) for at in spread(low, high)]
    return [
        (flop, percent(g + (1 - g) * math.exp(-min(a * (flop / _BB) ** -b + c, 700.0))))
        for flop in amounts
    ]


def _kind(cluster: int, predictable: Mapping[int, bool]) -> str:
    if cluster == ZERO:
        return CLASSES["zero"][0]
    if cluster == OUTLIER:
        return CLASSES["outlier"][0]
    return CLASSES["predictable" if predictable.get(cluster) else "non_extrapolatable"][0]
