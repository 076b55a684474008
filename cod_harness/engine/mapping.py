"""From accuracy on the predictable subset to accuracy on the whole benchmark (4.4, C.2, C.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import BSpline, PPoly
from scipy.optimize import nnls

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.verdicts import Reason, because

_DEGREE = 3
_ENDS = 1e3  # weight of reaching 1 at 1, made exact afterwards


@dataclass(frozen=True)
class MonotoneMap:
    """A rising cubic spline f on [0, 1] with f(0) = 0 and f(1) = 1, or near it: see `fit_map`.

    f is a sum of cubic B-splines whose coefficients never fall, which makes it monotone by
    construction; its slope and curvature are continuous.  Among such curves it is the one with the
    fewest pieces whose root mean square error at the points is below T; between and beyond the
    points the slope changes as little as it can.

    (0, 0) and (1, 1) are where nobody and everybody passes.  A benchmark that can be guessed has
    no ladder point below its guess floor: there f merely joins (0, 0) to the first point, and a
    value read off it is an extrapolation (`extrapolates` says so), not a prediction that accuracy
    would go below the floor.

    Attributes
    ----------
    knots : (pieces + 1,) from 0 to 1.
    coefficients : (pieces, 4); on piece i, f(x) = sum_k coefficients[i, k] (x - knots[i])^k.
    rmse : at the points; NaN without points.
    points : (n, 2) of (subset, full) accuracy the map was fitted to, rungs first, then anchors.
    notes : what to know before trusting it.
    """

    knots: Floats
    coefficients: Floats
    rmse: float
    points: Floats
    notes: tuple[Reason, ...] = field(default=())

    def __call__(self, subset: ArrayLike) -> Floats:
        """Accuracy on the whole benchmark, clipped to [0, 1], for accuracy on the subset."""
        x = np.clip(np.asarray(subset, dtype=np.float64), 0.0, 1.0)
        piece = np.clip(np.searchsorted(self.knots, x, side="right") - 1, 0, len(self.knots) - 2)
        offset = x - self.knots[piece]
        value = np.zeros_like(x)
        for power in range(_DEGREE, -1, -1):
            value = value * offset + self.coefficients[piece, power]
        return np.asarray(np.clip(value, 0.0, 1.0))

    def extrapolates(self, subset: float) -> bool:
        """Whether this subset accuracy is outside the range of the points."""
        if len(self.points) == 0:
            return True
        return not self.points[:, 0].min() <= subset <= self.points[:, 0].max()


def fit_map(
    subset: ArrayLike,
    full: ArrayLike,
    threshold: float = settings.MAP_RMSE,
    top: float | None = None,
    share: float = 1.0,
) -> MonotoneMap:
    """The map through points (subset[i], full[i]), any number of them, in [0, 1].

    top: None for a curve that passes through (1, 1), as published; otherwise the weight against a
    measured point of where the curve ends: the subset solved, the rest of the questions where it
    goes (`_end`); share: of the questions that the subset is.  Where the rest does not rise, (1, 1)
    is wrong, and a curve drawn to it leaves the points.

    Where no number of pieces up to `settings.MAX_PIECES` brings the error below the threshold
    (points that fall, or lie above one another), the fewest pieces that come near the best
    reachable error are taken and a note says so.
    """
    points = np.column_stack([np.asarray(subset, float), np.asarray(full, float)])
    if len(points) == 0:
        return MonotoneMap(np.array([0.0, 1.0]), np.array([[0.0, 1.0, 0.0, 0.0]]), np.nan, points)
    end = 1.0 if top is None else _end(points, share)
    tried: list[tuple[float, Floats, Floats]] = []
    for pieces in range(1, settings.MAX_PIECES + 1):
        knots = _knots(points[:, 0], pieces)
        if len(knots) <= pieces:
            break  # no more distinct places to put a knot
        heights, rmse = _rising_heights(points, knots, top, end)
        tried.append((rmse, knots, heights))
        if rmse < threshold:
            break
    notes: tuple[Reason, ...] = ()
    rmse, knots, heights = tried[-1]
    if rmse >= threshold:
        reachable = settings.MAP_NEAR * min(error for error, _, _ in tried)
        rmse, knots, heights = next(found for found in tried if found[0] <= reachable)
        notes = (because("map_misses", threshold=threshold, rmse=rmse),)
    breaks = PPoly.from_spline((_padded(knots), heights, _DEGREE))
    inside = slice(_DEGREE, _DEGREE + len(knots) - 1)
    return MonotoneMap(knots, breaks.c[::-1, inside].T.copy(), rmse, points, notes)


def _knots(x: Floats, pieces: int) -> Floats:
    """0, 1 and pieces - 1 quantiles of the points between.

    The two ends count as points: a benchmark whose rest stands high while its subset is at 0 needs
    room for the climb from (0, 0) to its first point.
    """
    places = np.sort(np.concatenate([[0.0], x, [1.0]]))
    last = len(places) - 1
    inner = np.interp(np.arange(1, pieces) / pieces * last, np.arange(last + 1), places)
    inner = inner[(inner > 1e-3) & (inner < 1.0 - 1e-3)]
    distinct: list[float] = []
    for knot in inner:
        if not distinct or knot - distinct[-1] > 1e-3:
            distinct.append(float(knot))
    return np.array([0.0, *distinct, 1.0])


def _end(points: Floats, share: float) -> float:
    """Accuracy on the whole benchmark where the subset is solved.

    The rest of the questions goes on by the line through its accuracies at the best models.  It
    never falls, and is level as far as the points, which lie off it by about `NOISE_FLOOR`, cannot
    tell a slope of `REST_GROWTH` or so.
    """
    if share >= 1.0:
        return 1.0
    best = points[np.argsort(points[:, 0])[-settings.REST_POINTS :]]
    subset = best[:, 0]
    rest = np.clip((best[:, 1] - share * subset) / (1.0 - share), 0.0, 1.0)
    apart = subset - subset.mean()
    prior = (settings.NOISE_FLOOR / settings.REST_GROWTH) ** 2
    slope = max(float(apart @ rest / (apart @ apart + prior)), 0.0)
    level = min(rest.mean() + slope * (1.0 - subset.mean()), 1.0)
    return float(share + (1.0 - share) * level)


def _rising_heights(
    points: Floats, knots: Floats, top: float | None, end: float
) -> tuple[Floats, float]:
    """B-spline coefficients rising from 0 to about the end that fit the points best, their RMSE.

    The rises between them are the unknowns: non-negative, summing to the end (`top`: or about).
    """
    padded = _padded(knots)
    x = np.clip(points[:, 0], 0.0, 1.0)
    count = len(padded) - _DEGREE - 1
    basis = BSpline.construct_fast(padded, np.eye(count), _DEGREE)(x)
    rises = np.cumsum(basis[:, ::-1], axis=1)[:, ::-1][:, 1:]
    # A rise over the distance of its B-splines' centres is a slope; neighbouring slopes that
    # differ cost a little, which settles the curve where no point does.
    centres = (padded[1:-3] + padded[2:-2] + padded[3:-1]) / _DEGREE
    slopes = np.diag(1.0 / np.diff(centres))
    stiffness = settings.MAP_STIFFNESS * np.sqrt(len(points)) * np.diff(slopes, axis=0)
    weight = _ENDS if top is None else top
    total = np.full((1, rises.shape[1]), weight)
    system = np.vstack([rises, stiffness, total])
    right = np.concatenate([points[:, 1], np.zeros(len(stiffness)), [weight * end]])
    rise, _ = nnls(system, right, maxiter=100 * system.shape[1])
    heights = np.concatenate([[0.0], np.cumsum(rise)])
    if top is None:
        heights /= heights[-1]
    heights = np.minimum(heights, 1.0)
    rmse = float(np.sqrt(np.mean((basis @ heights - points[:, 1]) ** 2)))
    return heights, rmse


def _padded(knots: Floats) -> Floats:
    return np.concatenate([np.zeros(_DEGREE), knots, np.ones(_DEGREE)])
