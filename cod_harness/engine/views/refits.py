"""How certain the clusters are: their forecast redone on ladders that might have been measured.

Each replicate redraws the questions within their clusters, adds the noise of drawing answers, and
moves every rung by a rung effect (see `intervals`).  Laws and map are refitted, and the target gets
a rung effect too.  Which clusters are predictable is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats, Ints
from cod_harness.engine.fitting import fit
from cod_harness.engine.intervals import (
    bernoulli_scale,
    cluster_variance,
    rung_effect,
    sampling_variance,
    steps_beyond,
)
from cod_harness.engine.laws import Law
from cod_harness.engine.mapping import MonotoneMap, fit_map
from cod_harness.engine.measurements import Measurements


@dataclass(frozen=True)
class Replicates:
    """Refitted forecasts, ready to be read at any compute.

    thetas (replicates, clusters, p); shares (clusters,) of the predictable questions, sum 1;
    maps, one per replicate; effect: scale of the rung effect; noise (replicates, 2): the target's
    standardised rung effect, and that of the rest's growth; x (m,) log compute of the rungs.
    """

    law: Law
    thetas: Floats
    shares: Floats
    maps: Sequence[MonotoneMap]
    effect: float
    noise: Floats
    x: Floats

    def draws(self, x_target: float, subset_share: float) -> Floats:
        """Benchmark accuracies (replicates,) at log compute x_target about the reference."""
        at = np.array([x_target])
        subset = self.law.curve(self.thetas, at)[..., 0] @ self.shares
        # A trend that wanders does so for every rung between the ladder and the target.
        growth = np.sqrt(1.0 + steps_beyond(self.x, x_target))
        subset = subset + self.noise[:, 0] * self.effect * growth * bernoulli_scale(subset)
        subset = np.clip(subset, 0.0, 1.0)
        full = np.array([float(f(s)) for f, s in zip(self.maps, subset, strict=True)])
        last = np.array([f.points[:, 0].max() for f in self.maps])
        leap = (1.0 - subset_share) * np.maximum(subset - last, 0.0)
        return np.asarray(np.clip(full + self.noise[:, 1] * settings.REST_GROWTH * leap, 0.0, 1.0))


def replicates(
    ladder: Measurements,
    labels: Ints,
    kept: Sequence[int],
    law: Law,
    thetas: Floats,
    x: Floats,
    noise_floor: float,
    penalty: Floats,
    threshold: float,
    top: float | None,
    number: int,
    seed: int,
) -> Replicates:
    """Redo fit and map ``number`` times.

    labels (n,), kept: the predictable labels, thetas (kept, p) their laws over x (m,), log compute
    about the reference; noise_floor and penalty as in the fit; threshold and top: of the map.
    """
    random = np.random.default_rng(seed)
    rest = ~np.isin(labels, kept)
    groups = [labels == label for label in kept]
    sizes = np.array([float(group.sum()) for group in groups])
    shares = sizes / sizes.sum()
    fitted = law.curve(thetas, x)
    observed = np.stack([ladder.rates[group].mean(axis=0) for group in groups])
    give = bernoulli_scale(fitted)
    effect, degrees = rung_effect(
        shares @ (observed - fitted), shares @ give, thetas.shape[1], settings.RUNG_EFFECT
    )
    effects = random.standard_t(degrees, size=(number, len(x))) * effect
    variance = np.stack([cluster_variance(ladder, group) for group in groups])
    redrawn = np.stack([_redrawn(ladder.rates[group], number, random) for group in groups], axis=1)
    redrawn += random.normal(size=redrawn.shape) * np.sqrt(variance)
    # Around the fit, not around the points: those carry their own noise already.
    y = np.clip(fitted + (redrawn - observed) + effects[:, None, :] * give, 0.0, 1.0)
    sigma = np.broadcast_to(np.sqrt(variance + noise_floor**2), y.shape)
    flat = (-1, len(x))
    starts = np.broadcast_to(thetas[:, None, :], (number, *thetas[:, None, :].shape))
    starts = starts.reshape(-1, 1, thetas.shape[1])
    refits = fit(
        law, x, y.reshape(flat), np.ascontiguousarray(sigma).reshape(flat), starts, penalty
    )
    subset = np.einsum("rcm,c->rm", y, shares)
    full = subset
    if rest.any():
        others = _redrawn(ladder.rates[rest], number, random)
        others += random.normal(size=others.shape) * np.sqrt(sampling_variance(ladder, rest))
        others += effects * bernoulli_scale(ladder.rates[rest].mean(axis=0))
        full = rest.mean() * np.clip(others, 0.0, 1.0) + (1.0 - rest.mean()) * subset
    anchors = np.column_stack([ladder.anchors[~rest].mean(axis=0), ladder.anchors.mean(axis=0)])
    share = 1.0 - float(rest.mean())
    maps = [
        fit_map(np.append(s, anchors[:, 0]), np.append(f, anchors[:, 1]), threshold, top, share)
        for s, f in zip(subset, full, strict=True)
    ]
    noise = np.column_stack([random.standard_t(degrees, size=number), random.normal(size=number)])
    refitted = refits.theta.reshape(number, len(kept), -1)
    return Replicates(law, refitted, shares, maps, effect, noise, x)


def last_rung_miss(
    law: Law, x: Floats, means: Floats, sigma: Floats, sizes: Floats, penalty: Floats
) -> float:
    """How far the laws (clusters,) fitted without the last rung miss it together, in ability.

    x (m,) log compute about the reference; means and sigma (clusters, m) as in the fit; sizes
    (clusters,) weigh them.
    """
    thetas = fit(law, x[:-1], means[:, :-1], sigma[:, :-1], penalty=penalty).theta
    foretold = law.curve(thetas, x[-1:])[:, 0]
    at = np.array([foretold @ sizes, means[:, -1] @ sizes]) / sizes.sum()
    inside = np.clip(at, settings.POOL_ENDS, 1.0 - settings.POOL_ENDS)
    return float(abs(np.diff(-np.log(-np.log(inside)))[0]))


def _redrawn(rates: Floats, number: int, random: np.random.Generator) -> Floats:
    """Mean rates (number, m) of as many questions drawn from these with replacement."""
    n = len(rates)
    counts = random.multinomial(n, np.full(n, 1.0 / n), size=number)
    return np.asarray(counts @ rates / n)
