"""The trend of a benchmark's ability over compute: a line whose slope may change, with noise.

Ladders do not keep to one straight line: what a benchmark needs is learnt faster on some stretch
of the ladder than on another, and rungs miss their trend on their own account.  So ability is
taken as a Gaussian process over x = log C: a line, plus a slope that wanders (an integrated Wiener
process), plus noise of a rung's own.  How much of either a ladder has, it shows little itself; both
are marginalised, under priors.  Where rungs lie on a bend, the last ones carry the forecast;
where they scatter about a line, all do.  The forecast's spread grows with the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats

# Where the integrals over both priors are taken.
_NOISES = np.array([0.03, 0.06, 0.12, 0.25, 0.5, 1.0])
_BENDS = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4])


@dataclass(frozen=True)
class Spread:
    """A mixture of normal distributions: weights, means and variances (components,)."""

    weights: Floats
    means: Floats
    variances: Floats

    @property
    def mean(self) -> float:
        return float(self.weights @ self.means)

    @property
    def sd(self) -> float:
        second = self.weights @ (self.variances + (self.means - self.mean) ** 2)
        return float(np.sqrt(second))


def forecast_spread(x: Floats, ability: Floats, variance: Floats, x_target: float) -> Spread:
    """What the ability at ``x_target`` may be, a target's own noise included.

    x (m,) log compute; ability (m,), variance (m,) of each from drawing answers; x_target, log
    compute, above x.min().
    """
    noise, bend = (part.ravel() for part in np.meshgrid(_NOISES, _BENDS, indexing="ij"))
    prior = -0.5 * np.log(noise / settings.TREND_NOISE) ** 2
    prior -= 0.5 * np.log(np.maximum(bend, settings.LEAST_BEND) / settings.TREND_BEND) ** 2
    m = len(x)
    place = np.append(x, x_target) - x.min()
    about_last = place - place[m - 1]
    line = settings.LEVEL_VARIANCE + settings.SLOPE_SPREAD**2 * np.outer(about_last, about_last)
    least = np.minimum.outer(place, place)
    apart = np.abs(np.subtract.outer(place, place))
    wander = least**3 / 3.0 + apart * least**2 / 2.0
    covariance = line + bend[:, None, None] ** 2 * wander
    expected = settings.SLOPE * about_last
    measured = covariance[:, :m, :m] + (variance + noise[:, None] ** 2)[..., None] * np.eye(m)
    root = np.linalg.cholesky(measured)
    residual = np.broadcast_to(ability - expected[:m], (len(noise), m))
    solved = np.linalg.solve(root, np.stack([residual, covariance[:, :m, m]], axis=-1))
    pull, reach = solved[..., 0], solved[..., 1]
    log_weight = prior - 0.5 * (pull**2).sum(axis=1)
    log_weight -= np.log(np.einsum("hii->hi", root)).sum(axis=1)
    weight = np.exp(log_weight - log_weight.max())
    means = expected[m] + (pull * reach).sum(axis=1)
    variances = covariance[:, m, m] - (reach**2).sum(axis=1) + noise**2
    return Spread(weight / weight.sum(), means, np.maximum(variances, 0.0))
