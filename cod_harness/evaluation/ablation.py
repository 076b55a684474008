"""The paper's ablations on a user's own ladder: one thing about the recipe changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cod_harness.documents.writing import plain, provenance
from cod_harness.errors import InputError
from cod_harness.evaluation.ablation_bench import BASES, Bench, Variant
from cod_harness.evaluation.evidence import check_rungs, measured_rates
from cod_harness.evaluation.forecasts import Document, mismatches
from cod_harness.evaluation.rolling import rolling_origins
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates

SCHEMA = "cod-ablation/1"
_NOTHING = "no measured target, and no rung more than a forecast needs"
_T = (0.0025, 0.005, 0.01, 0.02)  # of Figure A1
# Of a row: the mean over forecasts of what each has.
_MEANS = ("iad", "or", "tr", "clusters", "map_rmse", "map_pieces")

Entry = Mapping[str, Any]


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


def ablation_document(
    rates: PassRates,
    ladder: Ladder,
    what: Sequence[str] | None = None,
    base: str = BASES[0],
    allow_mismatch: bool = False,
    progress: Callable[[str], object] | None = None,
) -> Document:
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

    Returns:
        `{schema, base, ladder, axes, settings, versions, created}`, plain JSON values. An axis has
        `rows`, one per variant, means over its forecasts, and `forecasts`, one per task, model and
        variant. Errors are in points: absolute in `rows`, forecast minus measured in `forecasts`.
        A number that doesn't exist is None.

    Raises:
        InputError: an unknown axis or base, runs that differ, too few rungs, nothing to score, or
            anchors asked for by name where none was measured.
    """
    chosen = _chosen(what)
    if base not in BASES:
        raise InputError(f"no recipe {base!r} to ablate; there are {', '.join(BASES)}")
    check_rungs(rates, ladder)
    notes = [*rates.notes, *mismatches(rates, allow_mismatch)]
    outcomes: dict[str, list[Entry]] = {axis.name: [] for axis in chosen}
    for place, task in enumerate(rates.tasks, 1):
        if progress:
            progress(f"[{place}/{len(rates.tasks)}] {task}")
        origins, told = rolling_origins(rates, ladder, task, holdout=1)
        notes += told
        if not origins:
            notes.append(f"{task}: not scored, {_NOTHING}")
            continue
        # The measured targets come first; the largest rung where there are none.
        evidence = origins[0].evidence
        bench = Bench(evidence, base)
        for hidden in origins[0].hidden:
            column, _ = measured_rates(rates, evidence, hidden.model.name)
            assert column is not None  # or it would not be among those that can be scored
            for axis in chosen:
                if axis.name != "anchors" or evidence.anchors:
                    outcomes[axis.name] += [
                        bench.outcome(variant, hidden, column) for variant in axis.variants
                    ]
    for axis in chosen:
        if not outcomes[axis.name]:
            if what is not None or axis.name != "anchors":
                raise InputError(_nothing(ladder, axis))
            notes.append(f"no {axis.table} ({axis.name}): no anchor was measured")
    document = {
        "schema": SCHEMA,
        "base": base,
        "ladder": ladder.name,
        "axes": {
            axis.name: {
                "table": axis.table,
                "title": axis.title,
                "reference": axis.reference,
                "rows": _rows(axis, outcomes[axis.name]),
                "forecasts": outcomes[axis.name],
            }
            for axis in chosen
            if outcomes[axis.name]
        },
        "settings": {
            "what": [axis.name for axis in chosen],
            "allow_mismatch": allow_mismatch,
            "notes": list(dict.fromkeys(notes)),
        },
        **provenance(),
    }
    written: Document = plain(document)
    return written


def _chosen(what: Sequence[str] | None) -> list[Axis]:
    known = axes()
    if what is None:
        return list(known.values())
    for name in what:
        if name not in known:
            raise InputError(f"no ablation {name!r}; there are {', '.join(known)}")
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


def _rows(axis: Axis, outcomes: Sequence[Entry]) -> list[dict[str, Any]]:
    """One row per variant: means over its forecasts, and over those that every variant makes."""
    made: dict[str, set[tuple[str, str]]] = {variant.name: set() for variant in axis.variants}
    for one in outcomes:
        if one["verdict"] != "abstain":
            made[one["variant"]].add((one["task"], one["target"]))
    common = set.intersection(*made.values())
    rows = []
    for variant in axis.variants:
        own = [one for one in outcomes if one["variant"] == variant.name]
        answered = [one for one in own if one["verdict"] != "abstain"]
        shared = [one for one in answered if (one["task"], one["target"]) in common]
        row: dict[str, Any] = {
            "variant": variant.name,
            "forecasts": len(answered),
            "abstentions": len(own) - len(answered),
        }
        for error in ("ee", "fe"):
            sizes = [abs(one[error]) for one in answered if np.isfinite(one[error])]
            row[error] = _mean(sizes)
            row[f"{error}_max"] = max(sizes, default=np.nan)
            row[f"{error}_common"] = _mean([abs(one[error]) for one in shared])
        row["common"] = len(common)
        for name in _MEANS:
            row[name] = _mean([one[name] for one in own])
        rows.append(row)
    return rows


def _mean(values: Sequence[float]) -> float:
    """Mean of the values that exist; NaN if none does."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
