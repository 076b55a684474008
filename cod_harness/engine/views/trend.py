"""The trend of ability over compute, learnt from all benchmarks of a ladder at once.

Ladders do not keep to one straight line: what a benchmark needs is learnt faster on some stretch
of the ladder than on another, and rungs miss their trend on their own account.  So ability is
taken as a Gaussian process over x = log C: a line, plus a slope that wanders (an integrated Wiener
process), plus noise of a rung.  Each has a part of the benchmark's own and a part common to all
benchmarks of the ladder: a rung that is off is off in all of them.  Abilities of a benchmark whose
questions are of like difficulty lie far apart, in trend and in noise alike; so every benchmark is
taken in a unit of its own.

How much of each a ladder has is a property of the ladder, and one benchmark shows little of it;
all together show it well.  The sizes of the parts are marginalised on a grid, exactly: given them,
the benchmarks depend on each other only through the common part, an (m,) vector, so the likelihood
needs no matrix larger than (m, m) (Woodbury).  One benchmark alone has no common part but its
slope's.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

from cod_harness.engine import settings
from cod_harness.engine.arrays import Bools, Floats, Ints

# Where the integrals over the sizes are taken: noise, bend and spread of slopes of a benchmark's
# own, then noise and bend common to all.
_NOISES = np.array([0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0])
_BENDS = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
_SLOPES = np.array([0.05, 0.1, 0.2, 0.4])
_COMMON_NOISES = np.array([0.0, 0.02, 0.04, 0.08, 0.16, 0.32])
_COMMON_BENDS = np.array([0.0, 0.02, 0.05, 0.1, 0.2])
_NEGLIGIBLE = 12.0  # nats below the best at which a point of the grid is left out
_SHARE = 0.999  # of the weight that forecasts are made from
_FEW_NODES = 8  # that look back: misses need no more
_UNKNOWN = 1e6  # variance of what was not measured
_JITTER = 1e-8
_SMALL = 1e-6  # variance that no draw shows
_ORIGINS = 8  # of the largest rungs, that are looked back at
_LEAST_SEEN = 2  # rungs below an origin
_FAR, _FINE = 8.0, 1001  # standard deviations and points of the grid that quantiles are read from
_TAIL = 1e-12  # beyond which a miss is not told from others


@dataclass(frozen=True, eq=False)
class Siblings:
    """Abilities of the same models on the ladder's other benchmarks.

    values (tasks, m) and variance (tasks, m) from drawing answers, models in the order of the
    rates they go with; NaN where a model was not measured.
    """

    values: Floats
    variance: Floats

    def ordered(self, rungs: Ints) -> Siblings:
        """With the models in another order."""
        return Siblings(self.values[:, rungs], self.variance[:, rungs])


@dataclass(frozen=True)
class Spread:
    """A mixture of normal distributions: weights, means and variances (components,)."""

    weights: Floats
    means: Floats
    variances: Floats

    def quantiles(self, shares: Floats) -> Floats:
        """Values (shares,) below which these shares of the mixture lie."""
        sds = np.sqrt(self.variances)
        low, high = (self.means - _FAR * sds).min(), (self.means + _FAR * sds).max()
        grid = np.linspace(low, high, _FINE)
        below = ndtr((grid[:, None] - self.means) / sds) @ self.weights
        return np.interp(shares, below, grid)


@dataclass(frozen=True, eq=False)
class Misses:
    """By how much the rungs missed what the trend of those below them said (misses,).

    task, which benchmark; rung, which rung; pair, number of the pair of origin and rung; sds,
    actual less forecast ability in standard deviations of the forecast; distance, e-folds of
    compute beyond the last rung seen; nearest, whether of the next amount of compute; forecast,
    the ability forecast; error, actual less forecast ability; noise, standard deviation of the
    actual one from drawing answers.  tasks: how many benchmarks.
    """

    task: Ints
    rung: Ints
    pair: Ints
    sds: Floats
    distance: Floats
    nearest: Bools
    forecast: Floats
    error: Floats
    noise: Floats
    tasks: int

    def jumps(self, rungs: int) -> Floats:
        """Absolute errors on the last rungs of the benchmarks, each from all below it, ability.

        Of benchmarks with questions enough to tell a jump of `settings.OK_JUMP` from chance.
        """
        seen = np.unique(self.rung[self.nearest])[-rungs:]
        told = self.noise <= 0.5 * settings.OK_JUMP
        return np.abs(self.error[self.nearest & told & np.isin(self.rung, seen)])


@dataclass(frozen=True, eq=False)
class Models:
    """Abilities that models of one amount of compute may have, given the ladder (draws, rows).

    signal: where the trend may stand there; noise: by how much one model may miss it.  Rows are the
    benchmarks, then the losses where the trend knows some.
    """

    signal: Floats
    noise: Floats


@dataclass(frozen=True)
class _Nodes:
    """Points of the grid (nodes,), heaviest first, their weights summing to 1."""

    noise: Floats
    bend: Floats
    slope: Floats
    common_noise: Floats
    common_bend: Floats
    weights: Floats

    def kept(self, chosen: slice) -> _Nodes:
        return _Nodes(
            self.noise[chosen],
            self.bend[chosen],
            self.slope[chosen],
            self.common_noise[chosen],
            self.common_bend[chosen],
            self.weights[chosen] / self.weights[chosen].sum(),
        )


class LadderTrend:
    """What the rungs of a ladder say of its benchmarks' abilities at other amounts of compute.

    x (m,) log compute, rising; values, variance (tasks, m) abilities and what drawing answers adds
    to them, NaN where not measured; losses (m,) of the models, as one more measurement of each,
    None where unknown.
    """

    def __init__(
        self, x: Floats, values: Floats, variance: Floats, losses: Floats | None = None
    ) -> None:
        self._x = x
        self.tasks = len(values)
        if losses is not None:
            loss = _as_ability(x, losses, values / _units(values)[:, None])
            values = np.vstack([values, loss])
            variance = np.vstack([variance, np.zeros(len(x))])
        self._take(values, variance)

    def _take(self, values: Floats, variance: Floats) -> None:
        """values, variance (rows, m): of the benchmarks, then of the losses if they are known."""
        self._measured, self._drawing = values, variance
        # Losses are put into the middle unit as they come.
        self._units = np.append(_units(values[: self.tasks]), np.ones(len(values) - self.tasks))
        self._known = np.isfinite(values)
        self._values = np.where(self._known, values / self._units[:, None], 0.0)
        self._variance = np.where(self._known, variance / self._units[:, None] ** 2, _UNKNOWN)
        self._nodes = self._weighed()
        self._spreads: dict[float, tuple[Floats, Floats]] = {}

    @property
    def x(self) -> Floats:
        """(m,) log compute of the rungs, rising."""
        return self._x

    @property
    def values(self) -> Floats:
        """(rows, m) abilities of the benchmarks, then of the losses if known; NaN: not measured."""
        return self._measured

    @property
    def variance(self) -> Floats:
        """(rows, m) what drawing answers adds to them."""
        return self._drawing

    def supposing(self, x: Floats, values: Floats, variance: Floats) -> LadderTrend:
        """The trend of a ladder measured otherwise: all as `x`, `values`, `variance` here."""
        order = np.argsort(x, kind="stable")
        other = LadderTrend.__new__(LadderTrend)
        other._x, other.tasks = x[order], self.tasks
        with threadpool_limits(1, "blas"):
            other._take(values[:, order], variance[:, order])
        return other

    def models(self, x: float, number: int, seed: int) -> Models:
        """Models that might be trained at log compute ``x``, each on all benchmarks.

        Of one seed, whatever x is, come the same draws as far as can be.
        """
        random = np.random.default_rng(seed)
        m, rows = len(self._x), len(self._values)
        # Evenly over the weights, so that few draws stand for all sizes.
        share = (random.permutation(number) + 0.5) / number
        picked = np.searchsorted(np.cumsum(self._nodes.weights), share).clip(
            0, len(self._nodes.weights) - 1
        )
        at = np.append(self._x, x)
        signal, noise = np.empty((number, rows)), np.empty((number, rows))
        for draw, node in enumerate(picked):
            one = self._nodes.kept(slice(node, node + 1))
            still = replace(one, noise=np.zeros(1), common_noise=np.zeros(1))
            (own,), (common,) = self._covariances(one, at)
            (own_still,), (common_still,) = self._covariances(still, at)
            normal = random.normal(size=(2, rows + 1, m + 1))
            smooth = normal[0, :rows] @ _root(own_still).T + normal[0, rows] @ _root(common_still).T
            missed = normal[1, :rows] * np.sqrt(np.diag(own - own_still).clip(0.0))
            missed += normal[1, rows] * np.sqrt(np.diag(common - common_still).clip(0.0))
            seen = smooth[:, :m] + missed[:, :m]
            drawn = np.sqrt(np.where(self._known, self._variance, 0.0))
            seen += drawn * random.normal(size=(rows, m))
            # A draw of everything, moved by what the rungs say beyond it, is a draw given them.
            moved = copy(self)
            moved.tasks = rows
            moved._values = np.where(self._known, self._values - seen, 0.0)
            told, _ = moved._forecasts(one, m, np.array([x]))
            signal[draw] = smooth[:, m] + told[0, :, 0]
            noise[draw] = missed[:, m]
        return Models(signal * self._units, noise * self._units)

    def noise_share(self, task: int, x_target: float) -> float:
        """Of the spread at ``x_target``, the share of variance that a model's own noise has."""
        spread = self.spread(task, x_target)
        at = np.array([x_target])
        none = np.zeros(len(self._nodes.weights))
        still = replace(self._nodes, noise=none, common_noise=none)
        noise = sum(
            (full - smooth)[:, 0, 0]
            for full, smooth in zip(
                self._covariances(self._nodes, at), self._covariances(still, at), strict=True
            )
        )
        middle = float(spread.weights @ spread.means)
        whole = float(spread.weights @ (spread.variances + (spread.means - middle) ** 2))
        return float(self._units[task] ** 2 * (spread.weights @ noise)) / whole

    def spread(self, task: int, x_target: float) -> Spread:
        """What a benchmark's ability at ``x_target`` may be, a target's own noise included."""
        if x_target not in self._spreads:
            self._spreads[x_target] = self._forecasts(
                self._nodes, len(self._x), np.array([x_target])
            )
        means, variances = self._spreads[x_target]
        unit = self._units[task]
        return Spread(
            self._nodes.weights, unit * means[:, task, 0], unit**2 * variances[:, task, 0]
        )

    @cached_property
    def misses(self) -> Misses:
        """Every rung forecast from those below it, the sizes being those of the whole ladder."""
        x, m = self._x, len(self._x)
        few = self._nodes.kept(slice(_FEW_NODES))
        starts = [i for i in range(_LEAST_SEEN, m) if x[i] > x[i - 1]][-_ORIGINS:]
        found: list[tuple[Any, ...]] = []
        for start, i in enumerate(starts):
            means, variances = self._forecasts(few, i, x[i:])
            actual = self._values[: self.tasks, i:]
            noise = variances + self._variance[: self.tasks, i:]
            share = np.tensordot(few.weights, ndtr((actual - means) / np.sqrt(noise)), axes=1)
            sds = ndtri(np.clip(share, _TAIL, 1.0 - _TAIL))
            mean = np.tensordot(few.weights, means, axes=1)
            task, place = np.nonzero(self._known[: self.tasks, i:])
            found.append(
                (
                    task,
                    i + place,
                    start * m + i + place,
                    sds[task, place],
                    (x[i:] - x[i - 1])[place],
                    (x[i:] == x[i])[place],
                    (self._units[: self.tasks, None] * mean)[task, place],
                    (self._units[: self.tasks, None] * (actual - mean))[task, place],
                    np.sqrt(self._drawing[task, i + place]),
                )
            )
        columns = [np.concatenate(column) for column in zip(*found, strict=True)]
        task, rung, pair, sds, distance, nearest, forecast, error, drawn = columns
        return Misses(
            task, rung, pair, sds, distance, nearest, forecast, error, drawn, tasks=self.tasks
        )

    def _covariances(self, nodes: _Nodes, x: Floats) -> tuple[Floats, Floats]:
        """Own and common covariance (nodes, len(x), len(x)) at x, about the last rung."""
        about = x - self._x[-1]
        line = np.outer(about, about)
        place = x - self._x[0]
        least = np.minimum.outer(place, place)
        wander = least**3 / 3.0 + np.abs(np.subtract.outer(place, place)) * least**2 / 2.0
        each = np.eye(len(x))

        def by(size: Floats, part: Floats) -> Floats:
            return np.asarray(size[:, None, None] ** 2 * part)

        own = settings.LEVEL_VARIANCE + by(nodes.bend, wander) + by(nodes.noise, each)
        if len(self._values) > 1:
            own = own + by(nodes.slope, line)
        common = settings.SLOPE_SPREAD**2 * line + by(nodes.common_bend, wander)
        return own, common + by(nodes.common_noise, each) + _JITTER * each

    def _weighed(self) -> _Nodes:
        """The grid, weighed by prior and likelihood."""
        alone = len(self._values) == 1
        slopes = _SLOPES[:1] if alone else _SLOPES
        noise, bend, slope = (
            part.ravel() for part in np.meshgrid(_NOISES, _BENDS, slopes, indexing="ij")
        )
        sizes = (np.zeros(1), np.zeros(1)) if alone else (_COMMON_NOISES, _COMMON_BENDS)
        common_noise, common_bend = (part.ravel() for part in np.meshgrid(*sizes, indexing="ij"))
        prior = _log_prior(noise, settings.TREND_NOISE, 0.0)
        prior += _log_prior(bend, settings.TREND_BEND, settings.LEAST_BEND)
        prior += _log_prior(slope, settings.OWN_SLOPE, 0.0)
        prior_common = _log_prior(common_noise, settings.COMMON_NOISE, settings.LEAST_BEND)
        prior_common += _log_prior(common_bend, settings.COMMON_BEND, settings.LEAST_BEND)
        zeros = np.zeros(len(noise))
        own, _ = self._covariances(_Nodes(noise, bend, slope, zeros, zeros, zeros), self._x)
        none = np.zeros(len(common_noise))
        parts = _Nodes(none, none, none, common_noise, common_bend, none)
        _, common = self._covariances(parts, self._x)
        m = len(self._x)
        residual = self._values - settings.SLOPE * (self._x - self._x[-1])
        measured = own[:, None] + self._variance[..., None] * np.eye(m)
        inverse = np.linalg.inv(measured)
        solved = (inverse @ residual[..., None])[..., 0]
        alone_fit = prior - 0.5 * np.linalg.slogdet(measured)[1].sum(axis=1)
        alone_fit -= 0.5 * (solved * residual).sum(axis=(1, 2))
        precision, pull = inverse.sum(axis=1), solved.sum(axis=1)
        root = np.linalg.cholesky(common)
        # First at the most likely common part alone: most points of the grid are out of the race.
        middle = int(np.argmax(prior_common))
        first = alone_fit + _common_fit(root[middle], precision, pull)
        kept = np.flatnonzero(first > first.max() - _NEGLIGIBLE)
        log_weight = np.array(
            [
                before + alone_fit[kept] + _common_fit(one, precision[kept], pull[kept])
                for before, one in zip(prior_common, root, strict=True)
            ]
        )
        weight = np.exp(log_weight - log_weight.max())
        c, g = np.nonzero(weight > np.exp(-_NEGLIGIBLE))
        chosen = weight[c, g]
        order = np.argsort(-chosen, kind="stable")
        enough = int(np.searchsorted(np.cumsum(chosen[order]), _SHARE * chosen.sum())) + 1
        c, g, chosen = c[order][:enough], kept[g[order][:enough]], chosen[order][:enough]
        return _Nodes(
            noise[g], bend[g], slope[g], common_noise[c], common_bend[c], chosen / chosen.sum()
        )

    def _forecasts(self, nodes: _Nodes, seen: int, at: Floats) -> tuple[Floats, Floats]:
        """Means and variances (nodes, tasks, len(at)) at ``at`` from the first ``seen`` rungs."""
        x = np.append(self._x[:seen], at)
        own, common = self._covariances(nodes, x)
        expected = settings.SLOPE * (x - self._x[-1])
        residual = self._values[:, :seen] - expected[:seen]
        noise = self._variance[:, :seen, None] * np.eye(seen)
        tasks = self.tasks
        inverse = np.linalg.inv(own[:, None, :seen, :seen] + noise)
        prior = np.linalg.inv(common[:, :seen, :seen])
        belief = np.linalg.inv(inverse.sum(axis=1) + prior)
        pull = (inverse @ residual[..., None])[..., 0].sum(axis=1)
        shared = (belief @ pull[..., None])[..., 0]
        reach = own[:, None, seen:, :seen] @ inverse[:, :tasks]
        ahead = common[:, seen:, :seen] @ prior
        lean = ahead[:, None] - reach
        means = (reach @ residual[:tasks, :, None])[..., 0] + expected[seen:]
        means += (lean @ shared[:, None, :, None])[..., 0]
        variances = np.einsum("nkk->nk", own[:, seen:, seen:] + common[:, seen:, seen:])
        variances = variances - (ahead * common[:, seen:, :seen]).sum(axis=-1)
        variances = variances[:, None] - (reach * own[:, None, seen:, :seen]).sum(axis=-1)
        variances += ((lean @ belief[:, None]) * lean).sum(axis=-1)
        return means, np.maximum(variances, _JITTER)


