"""What a forecast of one task may see: rates of rungs and anchors, never those of a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cod_harness.engine.settings import MIN_RUNGS
from cod_harness.engine.verdicts import Reason, because
from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import WHOLE
from cod_harness.notes import Note, note

if TYPE_CHECKING:
    from cod_harness.engine import COD, Forecast, Forecaster
    from cod_harness.engine.views.trend import Siblings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The complete pass rates of one task, on the questions all its models were asked.

    Attributes:
        task: name of the task.
        questions: the n questions that every rung and anchor with data was asked.
        rungs: the m rungs that have data, by rising compute.
        anchors: the k anchors that have data.
        rates: (n, m) pass rates of the rungs.
        n_samples: (n, m) draws behind them; 0 for analytic rates.
        anchor_rates: (n, k) pass rates of the anchors.
        filter: lm-eval filter; "" if unknown.
        metric: lm-eval metric; "" if unknown.
        notes: on models and questions left out.
        problem: why no forecast can be made from this, or None.
        whole: the number of questions (0: unknown) behind the accuracies where only those are
            known, of which rates, n_samples and anchor_rates then have one row; None where
            questions are.
        abilities: (m, 2) ability of each rung on the task and the variance from drawing answers;
            None where `siblings` is.
        siblings: abilities of the rungs on the ladder's other tasks, for methods whose `fit` takes
            `siblings`; None where they are not known.
    """

    task: str
    questions: list[str]
    rungs: tuple[Model, ...]
    anchors: tuple[Model, ...]
    rates: Floats
    n_samples: npt.NDArray[np.int64]
    anchor_rates: Floats
    filter: str
    metric: str
    notes: tuple[Note, ...]
    problem: Reason | None = None
    whole: int | None = None
    abilities: Floats | None = None
    siblings: Siblings | None = None

    @property
    def size(self) -> int:
        """The number of questions, known one by one or not."""
        return len(self.questions) if self.whole is None else self.whole

    @property
    def compute(self) -> Floats:
        """(m,) training compute of the rungs in FLOP."""
        return np.array([model.compute for model in self.rungs], dtype=float)

    @property
    def losses(self) -> Floats:
        """(m,) losses of the rungs on the task, or their own; NaN where the ladder tells none."""
        losses = [model.loss_on(self.task) for model in self.rungs]
        return np.array([np.nan if loss is None else loss for loss in losses], dtype=float)


@dataclass(frozen=True, eq=False)
class Fit:
    """The clusters, laws and map of one task: what they were fitted to, and the fitted model."""

    evidence: Evidence
    model: COD


def task_evidence(rates: PassRates, ladder: Ladder, task: str) -> Evidence:
    """The evidence on one task.

    Rungs and anchors without any question of the task are left out, then questions that one of
    the others wasn't asked; both are told in `notes`.

    Raises:
        InputError: there are no pass rates of the task.
    """
    measured = set(rates.models(task))
    rungs, no_rungs = _split(ladder.rungs, measured)
    anchors, no_anchors = _split(ladder.anchors, measured)
    names = [model.name for model in rungs + anchors]
    matrix = rates.matrix(task, names)
    kept = matrix.keep(matrix.complete)
    notes = []
    if no_rungs:
        notes.append(note("no_data", task=task, names=_names(no_rungs)))
    if no_anchors:
        notes.append(note("anchors_without_data", task=task, names=_names(no_anchors)))
    dropped = len(matrix.questions) - len(kept.questions)
    if dropped:
        counts = np.isnan(matrix.rates).sum(axis=0)
        short = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
        questions = len(matrix.questions)
        notes.append(
            note(
                "questions_left_out",
                task=task,
                dropped=dropped,
                questions=questions,
                lacking=short,
            )
        )
    return Evidence(
        task=task,
        questions=kept.questions,
        rungs=rungs,
        anchors=anchors,
        rates=kept.rates[:, : len(rungs)],
        n_samples=kept.n_samples[:, : len(rungs)],
        anchor_rates=kept.rates[:, len(rungs) :],
        filter=matrix.filter,
        metric=matrix.metric,
        notes=tuple(notes),
        problem=_problem(rungs, len(kept.questions)),
        whole=rates.questions(task) if rates.whole(task) else None,
    )


def _problem(rungs: Sequence[Model], questions: int) -> Reason | None:
    if len(rungs) < MIN_RUNGS:
        return because("too_few_rungs", rungs=len(rungs), names=_names(rungs))
    amounts = len({model.compute for model in rungs})
    if amounts < MIN_RUNGS:
        return because("too_few_amounts", amounts=amounts, rungs=len(rungs))
    return None if questions else because("no_common_question")


