"""A forecast, and the words that say how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cod_harness.engine.arrays import Floats
from cod_harness.engine.mapping import MonotoneMap
from cod_harness.engine.measurements import Measurements
from cod_harness.engine.selection import Cluster

Verdict = Literal["ok", "weak", "abstain"]

# Beyond this share of the ladder's own log-compute span, extrapolation is far (the paper goes 0.40
# of its ladder's span beyond it).
FAR = 0.5
SMALL_SUBSET = 0.2  # share of questions below which the map carries the forecast
USUAL_LEVEL = 0.9  # at which widths are judged, whatever level is asked for
WIDE_INTERVAL = 0.3  # accuracy
BLIND_INTERVAL = 0.7  # accuracy: a number in the middle of it would say nothing
MAP_LEAP = 0.05  # accuracy the map adds beyond its points on the strength of its shape alone
FEW_DRAWS = 8  # samples a question below which rows, and so clusters, are made of luck
AT_THE_FLOOR = 0.05  # accuracy of the best rung below which nothing shows what comes
STANDSTILL = 0.01  # accuracy the upper rungs must gain on those before them
SOLVED = 0.8  # accuracy above which standing still is no riddle
NEAR = 1.5  # times the largest rung's compute within which no jump is expected
DISORDER = 0.03  # accuracy by which a rung must fall below a smaller one to be told


@dataclass(frozen=True)
class Subset:
    """Forecast mean in [0, 1] on the predictable questions, and their share of the benchmark."""

    mean: float
    share: float


@dataclass(frozen=True)
class Part:
    """What one view of the target forecasts, in [0, 1], and its weight in the whole."""

    mean: float
    weight: float


@dataclass(frozen=True)
class Forecast:
    """Accuracy of a benchmark at ``compute`` FLOP.

    mean, low, high in [0, 1], low <= mean <= high, the interval meant to hold the measured value
    with probability ``level``; NaN where the verdict is abstain.  reasons: why it is not ok.
    parts: the views that the mean was made from, by name; empty where it is of one piece.
    """

    mean: float
    low: float
    high: float
    level: float
    verdict: Verdict
    reasons: list[str]
    subset: Subset
    compute: float
    parts: Mapping[str, Part] = field(default_factory=dict)


def abstention(reason: str, subset: Subset, compute: float, level: float) -> Forecast:
    """No forecast, and why."""
    nothing = float("nan")
    return Forecast(nothing, nothing, nothing, level, "abstain", [reason], subset, compute)


def nothing_to_go_on(ladder: Measurements, compute: float) -> str:
    """Why no method could say anything at ``compute`` FLOP, "" if one can."""
    if compute < ladder.compute[0]:
        return (
            f"the target ({compute:.3g} FLOP) is below the smallest rung "
            f"({ladder.compute[0]:.3g} FLOP)"
        )
    if len(ladder.rates) == 1:
        return "one question only: there is nothing to cluster"
    if not ladder.rates.any():
        return "no model of the ladder ever answered a question: nothing shows when it will"
    return ""


def too_few_clusters(clusters: Sequence[Cluster], share: float, least: float) -> str:
    """Why the clusters give no forecast, "" if they do.

    share of the questions that are predictable, and the least that must be.
    """
    if not any(cluster.predictable for cluster in clusters):
        return f"no predictable cluster: {len(clusters)} found, none passes the thresholds"
    if share < least:
        return (
            f"only {100 * share:.0f} % of the questions are predictable: nothing shows how the "
            f"other {100 - 100 * share:.0f} % go on"
        )
    return ""


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


def unclear_rise(accuracy: Floats, ladder: Floats, compute: float) -> str:
    """Why rungs (m,) by rising compute, FLOP, do not show where accuracy goes, "" if they do.

    A benchmark at its floor, or at a standstill, may stay there or jump: the rungs cannot tell.
    """
    if compute <= NEAR * ladder[-1]:
        return ""
    best = float(accuracy.max())
    if best < AT_THE_FLOOR:
        return (
            f"the best rung scores {100 * best:.1f} %: nothing shows when the benchmark will emerge"
        )
    few = max(2, len(accuracy) // 4)
    upper, before = accuracy[-few:].mean(), accuracy[-2 * few : -few].mean()
    if upper - before < STANDSTILL and best < SOLVED:
        return (
            f"the largest rungs do not rise ({100 * before:.1f} %, then {100 * upper:.1f} %): at "
            "chance or at a standstill, nothing shows when it will go on"
        )
    return ""


def draw_reasons(n_samples: Floats) -> list[str]:
    """Doubts from the number of draws behind each rate, any shape; 0 for analytic rates."""
    draws = float(np.median(n_samples))
    if not 0.0 < draws < FEW_DRAWS:
        return []
    reason = (
        f"few samples a question ({draws:g}): clusters gather questions of like luck; "
        f"{FEW_DRAWS} or more let them speak"
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


def cluster_reasons(clusters: Sequence[Cluster], subset: Subset) -> list[str]:
    """Doubts from the clusters behind a forecast."""
    reasons = []
    if subset.share < SMALL_SUBSET:
        reasons.append(
            f"only {100 * subset.share:.0f} % of the questions are predictable; the rest of "
            "the forecast is the map's"
        )
    kept = [cluster for cluster in clusters if cluster.predictable]
    bound = [
        cluster
        for cluster in kept
        if any("upper bound" in note or "a is on" in note for note in cluster.notes)
    ]
    if 2 * sum(cluster.size for cluster in bound) > sum(cluster.size for cluster in kept):
        reasons.append(
            "most predictable questions are in clusters whose law sits on a bound: the rungs "
            "do not show how fast they emerge"
        )
    return reasons


def map_reasons(mapping: MonotoneMap, subset: Subset) -> list[str]:
    """Doubts from the map from subset to full set."""
    last = float(mapping.points[:, 0].max())
    reasons = []
    if (1.0 - subset.share) * (subset.mean - last) > MAP_LEAP:
        reasons.append(
            f"the map is used beyond its points: subset accuracy {subset.mean:.2f}, points "
            f"end at {last:.2f}; an anchor would help"
        )
    return reasons


def width_reasons(width: float) -> list[str]:
    """Doubts from the width of the interval, accuracy."""
    return [f"the interval is {100 * width:.0f} points wide"] if width > WIDE_INTERVAL else []
