"""Charts of a backtest: how far methods were off, where, and whether their intervals held."""

from __future__ import annotations

from typing import Any

import altair as alt

from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.evaluation.records.base import held
from cod_harness.report.charts.parts import percent, percent_axis, rows_chart
from cod_harness.report.charts.theme import colour, config

Chart = Any  # an Altair chart of any kind

_ROW = 30  # height of a method's row

# For whoever has the charts read out; the numbers stand in the page's tables.
_IN_WORDS = {
    "means": "Mean error of each method, with how far chance alone moves it",
    "errors": "Every error of every method, coloured by verdict",
    "held": "Forecasts with their intervals over what was measured",
    "tasks": "Mean error of each method on each benchmark",
}


def backtest_charts(document: Backtest) -> dict[str, Chart]:
    """The charts that have something to show, by name."""
    charts = {
        "means": means_chart(document),
        "errors": errors_chart(document),
        "held": held_chart(document),
        "tasks": tasks_chart(document),
    }
    return {
        name: chart.properties(width="container", description=_IN_WORDS[name]).configure(**config())
        for name, chart in charts.items()
        if chart is not None
    }


def means_chart(document: Backtest) -> Chart | None:
    """Mean absolute error of each method, with how far chance alone moves it."""
    rows = [
        {"method": name, "mean": _round(about.mean), "low": _round(about.mean_low),
         "high": _round(about.mean_high), "n": about.n, "max": _round(about.max)}
        for name, about in document.summary.items()
        if about.mean is not None
    ]  # fmt: skip
    if not rows:
        return None
    base = rows_chart(rows).encode(y=_methods(document))
    x = alt.X("mean:Q", title="mean absolute error (points)", scale=alt.Scale(zero=True))
    return alt.layer(
        base.mark_rule(color=colour("forecast"), strokeWidth=5, opacity=0.3).encode(
            x=alt.X("low:Q", title="mean absolute error (points)"), x2="high"
        ),
        base.mark_point(filled=True, size=90, color=colour("forecast"), opacity=1).encode(
            x=x,
            tooltip=[alt.Tooltip("method:N"), *(
                alt.Tooltip(f"{key}:Q", format=".1f") for key in ("mean", "low", "high", "max")
            ), alt.Tooltip("n:Q", title="forecasts")],
        ),
    ).properties(height=_ROW * len(document.speaking))  # fmt: skip


def errors_chart(document: Backtest) -> Chart | None:
    """Every single error, by method and verdict."""
    rows = [
        {"method": row.method, "error": _round(row.error), "task": row.task,
         "model": row.target, "verdict": row.verdict}
        for row in document.rows
        if row.error is not None
    ]  # fmt: skip
    if not rows:
        return None
    return (
        rows_chart(rows)
        .mark_tick(thickness=2.5, size=18, opacity=0.75)
        .encode(
            x=alt.X("error:Q", title="error, forecast minus measured (points)"),
            y=_methods(document),
            color=_verdicts(),
            tooltip=[
                *(alt.Tooltip(f"{key}:N") for key in ("method", "task", "model", "verdict")),
                alt.Tooltip("error:Q", title="error (points)", format="+.1f"),
            ],
        )
        .properties(height=_ROW * len(document.speaking))
    )


def held_chart(document: Backtest) -> Chart | None:
    """The first method's forecasts against what was measured, with their intervals."""
    first = document.methods[0]
    rows = [
        {"task": row.task, "model": row.target, "verdict": row.verdict,
         "held": "outside" if held(row.low, row.observed, row.high) is False else row.verdict,
         "measured": percent(row.observed), "forecast": percent(row.forecast),
         "low": percent(row.low), "high": percent(row.high)}
        for row in document.rows
        if row.method == first and row.forecast is not None
    ]  # fmt: skip
    if not rows:
        return None
    x = percent_axis("measured", "measured (%)", 100.0, alt.X)
    y = percent_axis("forecast", f"forecast by {first} (%)", 100.0)
    even = [{"measured": 0, "forecast": 0}, {"measured": 100, "forecast": 100}]
    return alt.layer(
        rows_chart(even).mark_line(color=colour("faint"), strokeDash=[4, 4]).encode(x=x, y=y),
        rows_chart(rows)
        .mark_rule(opacity=0.35, strokeWidth=2)
        .encode(x=x, y="low:Q", y2="high", color=_verdicts("held")),
        rows_chart(rows)
        .mark_point(filled=True, size=60, opacity=0.9)
        .encode(
            x=x,
            y=y,
            color=_verdicts("held"),
            tooltip=[
                *(alt.Tooltip(f"{key}:N") for key in ("task", "model", "verdict")),
                *(alt.Tooltip(f"{key}:Q") for key in ("measured", "forecast", "low", "high")),
            ],
        ),
    ).properties(height=330)


def tasks_chart(document: Backtest) -> Chart | None:
    """Mean absolute error per task and method."""
    sums: dict[tuple[str, str], list[float]] = {}
    for row in document.rows:
        if row.error is not None:
            sums.setdefault((row.task, row.method), []).append(abs(row.error))
    if not sums:
        return None
    rows = [
        {"task": task, "method": method, "error": round(sum(all_) / len(all_), 2), "n": len(all_)}
        for (task, method), all_ in sums.items()
    ]
    tasks = len({row["task"] for row in rows})
    base = rows_chart(rows).encode(
        x=alt.X("method:N", title=None, sort=document.speaking,
                axis=alt.Axis(orient="top", labelAngle=0, labelOverlap=True)),
        y=alt.Y("task:N", title=None, axis=alt.Axis(labelLimit=160)),
        tooltip=[alt.Tooltip("task:N"), alt.Tooltip("method:N"),
                 alt.Tooltip("n:Q", title="forecasts"),
                 alt.Tooltip("error:Q", title="mean error (points)", format=".1f")],
    )  # fmt: skip
    # A darker cell is a larger error; the number in it is what counts.
    depth = alt.Scale(domain=[0, 25], range=[0.05, 0.6], clamp=True)
    shade = alt.Opacity("error:Q", legend=None, scale=depth)
    return alt.layer(
        base.mark_rect(color=colour("measured"), cornerRadius=3).encode(opacity=shade),
        base.mark_text(fontSize=11, color=colour("ink")).encode(
            text=alt.Text("error:Q", format=".1f")
        ),
    ).properties(height=max(26 * tasks, 60))


def _methods(document: Backtest) -> Any:
    methods = document.speaking
    return alt.Y(
        "method:N",
        title=None,
        sort=methods,
        scale=alt.Scale(domain=methods),
        axis=alt.Axis(grid=False, ticks=False, domain=False, labelFontSize=12),
    )


def _verdicts(field: str = "verdict") -> Any:
    """Colours of verdicts; of "held" too, which is "outside" where an interval missed."""
    names = {"ok": "ok", "weak": "refused", **({"outside": "outside"} if field == "held" else {})}
    return alt.Color(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=list(names), range=[colour(name) for name in names.values()]),
    )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
