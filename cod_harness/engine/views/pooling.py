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
from scipy.stats import t as student

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.forecast import Part
from cod_harness.engine.intervals import bernoulli_scale
from cod_harness.engine.views.irt import log_log


@dataclass(frozen=True)
class View:
    """A forecast and its standard deviation, both on the scale of ability.

    doubt: a further standard deviation that lowers its weight beside other views, and says nothing
    of where the target is.
    """

    centre: float
    sd: float
    doubt: float = 0.0


def view(mean: float, low: float, high: float, widen: float = 1.0, coarse: float = 0.0) -> View:
    """A view from an accuracy and its central interval at `settings.ONE_SD`, the sd widened.

    widen: factor of the sd; coarse: doubt in accuracy, at an accuracy of a half.
    """
    centre, bottom, top = (_scaled(value) for value in (mean, low, high))
    inside = _inside(mean)
    # Over the slope of accuracy on the scale of ability.
    doubt = coarse * float(bernoulli_scale(inside)) / (inside * -np.log(inside))
    return View(centre, widen * (top - bottom) / 2.0, float(doubt))


def weights(views: Sequence[View]) -> Floats:
    """(views,), by certainty, sum 1."""
    sure = np.array([1.0 / (one.sd**2 + settings.LEAST_SD**2 + one.doubt**2) for one in views])
    return np.asarray(sure / sure.sum())


def pooled(views: Sequence[View]) -> View:
    """The views weighted by their certainty; their disagreement adds to the spread."""
    centres = np.array([one.centre for one in views])
    variances = np.array([one.sd for one in views]) ** 2 + settings.LEAST_SD**2
    weight = weights(views)
    centre = float(weight @ centres)
    return View(centre, float(np.sqrt(weight @ (variances + (centres - centre) ** 2))))


def parts(views: Mapping[str, View]) -> dict[str, Part]:
    """What each view adds to the pool."""
    return {
        name: Part(float(log_log(np.array(one.centre))), float(weight))
        for (name, one), weight in zip(
            views.items(), weights(list(views.values())) if views else [], strict=True
        )
    }


def accuracies(pool: View, level: float) -> tuple[float, float, float]:
    """Low end, middle and high end of the central interval, accuracies in [0, 1]."""
    quantile = float(student.ppf(0.5 + level / 2.0, settings.POOL_DEGREES))
    reach = settings.POOL_WIDEN * pool.sd * quantile
    low, mean, high = log_log(pool.centre + np.array([-reach, 0.0, reach]))
    return float(low), float(mean), float(high)


def _scaled(accuracy: float) -> float:
    """-log(-log accuracy), the ends kept finite."""
    return float(-np.log(-np.log(_inside(accuracy))))


def _inside(accuracy: float) -> float:
    return float(np.clip(accuracy, settings.POOL_ENDS, 1.0 - settings.POOL_ENDS))
