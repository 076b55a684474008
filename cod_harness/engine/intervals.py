"""Intervals: the whole forecast redone on ladders that might have been measured instead.

Each replicate redraws the questions within their clusters, adds the noise of sampling answers, and
moves every rung by a shock common to all questions: models miss their trend on their own account,
by far more than sampling explains.  Laws and map are refitted, and the target gets a shock too.
The size of the shocks comes from the rungs' residuals about the clusters' laws, pulled towards
`PRIOR_SHOCK` as far as the rungs are few.  Which clusters are predictable is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cod_harness.engine.arrays import Bools, Floats, Ints
from cod_harness.engine.fitting import fit
from cod_harness.engine.laws import Law
from cod_harness.engine.mapping import MonotoneMap, fit_map
from cod_harness.engine.measurements import Measurements

# Judgements, to be replaced by what backtests say.  A shock is in accuracy at a rate of 1/2.
PRIOR_SHOCK = 0.04
PRIOR_WEIGHT = 2.0  # rungs' worth of evidence in the prior
REST_GROWTH = 0.5  # sd of how the unpredictable rest goes on, per unit of subset beyond the map


@dataclass(frozen=True)
class Replicates:
    """Refitted forecasts, ready to be read at any compute.

    thetas (replicates, clusters, p); shares (clusters,) of the predictable questions, sum 1;
    maps, one per replicate; shock, degrees: scale and degrees of freedom of a rung's t-shock;
    noise (replicates, 2): the target's standardised shock, and that of the rest's growth.
    """

    law: Law
    thetas: Floats
    shares: Floats
    maps: Sequence[MonotoneMap]
    shock: float
    noise: Floats
    x: Floats

    def draws(self, x_target: float, subset_share: float) -> Floats:
        """Benchmark accuracies (replicates,) at log compute x_target about the reference."""
        at = np.array([x_target])
        subset = self.law.curve(self.thetas, at)[..., 0] @ self.shares
        # A trend that wanders does so for every rung between the ladder and the target.
        spacing = float(np.median(np.diff(np.unique(self.x))))
        steps = max(0.0, (x_target - float(self.x[-1])) / spacing)
        subset = subset + self.noise[:, 0] * self.shock * np.sqrt(1.0 + steps) * _give(subset)
        subset = np.clip(subset, 0.0, 1.0)
        full = np.array([float(f(s)) for f, s in zip(self.maps, subset, strict=True)])
        last = np.array([f.points[:, 0].max() for f in self.maps])
        leap = (1.0 - subset_share) * np.maximum(subset - last, 0.0)
        return np.asarray(np.clip(full + self.noise[:, 1] * REST_GROWTH * leap, 0.0, 1.0))


def replicates(
    ladder: Measurements,
    labels: Ints,
    kept: Sequence[int],
    law: Law,
    thetas: Floats,
    x: Floats,
    noise_floor: float,
    charge: Floats,
    threshold: float,
    top: float | None,
    number: int,
    seed: int,
) -> Replicates:
    """Redo fit and map ``number`` times.

    labels (n,), kept: the predictable labels, thetas (kept, p) their laws over x (m,), log compute
    about the reference; noise_floor and charge as in the fit; threshold and top: of the map.
    """
    random = np.random.default_rng(seed)
    rest = ~np.isin(labels, kept)
    groups = [labels == label for label in kept]
    sizes = np.array([float(group.sum()) for group in groups])
    shares = sizes / sizes.sum()
    fitted = law.curve(thetas, x)
    observed = np.stack([ladder.rates[group].mean(axis=0) for group in groups])
    shock, degrees = shock_size(observed - fitted, fitted, shares, thetas.shape[1])
    shocks = random.standard_t(degrees, size=(number, len(x))) * shock
    variance = np.stack([cluster_variance(ladder, group) for group in groups])
    redrawn = np.stack([_redrawn(ladder.rates[group], number, random) for group in groups], axis=1)
    redrawn += random.normal(size=redrawn.shape) * np.sqrt(variance)
    # Around the fit, not around the points: those carry their own noise already.
    y = fitted + (redrawn - observed) + shocks[:, None, :] * _give(fitted)
    y = np.clip(y, 0.0, 1.0)
    sigma = np.broadcast_to(np.sqrt(variance + noise_floor**2), y.shape)
    flat = (-1, len(x))
    starts = np.broadcast_to(thetas[:, None, :], (number, *thetas[:, None, :].shape))
    starts = starts.reshape(-1, 1, thetas.shape[1])
    refits = fit(law, x, y.reshape(flat), np.ascontiguousarray(sigma).reshape(flat), starts, charge)
    subset = np.einsum("rcm,c->rm", y, shares)
    full = subset
    if rest.any():
        level = ladder.rates[rest].mean(axis=0)
        others = _redrawn(ladder.rates[rest], number, random)
        others += random.normal(size=others.shape) * np.sqrt(sampling_variance(ladder, rest))
        others = np.clip(others + shocks * _give(level), 0.0, 1.0)
        full = rest.mean() * others + (1.0 - rest.mean()) * subset
    anchors = np.column_stack([ladder.anchors[~rest].mean(axis=0), ladder.anchors.mean(axis=0)])
    maps = [
        fit_map(np.append(s, anchors[:, 0]), np.append(f, anchors[:, 1]), threshold, top)
        for s, f in zip(subset, full, strict=True)
    ]
    noise = np.column_stack([random.standard_t(degrees, size=number), random.normal(size=number)])
    refitted = refits.theta.reshape(number, len(kept), -1)
    return Replicates(law, refitted, shares, maps, shock, noise, x)


def interval(draws: Floats, mean: float, level: float) -> tuple[float, float]:
    """Central quantiles of the draws, widened where need be to hold the mean."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return float(min(low, mean)), float(max(high, mean))


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


def shock_size(
    residuals: Floats, fitted: Floats, shares: Floats, parameters: int
) -> tuple[float, float]:
    """Scale and degrees of freedom of the rungs' common shock.

    residuals, fitted (clusters, m); shares (clusters,), sum 1; parameters of the law, which the
    rungs have already paid for.
    """
    common = (shares @ residuals) / np.maximum(shares @ _give(fitted), 0.1)
    spare = max(residuals.shape[1] - parameters, 0)
    degrees = spare + PRIOR_WEIGHT
    return float(np.sqrt((common @ common + PRIOR_WEIGHT * PRIOR_SHOCK**2) / degrees)), degrees


def _give(rate: Floats) -> Floats:
    """How far a rate yields to a shock: 1 at 1/2, 0 at 0 and 1."""
    return np.asarray(2.0 * np.sqrt(np.clip(rate * (1.0 - rate), 0.0, None)))


def _redrawn(rates: Floats, number: int, random: np.random.Generator) -> Floats:
    """Mean rates (number, m) of as many questions drawn from these with replacement."""
    n = len(rates)
    counts = random.multinomial(n, np.full(n, 1.0 / n), size=number)
    return np.asarray(counts @ rates / n)
