"""What the charts are put together from: rows, axes, colours and tooltips."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cod_harness.report.charts.theme import CLASSES, colour

STEPS = 25  # points on a curve
_FLOP = "training compute (FLOP)"
_TITLES = {"compute": "FLOP", "accuracy": "accuracy (%)", "low": "low (%)", "high": "high (%)",
           "subset": "predictable (%)", "full": "all (%)"}  # fmt: skip


def percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def spread(low: float, high: float) -> list[float]:
    return [low + (high - low) * place / (STEPS - 1) for place in range(STEPS)]


def rows_chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A chart of some rows, without a mark yet."""
    # As text: Altair copies a chart's rows at every step, and each chart takes a dozen.
    text = json.dumps([_short(row) for row in rows], separators=(",", ":"), ensure_ascii=False)
    return alt.Chart(alt.InlineData(values=text, format=alt.JsonDataFormat(type="json")))


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with compute to five digits: a chart needs no more, a page is read over a wire."""
    compute = row.get("compute")
    return dict(row) if compute is None else {**row, "compute": float(f"{compute:.4e}")}


def compute_axis(name: str, values: Sequence[float]) -> Any:
    low, high = min(values), max(values)
    room = max(high / low, 1.01) ** 0.04
    return alt.X(
        f"{name}:Q",
        title=_FLOP,
        scale=alt.Scale(type="log", domain=[low / room, high * room], nice=False),
        axis=alt.Axis(
            labelExpr="replace(format(datum.value, '~e'), 'e+', 'e')",
            values=ticks(low, high),
            grid=False,
            labelOverlap=True,
        ),
    )


def names_axis(name: str, models: Mapping[str, float], axis: Any) -> Any:
    """The axis `axis` once more, above the chart, with the models' names at their compute."""
    amounts = [float(f"{flop:.4e}") for flop in models.values()]
    said = f"{json.dumps(list(models))}[indexof({json.dumps(amounts)}, datum.value)]"
    return alt.X(
        f"{name}:Q",
        title=None,
        scale=axis.to_dict()["scale"],
        axis=alt.Axis(
            orient="top",
            values=amounts,
            labelExpr=said,
            labelOverlap="greedy",
            labelLimit=110,
            labelSeparation=6,
            grid=True,
            gridDash=[2, 4],
            ticks=False,
            domain=False,
        ),
    )


def ticks(low: float, high: float) -> list[float]:
    """Round amounts of compute from low to high, two or more, whatever the span."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    if last - first >= 2:
        return [10.0**power for power in range(first, last + 1, max((last - first) // 6, 1))]
    for steps in ((1, 2, 5), range(1, 10), [step / 10 for step in range(10, 100)]):
        found = [
            float(f"{step}e{power}")
            for power in range(first - 1, last + 1)
            for step in steps
            if low <= float(f"{step}e{power}") <= high
        ]
        if len(found) > 2:
            return found[:: max(len(found) // 8, 1)]
    return [float(f"{low:.2e}"), float(f"{high:.2e}")]


def percent_axis(name: str, title: str, top: float, channel: Any = None) -> Any:
    return (channel or alt.Y)(
        f"{name}:Q",
        title=title,
        scale=alt.Scale(domain=[0, top]),
        axis=alt.Axis(tickCount=5),
    )


def class_colours(names: Sequence[str]) -> Any:
    pairs = [CLASSES[name] for name in names]
    return alt.Color(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=[pair[0] for pair in pairs], range=[colour(p[1]) for p in pairs]),
        legend=alt.Legend(columns=2),
    )


def tips(*names: str) -> list[Any]:
    tips = []
    for name in names:
        if name == "compute":
            tips.append(alt.Tooltip("compute:Q", title="FLOP", format=".3~e"))
        elif name in _TITLES:
            tips.append(alt.Tooltip(f"{name}:Q", title=_TITLES[name], format=".1f"))
        else:
            tips.append(alt.Tooltip(f"{name}:N", title=name))
    return tips
