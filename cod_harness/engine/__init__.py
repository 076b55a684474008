"""The forecasting engine: arrays in, numbers out.  No files, no printing, no harness."""

from __future__ import annotations

from .clustering import ImprovedMeanShift
from .cod import COD
from .forecast import Forecast, Subset
from .mapping import MonotoneMap, fit_map
from .methods import METHODS, Forecaster
from .selection import Cluster, Thresholds

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
