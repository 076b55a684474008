"""Models whose results are known and kept back, so that forecasts of them can be scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.report.evidence import Evidence, Floats, measured_rates, task_evidence


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A model that was kept back from the evidence on one task.

    Attributes:
        model: a measured target, or a rung.
        rates: (n,) its pass rates on the questions of the evidence, for scoring alone.
    """

    model: Model
    rates: Floats

    @property
    def compute(self) -> float:
        """Training compute of the model in FLOP."""
        assert self.model.compute is not None  # only anchors have none
        return self.model.compute


def held_out_models(
    rates: PassRates, ladder: Ladder, task: str
) -> tuple[Evidence, list[HeldOut], list[str]]:
    """The measured targets of one task; where there are none, its largest rung.

    A rung is kept back together with every rung of the same compute.

    Returns:
        What a forecast of the models may see (it may have a problem), the models, and notes on
        what was left out.
    """
    evidence = task_evidence(rates, ladder, task)
    points, notes = _measured(rates, evidence, ladder.targets)
    if not points and evidence.rungs:
        largest = evidence.rungs[-1].compute
        hidden = tuple(model for model in evidence.rungs if model.compute == largest)
        smaller = tuple(model for model in ladder.rungs if model not in hidden)
        evidence = task_evidence(rates, replace(ladder, rungs=smaller), task)
        points, more = _measured(rates, evidence, hidden)
        notes += more
    return evidence, points, [*evidence.notes, *notes]


def _measured(
    rates: PassRates, evidence: Evidence, models: Sequence[Model]
) -> tuple[list[HeldOut], list[str]]:
    points, notes = [], []
    for model in models:
        if model.compute is None:
            continue
        measured, note = measured_rates(rates, evidence, model.name)
        notes += [note] if note else []
        if measured is not None:
            points.append(HeldOut(model, measured))
    return points, notes
