"""Charts that stand alone: in a notebook, or as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import altair as alt

from cod_harness.report.charts.theme import COLOURS, concrete

WIDTH = 640
_KINDS: dict[str, Any] = {"vconcat": alt.VConcatChart, "layer": alt.LayerChart}


def standalone(charts: Mapping[str, Any]) -> Any:
    """Charts of the page one below the other, each under its name, as one Altair chart."""
    parts = [specification(chart) for chart in charts.values()]
    shared: dict[str, Any] = {"config": parts[0]["config"], "datasets": {}}
    for name, part in zip(charts, parts, strict=True):
        shared["datasets"].update(part.pop("datasets", {}))
        del part["config"]
        part["title"] = name
        for key in ("$schema", "background", "padding"):
            shared[key] = part.pop(key)
    whole = {**(parts[0] if len(parts) == 1 else {"vconcat": parts}), **shared}
    kind: Any = next((made for key, made in _KINDS.items() if key in whole), alt.Chart)
    return kind.from_dict(whole, validate=False)


def specification(chart: Any) -> dict[str, Any]:
    """The Vega-Lite of a chart of the page, on white and of a fixed width."""
    spec = chart.to_dict(validate=False)
    spec |= {"width": WIDTH, "background": COLOURS["card"][0], "padding": 12}
    plain: dict[str, Any] = json.loads(concrete(json.dumps(spec)))
    return plain
