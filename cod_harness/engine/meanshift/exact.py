"""scikit-learn's flat-kernel MeanShift, every row a seed, without a loop over seeds.

Three facts make it cheap without changing it:

* equal rows are equal seeds, so only distinct rows travel;
* two trajectories whose windows hold the same points, be it after different numbers of steps, are
  at the same mean, so they go on as one: no window is looked at twice;
* the windows of neighbouring centres are nearly the same (see `meanshift_blocks`).

The last bit of a mean depends on the order of summation, and scikit-learn sums in the order of its
tree.  It matters where a point lies at exactly R from a mean, which rates on a decimal grid do now
and then; those steps, and the last one of every trajectory, are taken by scikit-learn's tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MeanShift
from sklearn.neighbors import NearestNeighbors

from cod_harness.engine.arrays import Bools, Floats, Ints
from cod_harness.engine.meanshift.blocks import Map, Points, Windows, distinct

_STOP = 1e-3  # MeanShift stops at a shift below this share of R ...
_MAX_ITERATIONS = 300  # ... or after this many steps
_ASKED_TOGETHER = 64  # summits
_TREE_FEATURES = 15  # beyond, scikit-learn's searches of several at once may round their own way
_BRUTE_ROWS = 11  # up to here scikit-learn searches by brute force, which rounds its own way


def mean_shift(rows: Floats, radius: float, each: Map) -> tuple[Floats, Ints]:
    """Centres (clusters, n_features) and labels (n,) of ``sklearn.cluster.MeanShift(radius)``.

    Every row is a seed and every row is labelled, by its nearest centre.
    """
    if radius == 0:
        centers, labels, _ = distinct(rows)
        return centers, labels
    if len(rows) <= _BRUTE_ROWS:
        model = MeanShift(bandwidth=radius).fit(rows)
        return model.cluster_centers_, model.labels_
    summits, heights = _summits(rows, radius, each)
    centers = without_near_duplicates(summits, heights, radius)
    return centers, nearest(centers, rows)


def _summits(rows: Floats, radius: float, each: Map) -> tuple[Floats, Floats]:
    """Where the trajectories of all seeds end, each place once, and how many rows made it."""
    points, index, counts = distinct(rows)
    last_seed = np.zeros(len(points), dtype=np.intp)
    np.maximum.at(last_seed, index, np.arange(len(rows)))
    windows = Windows(Points(points, counts), radius)
    tree = Tree(rows, index, radius)
    ends = climbed(windows, points, last_seed, each, tree)
    steps = tree.steps(ends.before)
    # scikit-learn keeps one height per place, that of the last seed to arrive there.
    summits, place, _ = distinct(np.array([mean for mean, _ in steps]))
    heights = np.zeros(len(summits))
    by_seed = np.argsort(ends.seed)
    heights[place[by_seed]] = np.array([height for _, height in steps])[by_seed]
    return summits, heights


@dataclass(frozen=True)
class Ends:
    """Where trajectories ended, one row per window they ended with."""

    before: Floats
    """The centre of that window."""
    mean: Floats
    height: Floats
    """How many rows are in it."""
    seed: Ints
    """The last seed among those that came here."""


def climbed(
    windows: Windows,
    starts: Floats,
    seeds: Ints,
    each: Map,
    tree: Tree | None = None,
    grain: float = 0.0,
) -> Ends:
    """The ends of the trajectories from ``starts``, to the last bit where there is a ``tree``.

    Trajectories in one cell of a grid of width ``grain``, if that is not 0, go on as one.
    """
    own = np.arange(len(starts))
    before, means = starts, starts.copy()
    passed: list[tuple[NDArray[Any], ...]] = []
    known: dict[complex, int] = {}  # the number of a place
    number = len(starts)
    for iteration in range(_MAX_ITERATIONS + 1):
        window = windows.at(means, each)
        if tree is not None and iteration > 0:  # seeds are given to the last bit
            for at in np.flatnonzero(window.tied):
                means[at] = tree.steps(before[at : at + 1])[0][0]
                window.replace(int(at), tree.within(means[at]))
        arrived, height, name = window.mean, window.height, window.name
        with np.errstate(invalid="ignore"):
            still = np.linalg.norm(arrived - means, axis=1) <= _STOP * windows.radius
        onward = own.copy()  # to itself where it ends
        passed.append((own, onward, name, means, arrived, height))
        goes = np.flatnonzero((height > 0) & ~still)
        place: NDArray[Any] = name[goes]
        if grain:
            goes = goes[np.argsort(-height[goes], kind="stable")]  # the highest leads on
            place = number + distinct(np.round(arrived[goes] / grain))[1]  # of this step alone
        places, first, group = np.unique(place, return_index=True, return_inverse=True)
        numbers = number + np.arange(len(places))
        number += len(places)
        told = map(known.setdefault, places.tolist(), numbers.tolist())
        found = np.fromiter(told, dtype=np.intp, count=len(places))
        onward[goes] = found[group]
        fresh = found == numbers
        own, leading = numbers[fresh], goes[first[fresh]]
        if len(leading) == 0:
            break
        before, means = means[leading], arrived[leading]
    own, onward, names, before, means, heights = (
        np.concatenate(parts) for parts in zip(*passed, strict=True)
    )
    onward = np.searchsorted(own, onward)
    ends = _followed(onward, len(starts))
    first, last = _merged(ends, seeds)
    ends = ends[first]
    ends, last = ends[heights[ends] > 0], last[heights[ends] > 0]
    first, last = _merged(names[ends], last)
    ends = ends[first]
    return Ends(before[ends], means[ends], heights[ends], last)


def _followed(onward: Ints, number: int) -> Ints:
    """Where the paths of the first ``number`` are after the most steps."""
    at = np.arange(number)
    moving = np.arange(number)
    for _ in range(_MAX_ITERATIONS):
        moving = moving[onward[at[moving]] != at[moving]]
        at[moving] = onward[at[moving]]
    return at


def _merged(names: NDArray[Any], seeds: Ints) -> tuple[Ints, Ints]:
    """Where each name first stands, and the last seed under it."""
    _, first, group = np.unique(names, return_index=True, return_inverse=True)
    last = np.zeros(len(first), dtype=np.intp)
    np.maximum.at(last, group, seeds)
    return first, last


class Tree:
    """scikit-learn's own windows over the rows, in its order."""

    def __init__(self, rows: Floats, index: Ints, radius: float) -> None:
        self.rows = rows
        self.index = index
        self.search = NearestNeighbors(radius=radius).fit(rows)

    def steps(self, means: Floats) -> list[tuple[Floats, int]]:
        """For each mean the next one and how many rows made it."""
        windows = self.search.radius_neighbors(means, return_distance=False)
        return [(self.rows.take(window, axis=0).mean(axis=0), len(window)) for window in windows]

    def within(self, mean: Floats) -> Ints:
        """The distinct points of the window, any of them repeated."""
        return self.index[_near(mean, self.search)]


