"""What every interval is made of: noise of drawing answers, rung effects, distance, quantiles.

Models miss their trend on their own account, by far more than drawing answers explains.  That is
the rung effect: common to all questions of a rung, largest where the rate is 1/2.  Its size comes
from the rungs' residuals, pulled towards a prior as far as the rungs are few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cod_harness.engine import settings
from cod_harness.engine.arrays import Bools, Floats
from cod_harness.engine.measurements import Measurements


def sampling_variance(ladder: Measurements, group: Bools) -> Floats:
    """Variance (m,) of the group's mean rate that comes from drawing answers.

    Per question p (1 - p) / k with p shrunk to 1/2 by one draw's weight, so that a question never
    seen to vary still may; never above what the group's mean allows.  0 for analytic rates.
    """
    rates, draws = ladder.rates[group], ladder.n_samples[group]
    shrunk = (rates * draws + 0.5) / (draws + 1.0)
    mean = (rates.sum(axis=0) + 0.5) / (len(rates) + 1.0)
    spread = np.minimum(shrunk * (1.0 - shrunk), mean * (1.0 - mean))
    each = np.divide(spread, draws, out=np.zeros_like(spread), where=draws > 0)
    return np.asarray(each.sum(axis=0) / len(rates) ** 2)


def cluster_variance(ladder: Measurements, group: Bools) -> Floats:
    """Variance (m,) from drawing answers of the mean rate of questions chosen for being alike.

    Averaging n rows divides their noise by n only as far as the rows were chosen whatever their
    noise.  Draws alone would spread the rows by p (1 - p) / k; where a cluster's rows spread less,
    they were chosen for the same luck, and what is missing is noise that its mean keeps.  At one
    draw a question that is all of it (rows of a cluster are equal); at a hundred, nearly nothing.
    0 for analytic rates.
    """
    rates, draws = ladder.rates[group], ladder.n_samples[group]
    shrunk = (rates * draws + 0.5) / (draws + 1.0)
    spread = shrunk * (1.0 - shrunk)
    noise = np.divide(spread, draws, out=np.zeros_like(spread), where=draws > 0).mean(axis=0)
    shared = noise - rates.var(axis=0, ddof=1) if len(rates) > 1 else noise
    return np.asarray(noise / len(rates) + np.maximum(shared, 0.0))


def accuracy_variance(ladder: Measurements) -> Floats:
    """Variance (m,) of the whole benchmark's accuracies from drawing answers."""
    everything: Bools = np.ones(len(ladder.rates), dtype=bool)
    return sampling_variance(ladder, everything)


def bernoulli_scale(rate: ArrayLike, margin: float = 0.0) -> Floats:
    """``2 sqrt(p (1 - p))``: how far a rate moves with its rung, 1 at 1/2 and 0 at 0 and 1.

    Any shape.  margin: rates are kept this far from 0 and 1 first.
    """
    p = np.clip(np.asarray(rate, dtype=np.float64), margin, 1.0 - margin)
    return np.asarray(2.0 * np.sqrt(p * (1.0 - p)))


def rung_effect(
    miss: Floats, scale: Floats, parameters: int, prior: float = settings.RUNG_EFFECT
) -> tuple[float, float]:
    """Scale and degrees of freedom of the rung effect, a t-variable times the Bernoulli scale.

    miss (m,): observed less fitted accuracy of the rungs; scale (m,): their Bernoulli scale;
    parameters of the law, which the rungs have already paid for; prior scale.
    """
    effect = miss / np.maximum(scale, settings.LEAST_GIVE)
    spare = max(len(effect) - parameters, 0)
    return pulled_scale(float(effect @ effect), spare, prior)


def pulled_scale(squares: float, degrees: float, prior: float) -> tuple[float, float]:
    """Scale and degrees of freedom from a sum of squares over as many degrees, and its prior.

    The prior counts as `settings.PRIOR_WEIGHT` observations of its own scale.
    """
    weight = settings.PRIOR_WEIGHT
    total = degrees + weight
    return float(np.sqrt((squares + weight * prior**2) / total)), total


def steps_beyond(x: Floats, x_target: float) -> float:
    """How many typical spacings of the ladder x (m,) the target lies beyond its last rung."""
    spacing = float(np.median(np.diff(np.unique(x))))
    return max(0.0, (x_target - float(x[-1])) / spacing)


def central_interval(draws: Floats, mean: float, level: float) -> tuple[float, float]:
    """Central quantiles of the draws, widened where need be to hold the mean."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return float(min(low, mean)), float(max(high, mean))
