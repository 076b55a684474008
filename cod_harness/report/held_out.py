"""Models whose results are known and kept back, so that forecasts of them can be scored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.report.evidence import Evidence, Floats, measured_rates, task_evidence


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One model on one task, and what a forecast of it may see.

    Attributes:
        evidence: rungs and anchors without the model; it may have a problem.
        model: the model kept back, a measured target or a rung.
        rates: (n,) its pass rates on the questions of the evidence, for scoring alone.
    """

    evidence: Evidence
    model: Model
    rates: Floats

    @property
    def compute(self) -> float:
        """Training compute of the model in FLOP."""
        assert self.model.compute is not None  # only anchors have none
        return self.model.compute


def held_out_models(rates: PassRates, ladder: Ladder, task: str) -> tuple[list[HeldOut], list[str]]:
    """The measured targets of one task; where there are none, its largest rung.

    A rung is kept back together with every rung of its compute. The second value are notes on
    what was left out.
    """
    evidence = task_evidence(rates, ladder, task)
    points, notes = _scored(rates, evidence, ladder.targets)
    if not points and evidence.rungs:
        largest = max(evidence.compute)
        hidden = tuple(model for model in evidence.rungs if model.compute == largest)
        smaller = tuple(model for model in ladder.rungs if model not in hidden)
        evidence = task_evidence(rates, replace(ladder, rungs=smaller), task)
        points, more = _scored(rates, evidence, hidden)
        notes += more
    return points, [*evidence.notes, *notes]


def _scored(
    rates: PassRates, evidence: Evidence, models: tuple[Model, ...]
) -> tuple[list[HeldOut], list[str]]:
    points, notes = [], []
    for model in models:
        if model.compute is None:
            continue
        measured, note = measured_rates(rates, evidence, model.name)
        notes += [note] if note else []
        if measured is not None:
            points.append(HeldOut(evidence, model, measured))
    return points, notes
