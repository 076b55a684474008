"""The bandwidth of MeanShift: how far a row's nearest tenth of all rows reaches, on average."""

from __future__ import annotations

import numpy as np

from cod_harness.engine.arrays import Bools, Floats, Ints
from cod_harness.engine.meanshift.blocks import (
    Block,
    Map,
    Points,
    Singles,
    blocks,
    differences,
    distinct,
)

_SLACK = 1 + 1e-6  # over what distances from the middles are rounded by
_PAIRS_IN_CACHE = 1_000_000  # rows of a block x points
_PART_ROWS = 8  # half of the most of a block with more pairs
_TURN = 16  # blocks between two looks at whether the proof is complete


def neighbourhood_radius(rows: Floats, quantile: float, largest: float, each: Map) -> float:
    """``min(sklearn.cluster.estimate_bandwidth(rows, quantile=quantile), largest)``."""
    points, _, counts = distinct(rows)
    return mean_reach(points, counts, Points(points, counts), quantile, largest, each)


def mean_reach(
    rows: Floats, weights: Ints, among: Points, quantile: float, largest: float, each: Map
) -> float:
    """The weighted mean over rows of the distance to the (n x quantile)-th nearest of the n rows
    that ``among`` stands for, the row itself included; ``largest`` if it is above that.

    That distance changes no faster than the place it is taken from, so the one in the middle of
    a block of neighbours bounds those of its rows: from above, which says what points need
    no look, and from below, which often proves early that the mean is above ``largest``.
    """
    rank = max(int(among.counts.sum() * quantile), 1) - 1
    groups = blocks(rows, len(among.points))
    portions = among.portions(groups)
    middles = np.concatenate([*each(lambda portion: _of_middles(among, portion, rank), portions)])

    def at_least(index: int) -> float:
        lower = np.maximum(middles[index] - groups[index].offsets, 0.0)
        return float(weights[groups[index].members] @ lower)

    def found(index: int) -> float:
        members = groups[index].members
        reaches = _of_rows(rows[members], groups[index], among, float(middles[index]), rank)
        return float(weights[members] @ reaches)

    lower = [at_least(index) for index in range(len(groups))]
    number = int(weights.sum())
    total = 0.0
    for start in range(0, len(groups), _TURN):
        if total + sum(lower[start:]) > largest * number * _SLACK:
            return largest
        total += sum(each(found, range(start, min(start + _TURN, len(groups)))))
    return min(total / number, largest)


def _of_middles(points: Points, portion: list[Block], rank: int) -> Floats:
    """Distance from the middle of each block to its ``rank``-th nearest row, roughly."""
    squared = points.squared(np.array([block.middle for block in portion])).astype(np.float32)
    if len(points.points) < points.counts.sum():
        squared = np.repeat(squared, points.counts, axis=1)
    chosen = np.partition(squared, rank, axis=1)[:, rank]
    return np.sqrt(np.maximum(chosen, 0.0)).astype(np.float64)


def _of_rows(rows: Floats, block: Block, points: Points, from_middle: float, rank: int) -> Floats:
    """Distance from each row of a block to its ``rank``-th nearest row."""
    nearer, near = _parted(points.rough(block.middle[None])[0], points, block, from_middle)
    rank -= int(points.counts[nearer].sum())
    columns = near.repeat(points.counts.take(near))
    dual = points.rough_dual.take(columns, axis=0)
    if len(rows) * len(columns) <= _PAIRS_IN_CACHE:
        return _ranked(rows, points, columns, dual, rank)
    found = np.empty(len(rows))
    for part in blocks(rows, most=_PART_ROWS):
        squared = points.rough(part.middle[None], dual)[0]
        from_middle = float(max(np.partition(squared, rank)[rank], 0.0)) ** 0.5
        nearer, near = _parted(squared, points, part, from_middle)
        left = rank - int(np.count_nonzero(nearer))
        found[part.members] = _ranked(
            rows[part.members], points, columns.take(near), dual.take(near, axis=0), left
        )
    return found


def _parted(
    squared: Singles, points: Points, block: Block, from_middle: float
) -> tuple[Bools, Ints]:
    """Which points are nearer to all rows of a block than those sought, and which may be sought.

    ``squared`` are the points' squared distances from its middle, ``from_middle`` the one sought.
    """
    slack = block.reach * 2 + from_middle * 1e-6 + 1e-6 + 2 * float(np.sqrt(points.rough_doubt))
    least = max(from_middle - slack, 0.0) ** 2 - points.rough_doubt
    nearer: Bools = squared < np.float32(least)
    return nearer, np.flatnonzero((squared <= np.float32((from_middle + slack) ** 2)) ^ nearer)


def _ranked(rows: Floats, points: Points, columns: Ints, dual: Singles, rank: int) -> Floats:
    """Distance from each row to the ``rank``-th nearest of some of the points."""
    roughly = points.rough(rows, dual)
    chosen = np.partition(roughly, rank, axis=1)[:, rank, None]
    # The one sought is among those that are as far, as far as single precision can tell; these
    # are measured again, by differences.
    least, most = chosen - 2 * points.rough_doubt, chosen + 2 * points.rough_doubt
    nearer = roughly < least
    row, column = np.divmod(np.flatnonzero((roughly <= most) ^ nearer), len(columns))
    exact = differences(rows[row], points.points[columns[column]])
    order = np.lexsort((exact, row))
    at = np.searchsorted(row, np.arange(len(rows))) + rank - _counted(nearer)
    return np.asarray(np.sqrt(exact[order][at]), dtype=np.float64)


def _counted(some: Bools) -> Ints:
    """How many of each row; over an axis NumPy counts far more slowly."""
    return np.array([np.count_nonzero(row) for row in some], dtype=np.intp)
