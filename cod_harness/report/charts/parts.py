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
    room = (high / low) ** 0.04
    return alt.X(
        f"{name}:Q",
        title=_FLOP,
        scale=alt.Scale(type="log", domain=[low / room, high * room], nice=False),
        axis=alt.Axis(
            labelExpr="'1e' + format(round(log(datum.value) / LN10), 'd')",
            values=_powers(low, high),
            grid=False,
            labelOverlap=True,
        ),
    )


def _powers(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    every = max((last - first) // 6, 1)
    return [10.0**power for power in range(first, last + 1, every)]


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
