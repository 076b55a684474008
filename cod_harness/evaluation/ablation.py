"""The paper's ablations on a user's own ladder: one thing about the recipe changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cod_harness.errors import InputError, did_you_mean
from cod_harness.evaluation.ablation_bench import BASES, Bench, Variant
from cod_harness.evaluation.evidence import check_rungs, measured_rates
from cod_harness.evaluation.forecasts import mismatches
from cod_harness.evaluation.records.ablation import (
    Ablation,
    AblationAxis,
    AblationRow,
    AblationSettings,
    Outcome,
)
from cod_harness.evaluation.records.base import mean, noted, provenance
from cod_harness.evaluation.rolling import Origin, rolling_origins
from cod_harness.evaluation.siblings import origins_beside_each_other
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.notes import note

_NOTHING = "no measured target, and no rung more than a forecast needs"
_T = (0.0025, 0.005, 0.01, 0.02)  # of Figure A1
# Of a row: the mean over forecasts of what each has.
_MEANS = ("iad", "outliers", "tr", "clusters", "map_rmse", "map_pieces")


@dataclass(frozen=True)
class Axis:
    """One table of the paper: its name here and there, and the variants it compares.

    `reference` is the variant that the paper recommends.
    """

    name: str
    table: str
    title: str
    variants: tuple[Variant, ...]
    reference: str


def axes() -> dict[str, Axis]:
    """The ablations by name, in the paper's order."""
    from cod_harness.engine import COD
    from cod_harness.engine.baselines.partitions import CLUSTERERS

    paper = COD.paper().get_params()
    published = {name: paper[name] for name in ("min_a", "min_b", "max_c")}
    # Each row of Table A1 moves one threshold and leaves the others as published.
    thresholds: dict[str, dict[str, float]] = {
        "published": {},
        "a > 0.5": {"min_a": 0.5},
        "b > 0.05": {"min_b": 0.05},
        "c < 0.5": {"max_c": 0.5},
        "none": {"min_a": -np.inf, "min_b": -np.inf, "max_c": np.inf},
    }
    laws = {"f": paper["law"], "f1": "f1", "f2": "f2", "f3": "f3"}
    found = (
        Axis(
            "clustering",
            "Table 3",
            "how questions are clustered",
            tuple(Variant(name, clusterer=name) for name in CLUSTERERS),
            "Improved-MeanShift",
        ),
        Axis(
            "law",
            "Table 4",
            "the law of a cluster",
            tuple(Variant(name, {"law": law}) for name, law in laws.items()),
            "f",
        ),
        Axis(
            "thresholds",
            "Table A1",
            "which clusters are extrapolated",
            tuple(Variant(name, published | moved) for name, moved in thresholds.items()),
            "published",
        ),
        Axis(
            "map",
            "Figure A1",
            "how near the map passes its points",
            tuple(Variant(f"T = {t:g}", {"map_rmse": t}) for t in _T),
            f"T = {paper['map_rmse']:g}",
        ),
        Axis(
            "anchors",
            "Table A3",
            "finished models of other families as points of the map",
            (Variant("without anchors", anchors=False), Variant("with anchors")),
            "with anchors",
        ),
    )
    return {axis.name: axis for axis in found}


