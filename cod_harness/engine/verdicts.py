"""Verdicts and their reasons: typed values, decided here; what they say stands in `sentences`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.sentences import sentence

if TYPE_CHECKING:
    from cod_harness.engine.forecast import Subset
    from cod_harness.engine.mapping import MonotoneMap
    from cod_harness.engine.measurements import Measurements
    from cod_harness.engine.selection import Cluster

Verdict = Literal["ok", "weak", "abstain"]


@dataclass(frozen=True)
class Reason:
    """Why a verdict is not ok, or a cluster is not extrapolated, or a fit is to be doubted.

    code, one of `sentences.SENTENCES`; values, the numbers and words behind it by name, shares and
    accuracies in [0, 1], compute in FLOP.  ``str`` of it is its sentence.
    """

    code: str
    values: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", dict(self.values))

    def __hash__(self) -> int:
        return hash((self.code, tuple(sorted(self.values.items()))))

    def __str__(self) -> str:
        return sentence(self)


def because(code: str, **values: float | str) -> Reason:
    """The reason of this code with these values."""
    return Reason(code, values)


def verdict(reasons: Sequence[Reason]) -> Verdict:
    """Of a forecast that is made in spite of these reasons."""
    return "weak" if reasons else "ok"


def weighed(decisive: Sequence[Reason], more: Sequence[Reason]) -> tuple[Reason, ...]:
    """The reasons of a forecast: none unless something decides against it, then all."""
    return (*decisive, *more) if decisive else ()


def below_ladder(compute: float, smallest: float) -> Reason | None:
    """Whether the target is below the smallest rung, both FLOP: no law goes backwards."""
    if compute < smallest:
        return because("below_ladder", compute=float(compute), smallest=float(smallest))
    return None


def no_questions(ladder: Measurements) -> Reason | None:
    """Whether there is one rate a rung: a single question, or a benchmark's accuracy alone."""
    return because("no_questions") if len(ladder.rates) == 1 else None


def nothing_to_go_on(ladder: Measurements) -> Reason | None:
    """Why the clusters could say nothing whatever they were."""
    alone = no_questions(ladder)
    if alone:
        return alone
    if not ladder.rates.any():
        return because("never_answered")
    return None


def silent_clusters(clusters: Sequence[Cluster], share: float, least: float) -> Reason | None:
    """Why the clusters give no forecast, None if they do.

    share of the questions that are predictable, and the least that must be.
    """
    if not any(cluster.predictable for cluster in clusters):
        return because("no_predictable_cluster", clusters=len(clusters))
    if share < least:
        return because("few_predictable", share=share)
    return None


def measured_rise(accuracy: Floats, error: Floats) -> bool:
    """Whether the last two rungs (m,) stand above the first two by more than drawing explains."""
    told = settings.TOLD_SIGMA * float(np.sqrt(np.square(error[[0, 1, -2, -1]]).sum())) / 2.0
    return bool(accuracy[-2:].mean() - accuracy[:2].mean() > told)


def measured_decline(accuracy: Floats, error: Floats) -> bool:
    """Whether the last three rungs (m,) fall, by more than drawing answers explains."""
    steps = np.diff(accuracy[-3:])
    told = settings.TOLD_SIGMA * float(np.hypot(error[-1], error[-3]))
    return bool((steps < 0).all() and -steps.sum() > told)


def blind_interval(low: float, high: float) -> Reason | None:
    """Whether the ends of an interval at `settings.LEVEL` leave nothing to be said between them."""
    if high - low > settings.BLIND_INTERVAL:
        return because("blind_interval", low=low, high=high)
    return None


# Doubts that make a forecast weak: each gives the reasons it finds, () if it finds none.


def range_doubts(compute: float, ladder: Floats) -> tuple[Reason, ...]:
    """From a ladder of rising compute (m,), and where the target stands to it, all FLOP."""
    span = float(np.log(ladder[-1] / ladder[0]))
    beyond = float(np.log(compute / ladder[-1]))
    amounts = len(np.unique(ladder))
    doubts = []
    if beyond <= 0:
        doubts.append(because("interpolation"))
    elif beyond > settings.FAR * span * (1.0 + 1e-9):
        doubts.append(because("far", beyond=float(np.exp(beyond)), span=float(np.exp(span))))
    if np.exp(span) < settings.OK_SPAN * (1.0 - 1e-9):
        doubts.append(because("short_span", span=float(np.exp(span)), least=settings.OK_SPAN))
    if amounts < settings.OK_RUNGS:
        doubts.append(because("few_rungs", amounts=amounts, least=settings.OK_RUNGS))
    return tuple(doubts)