def _near(mean: Floats, search: NearestNeighbors) -> Ints:
    found: Ints = search.radius_neighbors(mean[None], return_distance=False)[0]
    return found


def without_near_duplicates(summits: Floats, heights: Floats, radius: float) -> Floats:
    """The summits, highest first, less those within ``radius`` of a kept higher one.

    Equal heights are ordered by coordinates, as in scikit-learn.
    """
    order = np.lexsort((*summits.T[::-1], heights))[::-1]
    summits = np.ascontiguousarray(summits[order])
    kept: Bools = np.ones(len(summits), dtype=bool)
    search = NearestNeighbors(radius=radius).fit(summits)
    step = _ASKED_TOGETHER if summits.shape[1] <= _TREE_FEATURES else 1
    for start in range(0, len(summits), step):
        some = start + np.flatnonzero(kept[start : start + step])
        if len(some):
            windows = search.radius_neighbors(summits[some], return_distance=False)
            for at, window in zip(some, windows, strict=True):
                if kept[at]:
                    kept[window] = False
                    kept[at] = True
    return summits[kept]


def nearest(centers: Floats, rows: Floats) -> Ints:
    """The nearest centre of each row; scikit-learn's own search decides between equally near."""
    search = NearestNeighbors(n_neighbors=1).fit(centers)
    found: Ints = search.kneighbors(rows, return_distance=False)
    return found.reshape(-1)
