"""Forecasting methods by name, all used alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from numpy.typing import ArrayLike

from cod_harness.engine import baselines as rivals
from cod_harness.engine.cod import COD
from cod_harness.engine.forecast import Forecast


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

    def forecast(self, compute: float, level: float = 0.9) -> Forecast:
        """Accuracy at ``compute`` FLOP with an interval at ``level``, or an abstention."""


METHODS: Mapping[str, Callable[[], Forecaster]] = {
    "cod": COD,
    "cod-paper": COD.paper,
    "exp": rivals.exp,
    "powerlaw": rivals.powerlaw,
    "passrate": rivals.passrate,
    "neglog": rivals.neglog,
    "bnsl": rivals.bnsl,
    "logistic": rivals.logistic,
    "irt": rivals.irt,
    "loss": rivals.loss,
    "two-step": rivals.two_step,
    "cod-kmeans": rivals.cod_kmeans,
    "last": rivals.last,
}
