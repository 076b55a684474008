"""MeanShift of more rows than the exact one is affordable for.

What makes the exact one expensive is that every row is a seed.  Here a sample of the rows is, the
smaller the more rows there are.  The seeds climb over all rows, and every row is labelled: a
sample of the windows' points would cost more agreement with the exact partition than one of seeds.

Samples are systematic: every so manieth row along a walk through the cells of a tree, which
spreads them as the rows are spread.  The walk starts from rows in order of their coordinates, so
neither the order of the rows nor chance has a part in it.
"""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import KDTree

from cod_harness.engine.arrays import Floats, Ints
from cod_harness.engine.meanshift.bandwidth import mean_reach
from cod_harness.engine.meanshift.blocks import Map, Points, Windows, distinct
from cod_harness.engine.meanshift.exact import climbed, nearest, without_near_duplicates

MOST_SEEDS = 10_000
PAIRS = 1_000_000_000  # seeds x rows: some twenty seconds of one core
NEIGHBOUR_ROWS = 100_000  # among which the reach of a row is measured
_CELL_ROWS = 8
_GRAIN = 0.01  # share of R within which trajectories are one; 0.02 costs agreement


def sampled_mean_shift(rows: Floats, radius: float, each: Map) -> tuple[Floats, Ints]:
    """Centres (clusters, n_features) and labels (n,), nearly those of ``mean_shift``."""
    points, index, counts = distinct(rows)
    size = min(MOST_SEEDS, max(1, PAIRS // len(rows)))
    walk = _walk(points)
    seeds, _ = _sample(points, counts, walk, size)
    windows = Windows(Points(points[walk], counts[walk]), radius)  # neighbours side by side
    ends = climbed(windows, seeds, np.arange(len(seeds)), each, grain=_GRAIN * radius)
    centers = without_near_duplicates(ends.mean, ends.height, radius)
    return centers, nearest(centers, points)[index]


def sampled_radius(rows: Floats, quantile: float, largest: float, each: Map) -> float:
    """Nearly ``neighbourhood_radius``: the mean over a sample of rows, among a larger one."""
    points, _, counts = distinct(rows)
    walk = _walk(points)
    among = Points(*_sample(points, counts, walk, NEIGHBOUR_ROWS))
    # The partition feels a thousandth of R, so all rows speak where that is affordable.
    some, weights = _sample(points, counts, walk, PAIRS // int(among.counts.sum()))
    return mean_reach(some, weights, among, quantile, largest, each)


def _walk(points: Floats) -> Ints:
    order: Ints = KDTree(points, leaf_size=_CELL_ROWS).get_arrays()[1]
    return order


def _sample(points: Floats, counts: Ints, walk: Ints, size: int) -> tuple[Floats, Ints]:
    """``size`` of the rows that the points and counts stand for, as points and counts."""
    total = int(counts.sum())
    if total <= size:
        return points, counts
    passed = np.cumsum(counts[walk])
    picks = (np.arange(size) + 0.5) * (total / size)
    taken = walk[np.searchsorted(passed, picks, side="right")]
    multiplicity = np.bincount(taken, minlength=len(points))
    kept = np.flatnonzero(multiplicity)
    return points[kept], multiplicity[kept]
