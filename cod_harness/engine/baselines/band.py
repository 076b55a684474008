"""One interval for all rivals: the trend refitted to ladders that might have been measured.

Rungs miss a trend by shocks of their own; a trend that is not the true curve drifts off it beyond
the ladder.  The size of the shocks comes from the residuals, that of the drift from how well the
same law, fitted to the lower rungs, forecasts the upper ones.  Both are pulled towards a prior
as far as the rungs are few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines.scales import Scores
from cod_harness.engine.fitting import fit
from cod_harness.engine.laws import Law
from cod_harness.engine.measurements import MIN_RUNGS

REPLICATES = 100
# Chosen on the open ladders, where 90 % intervals hold about 87 % of the measured values.
PRIOR_SHOCK = 0.03  # accuracy, at an accuracy of a half
PRIOR_DRIFT = 0.05  # likewise, for the first of the ladder's typical spacings in log C
PRIOR_WEIGHT = 2.0  # rungs' worth of evidence in each prior
_LOOK_BACK = 3  # rungs held out, one more each time, to see the drift


@dataclass(frozen=True)
class Trend:
    """A law fitted to scores over the rungs.

    x (m,) log compute about the reference; observed (m,) accuracies of the whole benchmark;
    theta (groups, p); charge (p,); accuracy: of scores.
    """

    law: Law
    x: Floats
    observed: Floats
    scores: Scores
    theta: Floats
    charge: Floats
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
        found = fit(self.law, self.x[low], scores.values, scores.sigma, start, self.charge)
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
    shock, degrees = _shock(trend, accuracy)
    # A shock is a rung's, common to its groups.  It is in accuracy, the law in scores: the local
    # slope turns one into the other.
    shocks = random.standard_t(degrees, size=(replicates, 1, len(x))) * shock
    moved = fitted + shocks * give(accuracy) * _scores_per_accuracy(trend, fitted)
    flat = (replicates * len(shares), len(x))
    refits = fit(
        law,
        x,
        moved.reshape(flat),
        np.broadcast_to(trend.scores.sigma, moved.shape).reshape(flat),
        np.tile(trend.theta, (replicates, 1))[:, None],
        trend.charge,
    )
    each = trend.accuracy(law.curve(refits.theta, np.array([x_target]))[:, 0])
    draws = each.reshape(replicates, -1) @ shares
    drift, drift_degrees = _drift(trend)
    step = np.sqrt(shock**2 + drift**2 * steps_beyond(x, x_target))
    draws += random.standard_t(min(degrees, drift_degrees), size=replicates) * step * give(draws)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(np.clip(draws, 0.0, 1.0), [tail, 100.0 - tail])
    return float(min(low, mean)), float(max(high, mean))


def give(accuracy: Floats) -> Floats:
    """How far an accuracy yields to a shock: 1 at 1/2, little at 0 and 1."""
    near = np.clip(accuracy, 0.02, 0.98)
    return np.asarray(2.0 * np.sqrt(near * (1.0 - near)))


def steps_beyond(x: Floats, x_target: float) -> float:
    """How many typical spacings of the ladder x (m,) the target lies beyond its last rung."""
    spacing = float(np.median(np.diff(np.unique(x))))
    return max(0.0, (x_target - float(x[-1])) / spacing)


def _shock(trend: Trend, fitted: Floats) -> tuple[float, float]:
    """Scale and degrees of freedom of a rung's shock, from the residuals in accuracy."""
    shares = trend.scores.shares
    miss = trend.observed - shares @ fitted
    size = miss / np.maximum(shares @ give(fitted), 0.1)
    degrees = max(len(trend.x) - trend.theta.shape[1], 0) + PRIOR_WEIGHT
    return float(np.sqrt((size @ size + PRIOR_WEIGHT * PRIOR_SHOCK**2) / degrees)), degrees


def _drift(trend: Trend) -> tuple[float, float]:
    """Scale per square root of a step, and degrees of freedom, of the drift off the law."""
    amounts = np.unique(trend.x)
    seen = []
    for place in range(max(MIN_RUNGS, len(amounts) - _LOOK_BACK), len(amounts)):
        target = float(amounts[place])
        lower = trend.up_to(float(amounts[place - 1]))
        truth = float(trend.observed[trend.x == target].mean())
        miss = (lower.at(target) - truth) / float(give(np.array([truth]))[0])
        seen.append(miss / np.sqrt(max(steps_beyond(lower.x, target), 1.0)))
    degrees = len(seen) + PRIOR_WEIGHT
    square = float(np.square(seen).sum()) + PRIOR_WEIGHT * PRIOR_DRIFT**2
    return float(np.sqrt(square / degrees)), degrees


def _scores_per_accuracy(trend: Trend, scores: Floats) -> Floats:
    """Change of score per change of accuracy, like scores; 0 where accuracy hardly answers."""
    step = 1e-4 * max(float(np.ptp(trend.scores.values)), 1e-3)
    slope = (trend.accuracy(scores + step) - trend.accuracy(scores - step)) / (2.0 * step)
    return np.divide(1.0, slope, out=np.zeros_like(slope), where=np.abs(slope) > 1e-3)
