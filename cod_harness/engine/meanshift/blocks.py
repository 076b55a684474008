"""Balls of one radius around many centres at once: what MeanShift and its bandwidth ask for.

Centres near each other share almost the same neighbours.  So they are taken in blocks of
neighbours, and a look at the points from the middle of a block leaves three kinds: points beyond
the reach of the whole block, points inside the ball of every centre, whose sum is taken once, and
a shell between, where each pair is asked for itself.  Blocks beside each other look at all points
together first, and each then at the shell of that look.  Pairs are answered by matrix products in
single precision; those too close to the radius for it to be sure are answered again by
differences, rounded as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KDTree
from threadpoolctl import ThreadpoolController

from cod_harness.engine.arrays import Bools, Floats, Ints

Singles = NDArray[np.float32]

Map = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]

_EPS = float(np.finfo(np.float64).eps)
_ROWS_WORTH_THREADS = 25_000
_BLOCK_CENTERS = 48  # half of the most
_FEWEST_CENTERS = 4
_POINTS_PER_BLOCK = 10_000
_REGION = 8  # blocks that look at all points together
_SHELL_ENTRIES = 150_000  # of a product: it stays in the processor's cache
_LOOK_ENTRIES = 1_000_000  # middles of blocks x points looked at together, 8 MB


@contextmanager
def threads(rows: int = 0) -> Iterator[Map]:
    """A map over as many threads as the matrix products were allowed (OMP_NUM_THREADS, say).

    Products of one block are too small to be shared out, so each runs in one thread.  With few
    rows threads wait for the interpreter more than they save, so there is one.
    """
    pools = ThreadpoolController()
    blas = pools.select(user_api="blas").info()
    number = max((library["num_threads"] for library in blas), default=1)
    with pools.limit(limits=1):
        if number == 1 or rows < _ROWS_WORTH_THREADS:
            yield map
        else:
            with ThreadPoolExecutor(number) as pool:
                yield pool.map


@dataclass(frozen=True)
class Block:
    """Neighbouring centres: which of them, a point amid them and its distance to each."""

    members: Ints
    middle: Floats
    offsets: Floats

    @property
    def reach(self) -> float:
        return float(self.offsets.max())


def blocks(centers: Floats, points: int = 0, most: int = _BLOCK_CENTERS) -> list[Block]:
    """The centres, (c, features), in groups of neighbours to be laid over so many points.

    Groups have from ``most`` to twice as many members, fewer where there are many points.

    Few centres are far apart and make wide shells; with many points that costs more than more
    blocks do.
    """
    size = len(centers) // max(1, points // _POINTS_PER_BLOCK)
    size = min(most, max(_FEWEST_CENTERS, size))
    order, starts = np.arange(len(centers)), np.array([0])
    if len(centers) > size:
        _, order, nodes, _ = KDTree(centers, leaf_size=size).get_arrays()
        leaves = np.sort(nodes[nodes["is_leaf"] == 1], order="idx_start")
        starts = leaves["idx_start"]
    ordered = centers[order]
    middles = (np.minimum.reduceat(ordered, starts) + np.maximum.reduceat(ordered, starts)) / 2
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(centers)))
    offsets = np.sqrt(differences(ordered, middles[group]))
    parts = zip(np.split(order, starts[1:]), middles, np.split(offsets, starts[1:]), strict=True)
    return [Block(*part) for part in parts]


def _balls(blocks: list[Block]) -> tuple[Floats, Floats]:
    return np.array([one.middle for one in blocks]), np.array([one.reach for one in blocks])


def distinct(rows: Floats) -> tuple[Floats, Ints, Ints]:
    """Distinct rows in order of their coordinates, which of them each row is, and how many are."""
    order = np.lexsort(rows.T[::-1])
    arranged = rows[order]
    fresh: Bools = np.ones(len(rows), dtype=bool)
    fresh[1:] = (arranged[1:] != arranged[:-1]).any(axis=1)
    index = np.empty(len(rows), dtype=np.intp)
    index[order] = np.cumsum(fresh) - 1
    starts = np.flatnonzero(fresh)
    return arranged[starts], index, np.diff(starts, append=len(rows))


def differences(left: Floats, right: Floats) -> Floats:
    """Squared distances of paired rows, summed feature by feature as scikit-learn's tree does."""
    squared = np.zeros(max(len(left), len(right)))
    for feature in range(left.shape[1]):
        difference = left[:, feature] - right[:, feature]
        squared += difference * difference
    return squared


