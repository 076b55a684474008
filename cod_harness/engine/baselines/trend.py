"""Forecasters that fit one law to the whole benchmark, each on a scale of its own."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines import band
from cod_harness.engine.baselines.scales import NoScoreError, Scale
from cod_harness.engine.fitting import Fits, fit
from cod_harness.engine.forecast import NAN, Forecast, Subset, abstention
from cod_harness.engine.intervals import accuracy_variance
from cod_harness.engine.laws import Law
from cod_harness.engine.measurements import check_question, measurements, rung_losses
from cod_harness.engine.verdicts import (
    Reason,
    because,
    below_ladder,
    level_doubts,
    miss_doubts,
    order_doubts,
    range_doubts,
    verdict,
    weighed,
    width_doubts,
)

_WHOLE = Subset(NAN, 1.0)  # no question is left out, so there is no subset to speak of

Self = TypeVar("Self", bound="TrendForecaster")


class TrendForecaster:
    """A law over log compute, fitted to the rungs' scores, read at the target.

    law: of the scores; scale: what the scores are; penalty (p,) as in `fitting.fit`, None for
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
        penalty: Floats | None = None,
        n_replicates: int = settings.BASELINE_REPLICATES,
        random_state: int = 0,
    ) -> None:
        self.law = law
        self.scale = scale
        self.penalty = np.zeros(len(law.parameters)) if penalty is None else penalty
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
        jumps: ArrayLike | None = None,
    ) -> Self:
        """As `methods.Forecaster.fit`; anchors are not used.

        jumps (any,): how far the last rungs lay off the trend on the ladder's benchmarks, ability
        (`views.trend.Misses.jumps`), which makes a forecast from a jumpy ladder weak.
        """
        self._jumps = None if jumps is None else np.asarray(jumps, dtype=np.float64)
        ladder = measurements(rates, compute, n_samples, anchors)
        self._ladder = ladder
        self._accuracy = ladder.rates.mean(axis=0)
        self._error = np.sqrt(accuracy_variance(ladder))
        self.rung_accuracy_ = ladder.as_given(self._accuracy)
        self.rung_error_ = ladder.as_given(self._error)
        log_compute = np.log(ladder.compute)
        self._log_reference = 0.5 * float(log_compute[0] + log_compute[-1])
        self._missing: Reason | None = None
        if not ladder.rates.any():
            self._missing = because("never_answered")
            return self
        try:
            scores = self.scale.scores(ladder, rung_losses(losses, ladder))
        except NoScoreError as error:
            self._missing = error.reason
            return self
        x = log_compute - self._log_reference
        self._fits = fit(self.law, x, scores.values, scores.sigma, penalty=self.penalty)
        self.theta_ = self._fits.theta
        self._trend = band.Trend(
            self.law, x, self._accuracy, scores, self.theta_, self.penalty, self.scale.accuracy
        )
        return self

    def forecast(self, compute: float, level: float = 0.9) -> Forecast:
        """As `methods.Forecaster.forecast`."""
        check_question(compute, level)
        missing = below_ladder(compute, self._ladder.compute[0]) or self._missing
        if missing:
            return abstention(missing, Subset(NAN, 0.0), compute, level)
        x = float(np.log(compute)) - self._log_reference
        mean = self._trend.at(x)
        low, high = band.interval(self._trend, x, level, self.n_replicates, self.random_state)
        reasons = self._doubts(compute, (low, mean, high))
        return Forecast(mean, low, high, level, verdict(reasons), reasons, _WHOLE, compute)

    def _doubts(self, compute: float, interval: tuple[float, float, float]) -> tuple[Reason, ...]:
        """Why a forecast is weak, () if nothing speaks against it."""
        low, mean, high = interval
        beyond = compute > self._ladder.compute[-1]
        decisive = [
            *range_doubts(compute, self._ladder.compute),
            *level_doubts(self._accuracy, self._error, beyond, mean, high),
            *width_doubts(high - low),
            *miss_doubts(band.recent_misses(self._trend), self._jumps),
            *parameter_doubts(self.law, len(np.unique(self._ladder.compute))),
            *bound_doubts(self.law, self._fits),
        ]
        return weighed(decisive, order_doubts(self._accuracy, self._error))


def parameter_doubts(law: Law, amounts: int) -> tuple[Reason, ...]:
    """Doubts from a law that has as many parameters as there are amounts of compute, or more."""
    parameters = len(law.parameters)
    if amounts > parameters:
        return ()
    return (because("more_parameters", amounts=amounts, parameters=parameters),)


def bound_doubts(law: Law, fits: Fits) -> tuple[Reason, ...]:
    """Doubts from a fit that could not rise, or could not be told from a jump."""
    if "b" not in law.parameters:
        return ()
    place = law.parameters.index("b")
    if fits.at_lower[:, place].all():
        return (because("no_rise"),)
    if fits.at_upper[:, place].all():
        return (because("steepest"),)
    return ()
