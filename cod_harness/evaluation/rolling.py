"""Rolling origins: measured targets and large rungs, each with what a forecast of it may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cod_harness.evaluation.evidence import Evidence, measured_accuracy, task_evidence
from cod_harness.evaluation.records.backtest import Role
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.notes import Note, note


@dataclass(frozen=True)
class Hidden:
    """A model whose accuracy is known and kept from the forecast of it.

    Attributes:
        model: a measured target, or a rung.
        observed: its accuracy on the questions of the evidence, for scoring alone.
    """

    model: Model
    observed: float

    @property
    def compute(self) -> float:
        """Training compute in FLOP."""
        assert self.model.compute is not None  # only anchors have none
        return self.model.compute

    @property
    def role(self) -> Role:
        """What it is in the ladder."""
        return "target" if self.model.role == "target" else "rung"


@dataclass(frozen=True, eq=False)
class Origin:
    """One point on one task to forecast from.

    Attributes:
        evidence: what a forecast may see: anchors, and rungs that are not hidden.
        hidden: the models to forecast.
    """

    evidence: Evidence
    hidden: tuple[Hidden, ...]


def rolling_origins(
    rates: PassRates, ladder: Ladder, task: str, holdout: int | None = None
) -> tuple[list[Origin], list[Note]]:
    """What can be forecast and scored on one task.

    First the measured targets, from all rungs; then rungs, the largest first, each from the rungs
    of less compute (not from those of the same, which may be the same model trained again), as long
    as those suffice for a forecast.

    Args:
        rates: pass rates of the ladder.
        ladder: the ladder.
        task: name of the task.
        holdout: how many of the largest rungs to hide at most; None for every one that leaves
            enough below it.

    Returns:
        The origins, and notes on what was left out.
    """
    everything = task_evidence(rates, ladder, task)
    notes = list(everything.notes)
    measured = [model for model in ladder.targets if model.name in rates.models(task)]
    origins = []
    if everything.problem:
        if measured:
            notes.append(note("no_forecast", task=task, why=everything.problem))
    elif measured:
        origins += _origin(rates, everything, measured, notes)
    rungs = everything.rungs
    kept = rungs if holdout is None else rungs[max(len(rungs) - holdout, 0) :]
    for compute in sorted({model.compute or 0.0 for model in kept}, reverse=True):
        smaller = tuple(model for model in ladder.rungs if (model.compute or 0.0) < compute)
        evidence = task_evidence(rates, replace(ladder, rungs=smaller), task)
        if evidence.problem:
            break  # fewer rungs will not do either
        alike = [model for model in kept if model.compute == compute]
        origins += _origin(rates, evidence, alike, notes)
    return origins, list(dict.fromkeys(notes))


def _origin(
    rates: PassRates, evidence: Evidence, models: Sequence[Model], notes: list[Note]
) -> list[Origin]:
    """The origin of some models, [] where none of them can be scored; adds to the notes."""
    hidden = []
    for model in models:
        observed, lacking = measured_accuracy(rates, evidence, model.name)
        notes += [lacking] if lacking else []
        if observed is not None:
            hidden.append(Hidden(model, observed))
    return [Origin(evidence, tuple(hidden))] if hidden else []
