"""Improved MeanShift (paper A.1, Algorithm 1), without an n x n array or a loop over seeds.

The partition is that of the algorithm run on scikit-learn's own ``MeanShift`` and
``estimate_bandwidth``.  Three facts make it cheap without changing it:

* equal rows are equal seeds, so only distinct rows travel, carrying their multiplicity;
* two trajectories whose windows hold the same points are at the same mean, so they are one
  trajectory from then on;
* "is this point within R" is answered for a block of centres by one matrix product.  The product
  rounds differently from scikit-learn's differences, so pairs too close to R for it to be sure
  are answered again by differences.

What remains is the last bit of a mean, which depends on the order of summation (scikit-learn sums
in the order of its tree).  It matters only when a point lies at exactly R from a later mean.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.cluster import MeanShift
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from .arrays import Bools, Floats, Ints

OUTLIER = -1
MIN_CLUSTER_SIZE = 10  # K of Algorithm 1
QUANTILE = 0.1  # Q
MAX_DISTANCE_FRACTION = 0.1  # U = this x the largest distance in the unit cube

_STOP = 1e-3  # MeanShift stops at a shift below this share of R ...
_MAX_ITERATIONS = 300  # ... or after this many steps
_BRUTE_ROWS = 11  # up to here scikit-learn searches by brute force, which rounds its own way
_BLOCK = 2_000_000  # entries of a distance block (16 MB)
_SUM_BATCH = 500  # estimate_bandwidth sums in batches of 500 rows


class ImprovedMeanShift(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Flat-kernel MeanShift repeated on what it leaves over (Algorithm 1, A.1).

    Every round clusters the rows that have no label yet with one fixed bandwidth R; rows farther
    than R from their centre and clusters of fewer than ``min_cluster_size`` rows go back, and the
    rounds end when one changes nothing.  Rows without a label in the end are outliers, -1.

    Parameters
    ----------
    min_cluster_size : K, the fewest rows of a cluster.
    quantile : Q, the share of rows that counts as a row's neighbourhood when R is estimated.
    bandwidth : R itself; None estimates it, ``min(estimate_bandwidth(X, quantile=Q), U)``.
    max_distance_fraction : U as a share of ``sqrt(n_features)``, the largest distance there is
        between rows of rates.

    Attributes
    ----------
    labels_ : (n,) int, -1 for outliers.
    cluster_centers_ : (clusters, n_features), the centres of the round that made each cluster.
    bandwidth_ : R.
    n_rounds_ : rounds run.

    Notes
    -----
    R is 0 when every row has many equals, or when there are so few rows (n x quantile < 2) that
    a row's nearest neighbour is itself.  scikit-learn's MeanShift refuses that; here the answer is
    the one for a vanishing R: equal rows form a cluster, everything else is an outlier.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "min_cluster_size": [Interval(Integral, 1, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "bandwidth": [Interval(Real, 0, None, closed="left"), None],
        "max_distance_fraction": [Interval(Real, 0, None, closed="left")],
    }

    labels_: Ints
    cluster_centers_: Floats
    bandwidth_: float
    n_rounds_: int

    def __init__(
        self,
        min_cluster_size: int = MIN_CLUSTER_SIZE,
        quantile: float = QUANTILE,
        bandwidth: float | None = None,
        max_distance_fraction: float = MAX_DISTANCE_FRACTION,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.quantile = quantile
        self.bandwidth = bandwidth
        self.max_distance_fraction = max_distance_fraction

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: object = None) -> ImprovedMeanShift:
        """Cluster the rows of X, (n, n_features).  Raises ValueError on NaN or an empty X."""
        rows: Floats = validate_data(self, X, dtype=np.float64, order="C")
        radius = self.bandwidth
        if radius is None:
            largest = self.max_distance_fraction * float(np.sqrt(rows.shape[1]))
            radius = neighbourhood_radius(rows, self.quantile, largest)
        self.bandwidth_ = float(radius)
        self.labels_ = np.full(len(rows), OUTLIER, dtype=np.intp)
        centers: list[Floats] = []
        self.n_rounds_ = 0
        while True:
            left = np.flatnonzero(self.labels_ == OUTLIER)
            if len(left) < self.min_cluster_size:
                break  # a round could not make a cluster, hence would change nothing
            self.n_rounds_ += 1
            candidates, labels = mean_shift(rows[left], self.bandwidth_)
            near = np.linalg.norm(rows[left] - candidates[labels], axis=1) <= self.bandwidth_
            sizes = np.bincount(labels[near], minlength=len(candidates))
            kept = np.flatnonzero(sizes >= self.min_cluster_size)
            if len(kept) == 0:
                break
            number = np.full(len(candidates), OUTLIER, dtype=np.intp)
            number[kept] = np.arange(len(kept)) + sum(map(len, centers))
            self.labels_[left[near]] = number[labels[near]]
            centers.append(candidates[kept])
        self.cluster_centers_ = np.concatenate([np.empty((0, rows.shape[1])), *centers])
        return self


def neighbourhood_radius(rows: Floats, quantile: float, largest: float) -> float:
    """``min(sklearn.cluster.estimate_bandwidth(rows, quantile=quantile), largest)``.

    The mean over rows of the distance to the row's (n x quantile)-th neighbour, itself included.
    Stops as soon as the sum so far proves the mean to be above ``largest``.
    """
    n = len(rows)
    rank = max(int(n * quantile), 1) - 1
    distinct, first_of, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    first_of = first_of.reshape(-1)
    columns = np.repeat(np.arange(len(distinct)), counts)
    window = _Window(distinct, np.inf)
    step = max(1, min(_SUM_BATCH, _BLOCK // n))
    total = 0.0
    for start in range(0, n, _SUM_BATCH):
        batch = rows[start : start + _SUM_BATCH]
        farthest = np.empty(len(batch))
        for at in range(0, len(batch), step):
            block = batch[at : at + step]
            squared = window.squared_distances(block)
            # A row and its equals are at 0, not at what the product left of 0.
            squared[np.arange(len(block)), first_of[start + at : start + at + len(block)]] = 0.0
            if len(distinct) < n:
                squared = squared[:, columns]
            chosen = columns[np.argpartition(squared, rank, axis=1)[:, rank]]
            farthest[at : at + len(block)] = np.sqrt(_differences(block, distinct[chosen]))
        total += float(farthest.sum())
        if total / n > largest * (1 + 1e-9):
            return largest
    return min(total / n, largest)


def mean_shift(rows: Floats, radius: float) -> tuple[Floats, Ints]:
    """Centres (clusters, n_features) and labels (n,) of ``sklearn.cluster.MeanShift(radius)``.

    Every row is a seed and every row is labelled, by its nearest centre.
    """
    if radius == 0:
        centers, labels = np.unique(rows, axis=0, return_inverse=True)
        return centers, labels.reshape(-1)
    if len(rows) <= _BRUTE_ROWS:
        model = MeanShift(bandwidth=radius).fit(rows)
        return model.cluster_centers_, model.labels_
    summits, heights = _summits(rows, radius)
    centers = _without_near_duplicates(summits, heights, radius)
    # scikit-learn's own search decides between equally near centres.
    nearest = NearestNeighbors(n_neighbors=1).fit(centers).kneighbors(rows, return_distance=False)
    return centers, nearest.reshape(-1)


def _summits(rows: Floats, radius: float) -> tuple[Floats, Ints]:
    """Where the trajectories of all seeds end, each place once, and how many rows made it."""
    distinct, inverse, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    last_seed = np.zeros(len(distinct), dtype=np.intp)
    np.maximum.at(last_seed, inverse.reshape(-1), np.arange(len(rows)))
    window = _Window(distinct, radius, counts)
    means = distinct
    ended: list[tuple[Floats, Floats, Ints]] = []
    for iteration in range(_MAX_ITERATIONS + 1):
        arrived, height, place = window.means(means)
        filled = height > 0
        with np.errstate(invalid="ignore"):
            still = np.linalg.norm(arrived - means, axis=1) <= _STOP * radius
        stops = filled & (still | (iteration == _MAX_ITERATIONS))
        ended.append((arrived[stops], height[stops], last_seed[stops]))
        goes = np.flatnonzero(filled & ~stops)
        if len(goes) == 0:
            break
        _, representative, group = np.unique(place[goes], return_index=True, return_inverse=True)
        means = arrived[goes[representative]]
        merged = np.zeros(len(means), dtype=np.intp)
        np.maximum.at(merged, group.reshape(-1), last_seed[goes])
        last_seed = merged
    places, heights, seeds = (np.concatenate(part) for part in zip(*ended, strict=True))
    # scikit-learn keeps one height per place, that of the last seed to arrive there.
    summits, group = np.unique(places, axis=0, return_inverse=True)
    by_seed = np.argsort(seeds, kind="stable")
    kept = np.zeros(len(summits), dtype=np.intp)
    kept[group.reshape(-1)[by_seed]] = heights[by_seed].astype(np.intp)
    return summits, kept


def _without_near_duplicates(summits: Floats, heights: Ints, radius: float) -> Floats:
    """The summits, highest first, less those within ``radius`` of a kept higher one.

    Equal heights are ordered by coordinates, as in scikit-learn.
    """
    order = np.lexsort((*summits.T[::-1], heights))[::-1]
    summits = np.ascontiguousarray(summits[order])
    kept: Bools = np.ones(len(summits), dtype=bool)
    search = NearestNeighbors(radius=radius).fit(summits)
    for i in range(len(summits)):
        if kept[i]:
            near = search.radius_neighbors(summits[i : i + 1], return_distance=False)[0]
            kept[near] = False
            kept[i] = True
    return summits[kept]


def _differences(left: Floats, right: Floats) -> Floats:
    """Squared distances of paired rows, summed feature by feature as scikit-learn's tree does."""
    squared = np.zeros(len(left))
    for feature in range(left.shape[1]):
        difference = left[:, feature] - right[:, feature]
        squared += difference * difference
    return squared


