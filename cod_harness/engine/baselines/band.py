"""One interval for all baselines: the trend refitted to ladders that might have been measured.

Rungs miss a trend by rung effects; a trend that is not the true curve drifts off it beyond the
ladder.  The size of the effects comes from the residuals, that of the drift from how well the same
law, fitted to the lower rungs, forecasts the upper ones.  Both are pulled towards a prior
as far as the rungs are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines.scales import Scores
from cod_harness.engine.fitting import fit
from cod_harness.engine.intervals import (
    bernoulli_scale,
    central_interval,
    pulled_scale,
    rung_effect,
    steps_beyond,
)
from cod_harness.engine.laws import Law


@dataclass(frozen=True)
class Trend:
    """A law fitted to scores over the rungs.

    x (m,) log compute about the reference; observed (m,) accuracies of the whole benchmark;
    theta (groups, p); ridge penalty (p,); accuracy: of scores.
    """

    law: Law
    x: Floats
    observed: Floats
    scores: Scores
    theta: Floats
    penalty: Floats
    accuracy: Callable[[Floats], Floats]

    def at(self, x: float) -> float:
        """Accuracy at log compute x about the reference."""
        each = self.accuracy(self.law.curve(self.theta, np.array([x])))[:, 0]
        return float(each @ self.scores.shares)

    def up_to(self, x: float) -> Trend:
        """The law fitted to the rungs up to and with x alone."""
        low = self.x <= x
        scores = Scores(self.scores.values[:, low], self.scores.sigma[:, low], self.scores.shares)
        start = self.theta[:, None]
        found = fit(self.law, self.x[low], scores.values, scores.sigma, start, self.penalty)
        return replace(
            self, x=self.x[low], observed=self.observed[low], scores=scores, theta=found.theta
        )


def interval(
    trend: Trend, x_target: float, level: float, replicates: int, seed: int
) -> tuple[float, float]:
    """Central interval of accuracy at x_target, meant to hold the measured value."""
    mean = trend.at(x_target)
    if replicates < 1:
        return mean, mean
    random = np.random.default_rng(seed)
    law, x, shares = trend.law, trend.x, trend.scores.shares
    fitted = law.curve(trend.theta, x)
    accuracy = trend.accuracy(fitted)
    effect, degrees = rung_effect(
        trend.observed - shares @ accuracy,
        shares @ _give(accuracy),
        trend.theta.shape[1],
        settings.BASELINE_RUNG_EFFECT,
    )
    # A rung effect is common to the rung's groups.  It is in accuracy, the law in scores: the
    # local slope turns one into the other.
    effects = random.standard_t(degrees, size=(replicates, 1, len(x))) * effect
    moved = fitted + effects * _give(accuracy) * _scores_per_accuracy(trend, fitted)
    flat = (replicates * len(shares), len(x))
    refits = fit(
        law,
        x,
        moved.reshape(flat),
        np.broadcast_to(trend.scores.sigma, moved.shape).reshape(flat),
        np.tile(trend.theta, (replicates, 1))[:, None],
        trend.penalty,
    )
    each = trend.accuracy(law.curve(refits.theta, np.array([x_target]))[:, 0])
    draws = each.reshape(replicates, -1) @ shares
    drift, drift_degrees = _drift(trend, effect)
    step = np.sqrt(effect**2 + drift**2 * steps_beyond(x, x_target))
    draws += random.standard_t(min(degrees, drift_degrees), size=replicates) * step * _give(draws)
    return central_interval(np.clip(draws, 0.0, 1.0), mean, level)


def _give(accuracy: Floats) -> Floats:
    return bernoulli_scale(accuracy, settings.BASELINE_MARGIN)


def recent_misses(trend: Trend) -> Floats:
    """Absolute errors of the law on the last rungs, each from all below it, accuracy."""
    return np.array([abs(miss) for miss, _, _ in _looked_back(trend)])


def _drift(trend: Trend, effect: float) -> tuple[float, float]:
    """Scale per square root of a step, and degrees of freedom, of the drift off the law.

    A miss is of the drift, of the effect of the rung it was measured at, and of about as much of
    the effects of those below; both effects have parts of their own in the interval.
    """
    seen = [
        ((miss / float(_give(np.array(truth)))) ** 2 - 2.0 * effect**2) / max(steps, 1.0)
        for miss, truth, steps in _looked_back(trend)
    ]
    return pulled_scale(max(sum(seen), 0.0), len(seen), settings.BASELINE_DRIFT)


def _looked_back(trend: Trend) -> Iterator[tuple[float, float, float]]:
    """Error, truth (accuracies) and distance (steps) of the last rungs, each from those below."""
    amounts = np.unique(trend.x)
    for place in range(max(settings.MIN_RUNGS, len(amounts) - settings.LOOK_BACK), len(amounts)):
        target = float(amounts[place])
        lower = trend.up_to(float(amounts[place - 1]))
        truth = float(trend.observed[trend.x == target].mean())
        yield lower.at(target) - truth, truth, steps_beyond(lower.x, target)


def _scores_per_accuracy(trend: Trend, scores: Floats) -> Floats:
    """Change of score per change of accuracy, like scores; 0 where accuracy hardly answers."""
    step = 1e-4 * max(float(np.ptp(trend.scores.values)), 1e-3)
    slope = (trend.accuracy(scores + step) - trend.accuracy(scores - step)) / (2.0 * step)
    return np.divide(1.0, slope, out=np.zeros_like(slope), where=np.abs(slope) > 1e-3)
