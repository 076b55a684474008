"""Forecast what a big model will score, from the small ones.

>>> from cod_harness import COD, forecast, read_ladder, read_passrates
>>> ladder = read_ladder("ladder.yaml")
>>> forecast(read_passrates("out", ladder), ladder).to_frame()
>>> model = COD().fit(rates, compute, n_samples=100)     # (questions, models), FLOP
>>> model.forecast(3.8e24).mean

Importing this package imports nothing heavy; the names in `__all__` are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cod_harness.engine import COD
    from cod_harness.errors import InputError
    from cod_harness.evaluation.transfer import SavedClusters
    from cod_harness.ladder.manifest import Ladder
    from cod_harness.ladder.passrates import PassRates
    from cod_harness.ladder.read_ladder import read_ladder
    from cod_harness.ladder.read_passrates import read_passrates
    from cod_harness.python import LadderForecast, forecast

__version__ = "0.2.0"
__all__ = [
    "COD",
    "InputError",
    "Ladder",
    "LadderForecast",
    "PassRates",
    "SavedClusters",
    "forecast",
    "read_ladder",
    "read_passrates",
]

_HOMES = {
    "COD": "cod_harness.engine",
    "InputError": "cod_harness.errors",
    "Ladder": "cod_harness.ladder.manifest",
    "LadderForecast": "cod_harness.python",
    "PassRates": "cod_harness.ladder.passrates",
    "SavedClusters": "cod_harness.evaluation.transfer",
    "forecast": "cod_harness.python",
    "read_ladder": "cod_harness.ladder.read_ladder",
    "read_passrates": "cod_harness.ladder.read_passrates",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
