"""Forecasters that fit one law to the whole benchmark, each on a scale of its own."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines import band
from cod_harness.engine.baselines.scales import NoScoreError, Scale, accuracy_variance
from cod_harness.engine.fitting import Fits, fit
from cod_harness.engine.forecast import (
    Forecast,
    Subset,
    Verdict,
    abstention,
    order_reasons,
    range_reasons,
    width_reasons,
)
from cod_harness.engine.laws import Law
from cod_harness.engine.measurements import Measurements, measurements
from cod_harness.errors import InputError

_WHOLE = Subset(float("nan"), 1.0)  # no question is left out, so there is no subset to speak of

Self = TypeVar("Self", bound="TrendForecaster")


class TrendForecaster:
    """A law over log compute, fitted to the rungs' scores, read at the target.

    law: of the scores; scale: what the scores are; charge (p,) as in `fitting.fit`, None for
    none; n_replicates: refits behind an interval, 0 for none; random_state: their seed.

    Attributes: theta_ (groups, p), the law's parameters about the middle of the ladder, one group
    being the whole benchmark for most scales; rung_accuracy_ and rung_error_ (m,), measured, in
    the order given.
    """

    theta_: Floats
    rung_accuracy_: Floats
    rung_error_: Floats

    def __init__(
        self,
        law: Law,
        scale: Scale,
        *,
        charge: Floats | None = None,
        n_replicates: int = band.REPLICATES,
        random_state: int = 0,
    ) -> None:
        self.law = law
        self.scale = scale
        self.charge = np.zeros(len(law.parameters)) if charge is None else charge
        self.n_replicates = n_replicates
        self.random_state = random_state

    def fit(
        self: Self,
        rates: ArrayLike,
        compute: ArrayLike,
        n_samples: ArrayLike = 100,
        *,
        anchors: ArrayLike | None = None,
        losses: ArrayLike | None = None,
    ) -> Self:
        """As `methods.Forecaster.fit`; anchors are not used."""
        ladder = measurements(rates, compute, n_samples, anchors)
        self._ladder = ladder
        self._accuracy = ladder.rates.mean(axis=0)
        self._error = np.sqrt(accuracy_variance(ladder))
        self.rung_accuracy_ = ladder.as_given(self._accuracy)
        self.rung_error_ = ladder.as_given(self._error)
        log_compute = np.log(ladder.compute)
        self._log_reference = 0.5 * float(log_compute[0] + log_compute[-1])
        self._trend: band.Trend | None = None
        self._missing = self._unfit(ladder)
        if not self._missing:
            try:
                scores = self.scale.scores(ladder, rung_losses(losses, ladder))
            except NoScoreError as reason:
                self._missing = str(reason)
            else:
                x = log_compute - self._log_reference
                self._fits = fit(self.law, x, scores.values, scores.sigma, charge=self.charge)
                self.theta_ = self._fits.theta
                self._trend = band.Trend(
                    self.law,
                    x,
                    self._accuracy,
                    scores,
                    self.theta_,
                    self.charge,
                    self.scale.accuracy,
                )
        return self

    def forecast(self, compute: float, level: float = 0.9) -> Forecast:
        """As `methods.Forecaster.forecast`."""
        check_question(compute, level)
        smallest = float(self._ladder.compute[0])
        missing = self._missing
        if compute < smallest:
            missing = (
                f"the target ({compute:.3g} FLOP) is below the smallest rung ({smallest:.3g} FLOP)"
            )
        if missing or self._trend is None:
            return abstention(missing, Subset(float("nan"), 0.0), compute, level)
        x = float(np.log(compute)) - self._log_reference
        mean = self._trend.at(x)
        low, high = band.interval(self._trend, x, level, self.n_replicates, self.random_state)
        reasons = self._doubts(compute, high - low)
        verdict: Verdict = "weak" if reasons else "ok"
        return Forecast(mean, low, high, level, verdict, reasons, _WHOLE, compute)

    def _unfit(self, ladder: Measurements) -> str:
        """Why nothing can be fitted to the ladder, "" if something can."""
        if not ladder.rates.any():
            return "no model of the ladder ever answered a question: nothing shows when it will"
        return ""

    def _doubts(self, compute: float, width: float) -> list[str]:
        """Why a forecast is weak, in words; [] if nothing speaks against it."""
        reasons = range_reasons(compute, self._ladder.compute)
        reasons += order_reasons(self._accuracy, self._error)
        amounts, parameters = len(np.unique(self._ladder.compute)), len(self.law.parameters)
        if amounts <= parameters:
            reasons.append(
                f"{amounts} different amounts of compute for a law of {parameters} parameters: it "
                "passes through the rungs whatever they are"
            )
        reasons += bound_reasons(self.law, self._fits)
        return reasons + width_reasons(width)


def rung_losses(losses: ArrayLike | None, ladder: Measurements) -> Floats:
    """Losses (m,) in the order of the measurements, NaN where unknown; raises InputError."""
    m = len(ladder.compute)
    if losses is None:
        return np.full(m, np.nan)
    given = np.asarray(losses, dtype=np.float64)
    if given.shape != (m,):
        raise InputError(
            f"losses have shape {given.shape} for {m} models: give one a model, NaN where unknown"
        )
    return given[ladder.rung_order]


def check_question(compute: float, level: float) -> None:
    """Refuse a compute that is not positive or a level outside (0, 1) with an InputError."""
    if not (np.isfinite(compute) and compute > 0):
        raise InputError(f"compute of the target is {compute:g}: give training FLOP, above 0")
    if not 0.0 < level < 1.0:
        raise InputError(f"level is {level:g}: give a probability between 0 and 1")


def bound_reasons(law: Law, fits: Fits) -> list[str]:
    """Doubts from a fit that could not rise, or could not be told from a jump."""
    if "b" not in law.parameters:
        return []
    place = law.parameters.index("b")
    if fits.at_lower[:, place].all():
        return ["the ladder does not rise: the law sits on the bound of no trend"]
    if fits.at_upper[:, place].all():
        return ["the law sits on the bound of its steepness: the rungs do not show how fast it is"]
    return []
