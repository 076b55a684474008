"""The forecasting engine: arrays in, numbers out.  No files, no printing, no harness.

Importing it imports nothing heavy; the names in `__all__` are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cod_harness.engine.clustering import ImprovedMeanShift
    from cod_harness.engine.cod import COD
    from cod_harness.engine.forecast import Forecast, Subset
    from cod_harness.engine.mapping import MonotoneMap, fit_map
    from cod_harness.engine.methods import METHODS, Forecaster
    from cod_harness.engine.selection import Cluster, Thresholds
    from cod_harness.engine.verdicts import Reason

__all__ = [
    "COD",
    "METHODS",
    "Cluster",
    "Forecast",
    "Forecaster",
    "ImprovedMeanShift",
    "MonotoneMap",
    "Reason",
    "Subset",
    "Thresholds",
    "fit_map",
]

_HOMES = {
    "COD": "cod",
    "METHODS": "methods",
    "Cluster": "selection",
    "Forecast": "forecast",
    "Forecaster": "methods",
    "ImprovedMeanShift": "clustering",
    "MonotoneMap": "mapping",
    "Reason": "verdicts",
    "Subset": "forecast",
    "Thresholds": "selection",
    "fit_map": "mapping",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
