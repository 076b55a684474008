"""Forecasting methods by name, all used alike, ours and those of other packages.

A method is an entry point of the group `cod_harness.methods`: its name, and where something stands
that is called without arguments and gives a `Forecaster`.  Nothing is loaded before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from cod_harness.engine.settings import LEVEL
from cod_harness.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cod_harness.engine.forecast import Forecast

GROUP = "cod_harness.methods"
DEFAULT_METHOD = "cod"
PAPER_METHOD = "cod-paper"
CLUSTERING = (DEFAULT_METHOD, PAPER_METHOD)  # methods whose `fit` takes labels

_BASELINES = "cod_harness.engine.baselines"
# As in pyproject.toml, so that a checkout that was never installed has them too.
OURS: Mapping[str, str] = {
    DEFAULT_METHOD: "cod_harness.engine.cod:COD",
    PAPER_METHOD: "cod_harness.engine.cod:COD.paper",
    "exp": f"{_BASELINES}:exp",
    "powerlaw": f"{_BASELINES}:powerlaw",
    "passrate": f"{_BASELINES}:passrate",
    "neglog": f"{_BASELINES}:neglog",
    "bnsl": f"{_BASELINES}:bnsl",
    "logistic": f"{_BASELINES}:logistic",
    "irt": f"{_BASELINES}:irt",
    "loss": f"{_BASELINES}:loss",
    "two-step": f"{_BASELINES}:two_step",
    "cod-kmeans": f"{_BASELINES}:cod_kmeans",
    "last": f"{_BASELINES}:last",
}


class Forecaster(Protocol):
    """One way to forecast a benchmark from a ladder: fit once, forecast at any compute."""

    def fit(
        self,
        rates: ArrayLike,
        compute: ArrayLike,
        n_samples: ArrayLike = 100,
        *,
        anchors: ArrayLike | None = None,
        losses: ArrayLike | None = None,
    ) -> Forecaster:
        """rates (n, m) in [0, 1]; compute (m,) FLOP; n_samples, draws behind each rate, a number
        or (n, m), 0 for analytic rates; anchors (n, k), rates of finished models; losses (m,) of
        the rungs, NaN where unknown.  A method uses what it can.  Raises InputError on bad input.
        """

    def forecast(self, compute: float, level: float = LEVEL) -> Forecast:
        """Accuracy at ``compute`` FLOP with an interval at ``level``, or an abstention."""


METHODS: Registry[Callable[[], Forecaster]] = Registry("method", GROUP, OURS)