class Points:
    """Distinct points with multiplicities, ready for products with centres."""

    def __init__(self, points: Floats, counts: Ints) -> None:
        self.points = points
        self.counts = counts
        # Products are taken about the middle of the points, where they cancel least.
        self.origin = points.mean(axis=0)
        centred = points - self.origin
        norms = (centred * centred).sum(axis=1)
        self.dual = np.column_stack([-2.0 * centred, norms])
        self.rough_dual = self.dual.astype(np.float32)
        reach = float(norms.max(initial=0.0)) ** 0.5
        largest = float(np.abs(points).max(initial=0.0))
        # Above what a product can be wrong by, and above what the last bits of a mean of many
        # points move a squared distance by.
        summed = 16 * points.shape[1] + int(counts.sum())
        self.doubt = _EPS * summed * reach * (reach + largest)
        # The same of products in single precision: both factors rounded, and every sum of terms,
        # whose sizes add up to 3 x reach^2 at most; comparing rounds once more.
        roundings = points.shape[1] + 5
        self.rough_doubt = roundings * float(np.finfo(np.float32).eps) / 2 * 3 * reach * reach
        # A large random integer per point: its sum over a set of points, exact below 2^53, names
        # the set.
        names = np.random.default_rng(0).integers(1, 2**52 // max(len(points), 1), len(points))
        self.payload = np.column_stack([points * counts[:, None], counts, names])

    def centred(self, centers: Floats) -> tuple[Floats, Floats]:
        """Left factors of the product with ``dual``, and what it leaves out, |c|^2."""
        moved = centers - self.origin
        return np.column_stack([moved, np.ones(len(moved))]), (moved * moved).sum(axis=1)

    def squared(self, centers: Floats) -> Floats:
        """Squared distances (centers, points) to rounding error; may be slightly negative."""
        factor, norms = self.centred(centers)
        product = factor @ self.dual.T
        product += norms[:, None]
        return np.asarray(product, dtype=np.float64)

    def rough(self, centers: Floats, dual: Singles | None = None) -> Singles:
        """The same to ``rough_doubt``, in single precision; to the points of ``dual``, if told."""
        factor, norms = self.centred(centers)
        dual = self.rough_dual if dual is None else dual
        product: Singles = factor.astype(np.float32) @ dual.T
        product += norms[:, None].astype(np.float32)
        return product

    def portions(self, blocks: list[Block]) -> list[list[Block]]:
        """The blocks in portions whose middles look at all points together."""
        step = max(1, min(8, _LOOK_ENTRIES // len(self.points)))
        return [blocks[at : at + step] for at in range(0, len(blocks), step)]


@dataclass(frozen=True)
class Look:
    """What balls about any of some neighbouring centres have in common."""

    held: Floats
    """Sum of ``Points.payload`` over the points in all of the balls."""
    shell: Ints
    """The points in some of them only, perhaps."""
    dual: Singles
    """``Points.rough_dual`` and ``Points.payload`` of the shell, side by side in memory."""
    payload: Floats


class Windows:
    """Balls of one radius laid over the points."""

    def __init__(self, points: Points, radius: float) -> None:
        self.points = points
        self.radius = radius
        nothing = np.zeros(points.payload.shape[1])
        everywhere = np.arange(len(points.points))
        self.first = Look(nothing, everywhere, points.rough_dual, points.payload)

    def at(self, centers: Floats, each: Map) -> Sums:
        """What the balls about the centres hold."""
        sums = Sums.of(self.points, len(centers))
        groups = blocks(centers, len(self.points.points))

        def lay(region: list[Block]) -> None:
            """One look at all points for the region, and one at its shell for each block."""
            look = self.first
            middles, reaches = _balls(region)
            if len(region) > 1:
                middle = (middles.min(axis=0) + middles.max(axis=0)) / 2
                reach = (np.sqrt(differences(middles, middle[None])) + reaches).max()
                (look,) = self._looks(middle[None], np.array([reach]), look)
            for block, part in zip(region, self._looks(middles, reaches, look), strict=True):
                self._add(sums, centers, part, block.members)

        for _ in each(lay, [groups[at : at + _REGION] for at in range(0, len(groups), _REGION)]):
            pass
        return sums

    def _looks(self, middles: Floats, reaches: Floats, look: Look) -> list[Look]:
        """One for all centres within each reach of a middle, out of a look good for them all."""
        squared = self.points.rough(middles, look.dual)
        least = np.maximum(self.radius - reaches, 0.0) ** 2 - self.points.rough_doubt
        most = (self.radius + reaches) ** 2 + self.points.rough_doubt
        inside = squared <= least[:, None].astype(np.float32)
        shell = squared <= most[:, None].astype(np.float32)
        shell ^= inside
        looks = []
        for common, near in zip(inside, shell, strict=True):
            held = look.held + look.payload.take(np.flatnonzero(common), axis=0).sum(axis=0)
            edge = np.flatnonzero(near)
            dual, payload = look.dual.take(edge, axis=0), look.payload.take(edge, axis=0)
            looks.append(Look(held, look.shell.take(edge), dual, payload))
        return looks

    def _add(self, sums: Sums, centers: Floats, look: Look, members: Ints) -> None:
        """Sums over the balls of some of the centres."""
        mine = centers[members]
        factor, norms = self.points.centred(mine)
        rough = factor.astype(np.float32)
        limit = (self.radius * self.radius - norms)[:, None]
        held = look.held
        step = max(1, _SHELL_ENTRIES // len(members))
        for start in range(0, len(look.shell), step):
            some = slice(start, start + step)
            product = rough @ look.dual[some].T
            within, tied = self._within(product, limit, mine, look.shell[some])
            held = held + within.astype(np.float64) @ look.payload[some]
            sums.tied[members[tied]] = True
        sums.payload[members] = held

    def _within(
        self, product: Singles, limit: Floats, centers: Floats, columns: Ints
    ) -> tuple[Bools, Ints]:
        """Which points of ``columns`` lie in which ball, and the balls with a point on the edge.

        ``product`` and ``limit`` are squared distances and radius, less |c|^2, the former roughly.
        """
        doubt = self.points.rough_doubt
        within: Bools = product <= (limit - doubt).astype(np.float32)
        perhaps = product <= (limit + doubt).astype(np.float32)
        if np.count_nonzero(perhaps) == np.count_nonzero(within):
            return within, np.empty(0, dtype=np.intp)
        at, column = np.divmod(np.flatnonzero(perhaps ^ within), len(columns))
        exact = differences(centers[at], self.points.points[columns[column]])
        excess = exact - self.radius * self.radius
        within[at, column] = excess <= 0
        return within, at[np.abs(excess) <= self.points.doubt]


@dataclass
class Sums:
    """What balls hold: sums of ``Points.payload``, (centers, features + 2), and whether a point
    is so close to the radius that the last bits of the centre decide about it."""

    points: Points
    payload: Floats
    tied: Bools

    @classmethod
    def of(cls, points: Points, number: int) -> Sums:
        payload = np.zeros((number, points.payload.shape[1]))
        return cls(points, payload, np.zeros(number, dtype=bool))

    @property
    def mean(self) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.payload[:, :-2] / self.payload[:, -2:-1], dtype=np.float64)

    @property
    def height(self) -> Floats:
        """How many rows a ball holds."""
        return self.payload[:, -2]

    @property
    def name(self) -> NDArray[np.complex128]:
        """The same number for two balls exactly when they hold the same points.

        Among the many balls of many points two sums of random integers may meet by chance, though
        hardly two that hold equally many rows.
        """
        return self.payload[:, -1] + 1j * self.payload[:, -2]

    def replace(self, at: int, held: Ints) -> None:
        """Says which points (any of them repeated) ball ``at`` holds."""
        self.payload[at] = self.points.payload[np.unique(held)].sum(axis=0)
