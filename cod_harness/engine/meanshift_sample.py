"""MeanShift of more rows than the exact one is affordable for.

What makes the exact one expensive is that every row is a seed.  Here a sample of the rows is, and
they climb over all rows; beyond `WINDOW_ROWS` they climb over a sample of these, and only from
where they end over all rows.  Heights, and so the choice between summits, come from all rows, and
every row is labelled.

Samples are systematic: every so manieth row along a walk through the cells of a tree, which
spreads them as the rows are spread.  The walk starts from rows in order of their coordinates, so
the order of the rows and chance have no part in it.
"""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import KDTree

from .arrays import Floats, Ints
from .meanshift import Ends, climbed, nearest, without_near_duplicates
from .meanshift_blocks import Map, Points, Windows, distinct
from .meanshift_radius import mean_reach

SEEDS = 10_000
WINDOW_ROWS = 100_000
_CELL_ROWS = 8
_SAME_SUMMIT = 0.02  # share of R within which ends over a sample are one start over all rows


def sampled_mean_shift(rows: Floats, radius: float, each: Map) -> tuple[Floats, Ints]:
    """Centres (clusters, n_features) and labels (n,), nearly those of ``mean_shift``."""
    points, index, counts = distinct(rows)
    walk = _walk(points)
    starts, _ = _sample(points, counts, walk, SEEDS)
    some, of_some = _sample(points, counts, walk, WINDOW_ROWS)
    ends = _ends(some, of_some, starts, radius, each)
    if len(some) < len(points):
        starts = without_near_duplicates(ends.mean, ends.height, _SAME_SUMMIT * radius)
        ends = _ends(points, counts, starts, radius, each)
    centers = without_near_duplicates(ends.mean, ends.height, radius)
    return centers, nearest(centers, points)[index]


def _ends(points: Floats, counts: Ints, starts: Floats, radius: float, each: Map) -> Ends:
    windows = Windows(Points(points, counts), radius)
    return climbed(windows, starts, np.arange(len(starts)), each)


def sampled_radius(rows: Floats, quantile: float, largest: float, each: Map) -> float:
    """Nearly ``neighbourhood_radius``: the mean over `SEEDS` rows, among `WINDOW_ROWS` rows."""
    points, _, counts = distinct(rows)
    walk = _walk(points)
    some = _sample(points, counts, walk, SEEDS)
    among = Points(*_sample(points, counts, walk, WINDOW_ROWS))
    return mean_reach(*some, among, quantile, largest, each)


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
