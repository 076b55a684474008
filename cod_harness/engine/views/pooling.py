"""Two views of the target, and what they say together.

The clusters' laws know what single kinds of questions do; the trend of the whole benchmark knows
how the ladder as a whole goes on.  With many draws and rungs that keep to their laws the clusters
are far surer; with few draws or rough rungs the trend is.  So each weighs by its certainty.  All
of it on the scale of ability, -log(-log accuracy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.forecast import Part
from cod_harness.engine.intervals import bernoulli_scale
from cod_harness.engine.views.irt import log_log


@dataclass(frozen=True)
class View:
    """A forecast on the scale of ability.

    sd: its standard deviation, for its weight; doubt: a further standard deviation that lowers its
    weight beside other views, and says nothing of where the target is; below and above: how far
    down and up from the centre its interval goes, 0 for a view that has a centre to give alone.
    """

    centre: float
    sd: float
    doubt: float = 0.0
    below: float = 0.0
    above: float = 0.0


def clusters_view(mean: float, low: float, high: float, miss: float) -> View:
    """The clusters' forecast, from an accuracy and its central interval at `settings.ONE_SD`.

    miss: ability by which their laws missed the last rung (`refits.last_rung_miss`), of which
    `settings.CLUSTERS_MISS` times is doubt: the refits know nothing of laws that do not hold.
    """
    centre, bottom, top = (_scaled(_inside(value)) for value in (mean, low, high))
    return View(centre, (top - bottom) / 2.0, settings.CLUSTERS_MISS * miss)


def trend_view(mean: float, one_sd: tuple[float, float], ends: tuple[float, float]) -> View:
    """The trend's forecast: accuracies of its middle, a standard deviation off it, and its ends.

    One curve may miss a benchmark of many kinds of questions: `settings.TREND_COARSE` of doubt.
    """
    centre, bottom, top = (_scaled(value) for value in (mean, *one_sd))
    low, high = (_scaled(value) for value in ends)
    inside = _inside(mean)
    # Over the slope of accuracy on the scale of ability.
    slope = inside * -np.log(inside)
    doubt = settings.TREND_COARSE * float(bernoulli_scale(inside)) / float(slope)
    return View(centre, (top - bottom) / 2.0, doubt, centre - low, high - centre)


def weights(views: Sequence[View]) -> Floats:
    """(views,), by certainty, sum 1."""
    sure = np.array([1.0 / (one.sd**2 + settings.LEAST_SD**2 + one.doubt**2) for one in views])
    return np.asarray(sure / sure.sum())


def parts(views: Mapping[str, View]) -> dict[str, Part]:
    """What each view adds to the pool."""
    return {
        name: Part(float(log_log(np.array(one.centre))), float(weight))
        for (name, one), weight in zip(
            views.items(), weights(list(views.values())) if views else [], strict=True
        )
    }


def pooled(views: Mapping[str, View]) -> tuple[float, float, float]:
    """Low end, middle and high end of the views together, accuracies in [0, 1].

    Each weighs by its certainty in the middle; the interval is the trend's, and their disagreement
    adds to it.
    """
    each = list(views.values())
    weight = weights(each)
    centres = np.array([one.centre for one in each])
    centre = float(weight @ centres)
    apart = float(weight @ (centres - centre) ** 2)
    below = np.sqrt(max(one.below for one in each) ** 2 + apart)
    above = np.sqrt(max(one.above for one in each) ** 2 + apart)
    low, mean, high = log_log(np.array([centre - below, centre, centre + above]))
    return float(low), float(mean), float(high)


def _scaled(accuracy: float) -> float:
    """-log(-log accuracy), finite for any float inside (0, 1)."""
    return float(-np.log(-np.log(np.clip(accuracy, 1e-300, 1.0 - 1e-16))))


def _inside(accuracy: float) -> float:
    return float(np.clip(accuracy, settings.POOL_ENDS, 1.0 - settings.POOL_ENDS))