def fitted(
    method: Forecaster, evidence: Evidence, labels: npt.NDArray[np.intp] | None = None
) -> Forecaster:
    """A method, fitted to the evidence of one task that has no problem.

    labels (n,) are clusters learnt elsewhere, for a method that takes them
    (`engine.methods.CLUSTERING`).
    """
    anchors = evidence.anchor_rates if evidence.anchors else None
    more: dict[str, Any] = {} if labels is None else {"labels": labels}
    taken = signature(method.fit).parameters
    if evidence.siblings is not None:
        more |= {"siblings": evidence.siblings} if "siblings" in taken else {}
        more |= {"jumps": _jumps(evidence)} if "jumps" in taken else {}
    return method.fit(
        evidence.rates,
        evidence.compute,
        evidence.n_samples,
        anchors=anchors,
        losses=evidence.losses,
        **more,
    )


def _jumps(evidence: Evidence) -> Floats:
    """How far the last rungs lay off the trend on the ladder's benchmarks, ability."""
    from cod_harness.engine.settings import LOOK_BACK
    from cod_harness.engine.views.trend import benchmark_trend

    assert evidence.abilities is not None and evidence.siblings is not None
    order = np.argsort(evidence.compute, kind="stable")
    values, variance = evidence.abilities[order].T
    trend, _ = benchmark_trend(
        np.log(evidence.compute[order]),
        np.ascontiguousarray(values),
        np.ascontiguousarray(variance),
        evidence.siblings.ordered(order),
        evidence.losses[order],
    )
    return trend.misses.jumps(LOOK_BACK)


def reasons_of(forecast: Forecast, evidence: Evidence) -> tuple[Reason, ...]:
    """Why a forecast is not ok: the method's reasons, and what its evidence lacks."""
    if evidence.whole is None or forecast.verdict != "weak":
        return forecast.reasons
    told = [reason for reason in forecast.reasons if reason.code != "no_questions"]
    return (*told, because("results_alone"))


def check_rungs(rates: PassRates, ladder: Ladder) -> None:
    """Refuse a ladder of which fewer rungs have any data than the engine needs.

    Raises:
        InputError: naming the rungs that have some, and those that have none.
    """
    measured = set(rates.models())
    rungs, without = _split(ladder.rungs, measured)
    if len(rungs) >= MIN_RUNGS:
        return
    missing = f"; none for {_names(without)}" if without else ""
    raise InputError(
        f"{ladder.path or ladder.name}: pass rates for {len(rungs)} rungs "
        f"({_names(rungs) or 'none'}){missing}; a forecast needs {MIN_RUNGS}: run or add rungs"
    )


def measured_accuracy(
    rates: PassRates, evidence: Evidence, target: str
) -> tuple[float | None, Note | None]:
    """A target's mean accuracy on the questions of the evidence, and a note if there is none.

    None without a note if the target wasn't measured; with one if it lacks some questions, as a
    mean over others could not be compared.
    """
    if target in rates.models(evidence.task) and evidence.questions:
        matrix = rates.matrix(evidence.task, [target])
        if matrix.questions == [WHOLE]:  # its questions are not known
            return float(matrix.rates[0, 0]), None
    measured, lacking = measured_rates(rates, evidence, target)
    return None if measured is None else float(np.mean(measured)), lacking


def measured_rates(
    rates: PassRates, evidence: Evidence, target: str
) -> tuple[Floats | None, Note | None]:
    """A target's pass rates (n,) on the questions of the evidence; None as in
    `measured_accuracy`.  Only what scores a forecast may read them."""
    if target not in rates.models(evidence.task) or not evidence.questions:
        return None, None
    matrix = rates.matrix(evidence.task, [target])
    known = dict(zip(matrix.questions, matrix.rates[:, 0], strict=True))
    values = np.array([known.get(question, np.nan) for question in evidence.questions])
    lacking = int(np.isnan(values).sum())
    if lacking:
        return None, note(
            "target_lacks_questions",
            task=evidence.task, target=target, lacking=lacking, questions=len(values),
        )  # fmt: skip
    return values, None


def _split(
    models: Sequence[Model], measured: set[str]
) -> tuple[tuple[Model, ...], tuple[Model, ...]]:
    have = tuple(model for model in models if model.name in measured)
    return have, tuple(model for model in models if model.name not in measured)


def _names(models: Sequence[Model]) -> str:
    return ", ".join(model.name for model in models)
