"""The forecasting engine: arrays in, numbers out.  No files, no printing, no harness."""

from __future__ import annotations

from cod_harness.engine.clustering import ImprovedMeanShift
from cod_harness.engine.cod import COD
from cod_harness.engine.forecast import Forecast, Subset
from cod_harness.engine.mapping import MonotoneMap, fit_map
from cod_harness.engine.methods import METHODS, Forecaster
from cod_harness.engine.selection import Cluster, Thresholds

__all__ = [
    "COD",
    "METHODS",
    "Cluster",
    "Forecast",
    "Forecaster",
    "ImprovedMeanShift",
    "MonotoneMap",
    "Subset",
    "Thresholds",
    "fit_map",
]
