"""What a method says of a target: types alone; `verdicts` decides what its reasons are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cod_harness.engine.verdicts import Reason, Verdict

NAN = float("nan")


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
    reasons: tuple[Reason, ...]
    subset: Subset
    compute: float
    parts: Mapping[str, Part] = field(default_factory=dict)


def abstention(reason: Reason, subset: Subset, compute: float, level: float) -> Forecast:
    """No forecast, and why."""
    return Forecast(NAN, NAN, NAN, level, "abstain", (reason,), subset, compute)