def ablate_ladder(
    rates: PassRates,
    ladder: Ladder,
    what: Sequence[str] | None = None,
    base: str = BASES[0],
    allow_mismatch: bool = False,
    progress: Callable[[str], object] | None = None,
) -> Ablation:
    """Forecast models whose results are known, with one thing about the recipe changed at a time.

    The models are the measured targets of each task; where a task has none, its largest rung,
    forecast from the smaller ones. Their rates serve for scoring alone.

    Args:
        rates: pass rates of the rungs, and of anchors and targets where measured.
        ladder: says which model is what, and the compute of each.
        what: names out of `axes`; None for all, less "anchors" where no anchor was measured.
        base: the recipe, out of `BASES`.
        allow_mismatch: go on although runs differ in settings or content; told in the notes.
        progress: called with a line before each task.

    Raises:
        InputError: an unknown axis or base, runs that differ, too few rungs, nothing to score, or
            anchors asked for by name where none was measured.
    """
    chosen = _chosen(what)
    if base not in BASES:
        raise InputError(
            f"no recipe {base!r} to ablate; there are {', '.join(BASES)}{did_you_mean(base, BASES)}"
        )
    check_rungs(rates, ladder)
    notes = [*rates.notes, *mismatches(rates, allow_mismatch)]
    outcomes: dict[str, list[Outcome]] = {axis.name: [] for axis in chosen}
    scored: list[Origin] = []
    for task in rates.tasks:
        if rates.whole(task):
            notes.append(note("not_ablated", task=task))
            continue
        origins, told = rolling_origins(rates, ladder, task, holdout=1)
        notes += told
        if origins:
            # The measured targets come first; the largest rung where there are none.
            scored.append(origins[0])
        else:
            notes.append(note("not_scored", task=task, why=_NOTHING))
    for place, origin in enumerate(origins_beside_each_other(scored), 1):
        evidence = origin.evidence
        if progress:
            progress(f"[{place}/{len(scored)}] {evidence.task}")
        bench = Bench(evidence, base)
        for hidden in origin.hidden:
            column, _ = measured_rates(rates, evidence, hidden.model.name)
            if column is None:  # known by its accuracy alone
                continue
            for axis in chosen:
                if axis.name != "anchors" or evidence.anchors:
                    outcomes[axis.name] += [
                        bench.outcome(variant, hidden, column) for variant in axis.variants
                    ]
    for axis in chosen:
        if not outcomes[axis.name]:
            if what is not None or axis.name != "anchors":
                raise InputError(_nothing(ladder, axis))
            notes.append(note("no_table", table=axis.table, axis=axis.name))
    return Ablation(
        base=base,
        ladder=ladder.name,
        axes={
            axis.name: AblationAxis(
                table=axis.table,
                title=axis.title,
                reference=axis.reference,
                rows=_rows(axis, outcomes[axis.name]),
                forecasts=tuple(outcomes[axis.name]),
            )
            for axis in chosen
            if outcomes[axis.name]
        },
        settings=AblationSettings(
            what=tuple(axis.name for axis in chosen),
            allow_mismatch=allow_mismatch,
            **noted(notes),
        ),
        **provenance(),
    )


def _chosen(what: Sequence[str] | None) -> list[Axis]:
    known = axes()
    if what is None:
        return list(known.values())
    for name in what:
        if name not in known:
            raise InputError(
                f"no ablation {name!r}; there are {', '.join(known)}{did_you_mean(name, known)}"
            )
    if not what:
        raise InputError(f"no ablation given; there are {', '.join(known)}")
    return [axis for axis in known.values() if axis.name in what]


def _nothing(ladder: Ladder, axis: Axis) -> str:
    where = ladder.path or ladder.name
    if axis.name == "anchors":
        return (
            f"{where}: no anchor was measured, so nothing to ablate; list finished models of other "
            "families under `anchors:` and give their pass rates"
        )
    return f"{where}: nothing to score: {_NOTHING}; measure a target or a fifth rung"


def _rows(axis: Axis, outcomes: Sequence[Outcome]) -> tuple[AblationRow, ...]:
    """One row per variant: means over its forecasts, and over those that every variant makes."""
    made: dict[str, set[tuple[str, str]]] = {variant.name: set() for variant in axis.variants}
    for one in outcomes:
        if one.made:
            made[one.variant].add((one.task, one.target))
    common = set.intersection(*made.values())
    return tuple(
        _row(variant.name, [one for one in outcomes if one.variant == variant.name], common)
        for variant in axis.variants
    )


def _row(variant: str, own: Sequence[Outcome], common: set[tuple[str, str]]) -> AblationRow:
    answered = [one for one in own if one.made]
    shared = [one for one in answered if (one.task, one.target) in common]
    ee, fe = _sizes(answered, "ee"), _sizes(answered, "fe")
    return AblationRow(
        variant=variant,
        forecasts=len(answered),
        abstentions=len(own) - len(answered),
        ee=mean(ee),
        ee_max=max(ee, default=None),
        ee_common=mean(_sizes(shared, "ee")),
        fe=mean(fe),
        fe_max=max(fe, default=None),
        fe_common=mean(_sizes(shared, "fe")),
        common=len(common),
        **{name: mean(_known(own, name)) for name in _MEANS},
    )


def _sizes(outcomes: Sequence[Outcome], error: str) -> list[float]:
    return [abs(value) for value in _known(outcomes, error)]


def _known(outcomes: Sequence[Outcome], name: str) -> list[float]:
    return [value for one in outcomes if (value := getattr(one, name)) is not None]