def benchmark_trend(
    x: Floats,
    values: Floats,
    variance: Floats,
    siblings: Siblings | None = None,
    losses: Floats | None = None,
) -> tuple[LadderTrend, int]:
    """The trend of a ladder and which of its benchmarks this one is.

    x (m,) log compute, rising; values, variance (m,) of the benchmark; siblings, of the others;
    losses (m,), NaN where unknown: used where there are siblings and all are known.
    """
    rows, noises = values[None], variance[None]
    if siblings is not None and len(siblings.values):
        rows = np.vstack([rows, siblings.values])
        noises = np.vstack([noises, siblings.variance])
    # The same benchmarks are the same ladder, whichever of them asks.
    order = sorted(range(len(rows)), key=lambda row: (rows[row].tobytes(), noises[row].tobytes()))
    use = losses is not None and len(rows) > 1 and bool(np.isfinite(losses).all())
    told = losses.tobytes() if use and losses is not None else None
    found = _ladder(x.tobytes(), rows[order].tobytes(), noises[order].tobytes(), told)
    return found, order.index(0)


@lru_cache(maxsize=32)
def _ladder(x: bytes, values: bytes, variance: bytes, losses: bytes | None) -> LadderTrend:
    places = np.frombuffer(x)
    rows, noises = (np.frombuffer(each).reshape(-1, len(places)) for each in (values, variance))
    # The products are small: threads spend more on waiting for each other than they save.
    with threadpool_limits(1, "blas"):
        return LadderTrend(places, rows, noises, None if losses is None else np.frombuffer(losses))