class _Window:
    """The ball of one radius, laid over distinct points that carry multiplicities."""

    def __init__(self, points: Floats, radius: float, counts: Ints | None = None) -> None:
        self.points = points
        self.squared_radius = radius * radius
        # Products are taken about the middle of the points, where they cancel least.
        self.origin = points.mean(axis=0)
        centred = points - self.origin
        norms = (centred * centred).sum(axis=1)
        self.dual = np.ascontiguousarray(np.column_stack([-2.0 * centred, norms]).T)
        reach = float(norms.max(initial=0.0)) ** 0.5
        unit = float(np.finfo(np.float64).eps) * points.shape[1]
        self.doubt = 16 * unit * reach * (reach + float(np.abs(points).max(initial=0.0)))
        if counts is not None:
            weight = counts.astype(np.float64)
            # Two random integers per point: their sums over a window, exact below 2^53, name the
            # set of points in it.
            keys = np.random.default_rng(0).integers(1, 2**31, size=(len(points), 2))
            self.payload = np.column_stack([points * weight[:, None], weight, keys])

    def squared_distances(self, centers: Floats) -> Floats:
        """(centers, points), to rounding error ``doubt``; may be slightly negative."""
        centred = centers - self.origin
        squared = np.column_stack([centred, np.ones(len(centred))]) @ self.dual
        squared += (centred * centred).sum(axis=1)[:, None]
        return np.asarray(squared, dtype=np.float64)

    def means(self, centers: Floats) -> tuple[Floats, Floats, Ints]:
        """For each centre: the mean of the rows within the radius, how many, and a number that
        two centres share exactly when their windows hold the same points (mean then equal)."""
        step = max(1, _BLOCK // len(self.points))
        sums = np.empty((len(centers), self.payload.shape[1]))
        for start in range(0, len(centers), step):
            block = centers[start : start + step]
            squared = self.squared_distances(block)
            squared -= self.squared_radius
            within = squared <= 0
            np.abs(squared, out=squared)
            at, point = np.nonzero(squared <= self.doubt)
            exact = _differences(block[at], self.points[point])
            within[at, point] = exact <= self.squared_radius
            sums[start : start + step] = within.astype(np.float64) @ self.payload
        features = self.points.shape[1]
        _, first, place = np.unique(
            sums[:, features + 1 :], axis=0, return_index=True, return_inverse=True
        )
        place = place.reshape(-1)
        height = sums[:, features]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = sums[:, :features] / height[:, None]
        return mean[first][place], height, place
