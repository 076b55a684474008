"""How far a target may lie from its forecast, from how far the rungs lay from theirs.

The trend's own spread is a normal distribution's; what ladders do is not normal: most rungs keep to
their trend, some benchmarks emerge at a jump.  Each rung forecast from those below it shows how
many standard deviations such a forecast misses by, upwards and downwards.  Their distribution, with
a heavy-tailed prior as far as they are few, turns the spread into an interval.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import t as student

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.views.trend import Misses

_GRID = np.linspace(-8.0, 8.0, 641)  # standard deviations


def reach(misses: Misses, task: int, distance: float, level: float) -> tuple[float, float]:
    """Shares of a forecast's spread below and above which its central interval ends.

    task, which benchmark of the ladder; distance: e-folds of compute beyond the last rung.
    """
    near = np.log(np.maximum(misses.distance, 1e-3) / max(distance, 1e-3))
    weight = np.exp(-0.5 * (near / settings.LIKE_DISTANCE) ** 2)
    # Misses of one rung on many benchmarks have much in common, and count as fewer.
    _, first = np.unique(misses.pair, return_index=True)
    evidence = float(weight[first].sum()) * np.sqrt(misses.tasks)
    mine = 1.0 + settings.OWN_MISSES * misses.tasks
    weight = weight * np.where(misses.task == task, mine, 1.0)
    weight *= evidence / max(float(weight.sum()), 1e-12)
    share = settings.MISSES_PRIOR * student.cdf(_GRID, settings.MISSES_DEGREES)
    share += ndtr((_GRID[:, None] - misses.sds) / settings.MISSES_SMOOTH) @ weight
    share /= settings.MISSES_PRIOR + weight.sum()
    tail = 0.5 * (1.0 - level)
    low, high = np.interp([tail, 1.0 - tail], share, _GRID)
    alone = settings.LEAST_REACH_ALONE - settings.LEAST_REACH
    least = (settings.LEAST_REACH + alone / misses.tasks) * float(ndtri(1.0 - tail))
    return float(ndtr(min(low, -least))), float(ndtr(max(high, least)))


def emergence(best: float, distance: float, level: float) -> float:
    """Ability by which a benchmark near its floor may jump, as the end of an interval.

    best: accuracy of the best rung; from `settings.EMERGED` on, 0.
    """
    below = max(0.0, 1.0 - best / settings.EMERGED)
    usual = float(ndtri(0.5 + level / 2.0) / ndtri(0.5 + settings.LEVEL / 2.0))
    return settings.EMERGENCE * below * float(np.sqrt(max(distance, 0.0))) * usual


def recent_misses(misses: Misses, task: int, accuracy: Floats, forecast: Floats) -> Floats:
    """Absolute errors (rungs,) of a benchmark's last rungs, each from all below it, accuracy.

    accuracy (m,) measured; forecast (misses,) accuracies of `Misses.forecast`.
    """
    mine = np.flatnonzero((misses.task == task) & misses.nearest)
    return np.abs(forecast[mine] - accuracy[misses.rung[mine]])[-settings.LOOK_BACK :]
