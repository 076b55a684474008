"""A forecast, and the words that say how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .arrays import Floats

Verdict = Literal["ok", "weak", "abstain"]

# Beyond this share of the ladder's own log-compute span, extrapolation is far (the paper goes 0.40
# of its ladder's span beyond it).
FAR = 0.5
SMALL_SUBSET = 0.2  # share of questions below which the map carries the forecast
WIDE_INTERVAL = 0.5  # accuracy
MAP_LEAP = 0.05  # accuracy the map adds beyond its points on the strength of its shape alone
FEW_DRAWS = 8  # samples a question below which rows, and so clusters, are made of luck
DISORDER = 0.03  # accuracy by which a rung must fall below a smaller one to be told


@dataclass(frozen=True)
class Subset:
    """Forecast mean in [0, 1] on the predictable questions, and their share of the benchmark."""

    mean: float
    share: float


@dataclass(frozen=True)
class Forecast:
    """Accuracy of a benchmark at ``compute`` FLOP.

    mean, low, high in [0, 1], low <= mean <= high, the interval meant to hold the measured value
    with probability ``level``; NaN where the verdict is abstain.  reasons: why it is not ok.
    """

    mean: float
    low: float
    high: float
    level: float
    verdict: Verdict
    reasons: list[str]
    subset: Subset
    compute: float


def abstention(reason: str, subset: Subset, compute: float, level: float) -> Forecast:
    """No forecast, and why."""
    nothing = float("nan")
    return Forecast(nothing, nothing, nothing, level, "abstain", [reason], subset, compute)


def range_reasons(compute: float, ladder: Floats) -> list[str]:
    """Doubts from where the target stands to a ladder of rising compute (m,), all FLOP."""
    span = np.log(ladder[-1] / ladder[0])
    beyond = np.log(compute / ladder[-1])
    if beyond <= 0:
        return ["the target is inside the ladder's range: this is an interpolation"]
    if beyond > FAR * span:
        reason = (
            f"the ladder is short for the distance: the target has {np.exp(beyond):.3g} times the "
            f"compute of the largest rung, the ladder spans a factor of {np.exp(span):.3g}"
        )
        return [reason]
    return []


def draw_reasons(n_samples: Floats) -> list[str]:
    """Doubts from the number of draws behind each rate, any shape; 0 for analytic rates."""
    draws = float(np.median(n_samples))
    if not 0.0 < draws < FEW_DRAWS:
        return []
    reason = (
        f"few samples a question ({draws:g}): clusters gather questions of like luck, which "
        "overestimates how fast they emerge"
    )
    return [reason]


def order_reasons(accuracy: Floats, error: Floats) -> list[str]:
    """Doubts from rungs (by rising compute) that fall: accuracy and its standard error (m,)."""
    best = np.maximum.accumulate(accuracy)
    fall = best - accuracy
    out = np.flatnonzero(fall > np.maximum(DISORDER, 3.0 * error))
    if len(out) == 0:
        return []
    worst = out[np.argmax(fall[out])]
    reason = (
        f"rungs out of order: {len(out)} of {len(accuracy)} fall below a smaller one, the worst by "
        f"{100 * fall[worst]:.1f} points"
    )
    return [reason]