def level_doubts(
    accuracy: Floats, error: Floats, beyond: bool, mean: float, high: float
) -> tuple[Reason, ...]:
    """From how high the rungs (m,) and the forecast stand.

    accuracy and its standard error by rising compute; beyond: whether the target is larger than
    the last rung; mean and upper end of the forecast at `settings.LEVEL`.
    """
    doubts = []
    best, last = float(accuracy.max()), float(accuracy[-1])
    if best < settings.EMERGED and beyond:
        doubts.append(because("may_emerge", best=best, high=high))
    if mean < last and beyond and not measured_decline(accuracy, error):
        doubts.append(because("below_last_rung", mean=mean, last=last))
    return tuple(doubts)


def miss_doubts(recent: Floats, jumps: Floats | None = None) -> tuple[Reason, ...]:
    """From how far the last rungs lay from what was forecast of them from those below.

    recent: absolute errors on the benchmark itself, accuracy; jumps: on all benchmarks of the
    ladder, ability.
    """
    worst = float(recent.max()) if len(recent) else 0.0
    if worst > settings.OK_MISS:
        return (because("missed_rungs", worst=worst, rungs=len(recent)),)
    if jumps is not None and len(jumps) and np.quantile(jumps, 0.9) > settings.OK_JUMP:
        return (because("jumpy_ladder"),)
    return ()


def width_doubts(width: float) -> tuple[Reason, ...]:
    """From the width of the interval at `settings.LEVEL`, accuracy."""
    return (because("wide_interval", width=width),) if width > settings.OK_WIDTH else ()


# Doubts that say more where a forecast is weak; what they stand for is in its interval already.


def standstill_doubts(accuracy: Floats) -> tuple[Reason, ...]:
    """From rungs (m,) by rising compute that stand still: they may stay there or jump."""
    few = max(2, len(accuracy) // 4)
    upper, before = float(accuracy[-few:].mean()), float(accuracy[-2 * few : -few].mean())
    if upper - before < settings.STANDSTILL and accuracy.max() < settings.SOLVED:
        return (because("standstill", before=before, upper=upper),)
    return ()


def draw_doubts(n_samples: Floats) -> tuple[Reason, ...]:
    """From the number of draws behind each rate, any shape; 0 for analytic rates."""
    draws = float(np.median(n_samples))
    return (because("few_draws", draws=draws),) if 0.0 < draws < settings.FEW_DRAWS else ()


def order_doubts(accuracy: Floats, error: Floats) -> tuple[Reason, ...]:
    """From rungs (by rising compute) that fall: accuracy and its standard error (m,)."""
    fall = np.maximum.accumulate(accuracy) - accuracy
    told = np.maximum(settings.DISORDER, settings.TOLD_SIGMA * error)
    out = np.flatnonzero(fall > told)
    if len(out) == 0:
        return ()
    worst = float(fall[out].max())
    return (because("out_of_order", rungs=len(out), of=len(accuracy), fall=worst),)


def cluster_doubts(clusters: Sequence[Cluster], subset: Subset) -> tuple[Reason, ...]:
    """From the clusters behind a forecast."""
    doubts = []
    if subset.share < settings.SMALL_SUBSET:
        doubts.append(because("small_subset", share=subset.share))
    kept = [cluster for cluster in clusters if cluster.predictable]
    bound = [cluster for cluster in kept if any(map(_hides_the_rise, cluster.notes))]
    if 2 * sum(cluster.size for cluster in bound) > sum(cluster.size for cluster in kept):
        doubts.append(because("laws_on_bounds"))
    return tuple(doubts)


def _hides_the_rise(note: Reason) -> bool:
    """An upper bound, or a on either: where on the ladder, or how fast, is then a guess."""
    if note.code != "on_bound":
        return False
    return note.values["side"] == "upper" or note.values["parameter"] == "a"


def map_doubts(mapping: MonotoneMap, subset: Subset) -> tuple[Reason, ...]:
    """From the map from subset to full set."""
    last = float(mapping.points[:, 0].max())
    if (1.0 - subset.share) * (subset.mean - last) > settings.MAP_LEAP:
        return (because("beyond_map", subset=subset.mean, last=last),)
    return ()