def _units(values: Floats) -> Floats:
    """How far models lie apart in a benchmark's ability (tasks,), their geometric mean being 1.

    values (tasks, m), NaN where not measured; a benchmark without a value has the middle unit.
    """
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=1), 1)
    filled = np.where(known, values, 0.0)
    middle = filled.sum(axis=1) / count
    variance = (np.where(known, filled - middle[:, None], 0.0) ** 2).sum(axis=1) / count
    size = 0.5 * np.log(variance + settings.LEAST_APART**2)
    measured = known.any(axis=1)
    size = np.where(measured, size - size[measured].mean(), 0.0)
    return np.asarray(np.exp(settings.UNIT_POWER * size))


def _root(covariance: Floats) -> Floats:
    return np.asarray(np.linalg.cholesky(covariance + _SMALL * np.eye(len(covariance))))


def _common_fit(root: Floats, precision: Floats, pull: Floats) -> Floats:
    """What a common part of covariance root root' adds to the log-likelihood (grid,)."""
    inner = root.T @ precision @ root + np.eye(len(root))
    turned = pull @ root
    solved = np.linalg.solve(inner, turned[..., None])[..., 0]
    return np.asarray(0.5 * (turned * solved).sum(axis=1) - 0.5 * np.linalg.slogdet(inner)[1])


def _log_prior(size: Floats, middle: float, least: float) -> Floats:
    """Lognormal with sd 1 about the middle; a size of 0 stands where ``least`` does."""
    return np.asarray(-0.5 * np.log(np.maximum(size, least) / middle) ** 2)


def _as_ability(x: Floats, losses: Floats, values: Floats) -> Floats:
    """Losses (m,) as abilities: -log loss, stretched to the middle slope of the benchmarks.

    A rung that is off in loss is then off by as much as it is in ability.
    """
    centred = x - x.mean()
    known = np.isfinite(values).all(axis=1)
    slopes = values[known] @ centred
    falling = -np.log(losses)
    falling = falling - falling.mean()
    own = float(falling @ centred)
    stretch = float(np.median(slopes)) / own if own > 0 and known.any() else 1.0
    return np.asarray(stretch * falling)
