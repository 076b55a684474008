"""What the engine is given, checked once and put into one order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cod_harness.engine.arrays import Bools, Floats, Ints
from cod_harness.engine.settings import MIN_RUNGS, OUTLIER, UNTOLD_ANSWERS
from cod_harness.errors import InputError


@dataclass(frozen=True)
class Measurements:
    """Pass rates of one benchmark on one ladder.

    Rungs stand by rising compute, questions in the order of their rows, so that no order of the
    user's can change a result, not even in its last bit.

    rates (n, m) in [0, 1]; compute (m,) FLOP; n_samples (n, m), 0 for analytic rates;
    anchors (n, k), k may be 0; question_order (n,) and rung_order (m,): row i here is the user's
    row question_order[i].
    """

    rates: Floats
    compute: Floats
    n_samples: Floats
    anchors: Floats
    question_order: Ints
    rung_order: Ints

    def as_given(self, per_rung: Floats) -> Floats:
        """Values per rung (m, ...) back in the user's order of models."""
        given = np.empty_like(per_rung)
        given[self.rung_order] = per_rung
        return given


def measurements(
    rates: ArrayLike, compute: ArrayLike, n_samples: ArrayLike, anchors: ArrayLike | None
) -> Measurements:
    """Check and order the arguments of `COD.fit`; raises InputError saying what is wrong."""
    p = _numbers(rates, "rates")
    if p.ndim != 2 or p.shape[0] == 0:
        raise InputError(
            f"rates have shape {p.shape}: give one row per question, one column per model"
        )
    c = _numbers(compute, "compute")
    if c.shape != (p.shape[1],):
        raise InputError(
            f"compute has shape {c.shape} for {p.shape[1]} models: give one number of FLOP for each"
        )
    if len(c) < MIN_RUNGS:
        raise InputError(
            f"{len(c)} rungs: a forecast needs at least {MIN_RUNGS}, the law has four parameters"
        )
    wrong = np.flatnonzero(~(np.isfinite(c) & (c > 0)))
    if len(wrong):
        raise InputError(
            f"compute of model {wrong[0]} is {c[wrong[0]]:g}: give its training FLOP, above 0"
        )
    if len(np.unique(c)) < MIN_RUNGS:
        raise InputError(
            f"{len(np.unique(c))} different amounts of compute among {len(c)} rungs: a forecast "
            f"needs at least {MIN_RUNGS}"
        )
    _check_rates(p, "rates")
    k = _numbers(n_samples, "n_samples")
    if k.ndim not in (0, 2) or (k.ndim == 2 and k.shape != p.shape):
        raise InputError(
            f"n_samples has shape {k.shape}, rates have {p.shape}: give one number or an array "
            "like rates"
        )
    k = np.broadcast_to(k, p.shape)
    if not (np.isfinite(k) & (k >= 0)).all():
        i, j = np.argwhere(~(np.isfinite(k) & (k >= 0)))[0]
        raise InputError(
            f"n_samples of question {i}, model {j} is {k[i, j]:g}: give the number of draws, or 0 "
            "for an analytic rate"
        )
    q = np.empty((len(p), 0)) if anchors is None else _numbers(anchors, "anchors")
    if q.ndim == 1:
        q = q[:, None]
    if q.ndim != 2 or len(q) != len(p):
        raise InputError(
            f"anchors have shape {q.shape} for {len(p)} questions: give one row per question, one "
            "column per finished model"
        )
    _check_rates(q, "anchors")
    # Equal compute is ordered by accuracy, only so that the order is nobody's choice.
    rungs = np.lexsort((np.sort(p, axis=0).sum(axis=0), c))
    p, k, c = p[:, rungs], k[:, rungs], c[rungs]
    questions = np.lexsort(np.hstack([q, k, p]).T[::-1])
    return Measurements(
        np.ascontiguousarray(p[questions]), c, k[questions], q[questions], questions, rungs
    )


def answers(ladder: Measurements) -> Floats:
    """Answers (m,) behind each rung's accuracy: its draws, at least one a question.

    One analytic rate a rung is an accuracy of whose answers nothing is told:
    `settings.UNTOLD_ANSWERS`.
    """
    if len(ladder.rates) == 1:
        draws = ladder.n_samples[0]
        return np.where(draws > 0, draws, UNTOLD_ANSWERS)
    return np.asarray(np.maximum(ladder.n_samples, 1.0).sum(axis=0))


def check_question(compute: float, level: float) -> None:
    """Refuse a compute that is not positive or a level outside (0, 1) with an InputError."""
    if not (np.isfinite(compute) and compute > 0):
        raise InputError(f"compute of the target is {compute:g}: give training FLOP, above 0")
    if not 0.0 < level < 1.0:
        raise InputError(f"level is {level:g}: give a probability between 0 and 1")


def features(ladder: Measurements) -> tuple[Floats, Bools]:
    """Difficulty features (4.1): a question's rates by rising compute, zero rows set aside.

    Returns the rows (n - zeros, m) and which of the n questions were never answered.
    """
    zero: Bools = np.all(ladder.rates == 0, axis=1)
    return ladder.rates[~zero], zero


def given_labels(labels: ArrayLike, ladder: Measurements) -> Ints:
    """Clusters learnt elsewhere, in the order of the measurements; raises InputError.

    Numbers without a question are closed up; the order of the clusters stays.
    """
    given = np.asarray(labels)
    n = len(ladder.rates)
    if given.shape != (n,) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f"labels are {given.dtype} of shape {given.shape} for {n} questions: give one whole "
            "number a question, -1 for outliers"
        )
    if given.min() < OUTLIER:
        raise InputError(f"labels hold {given.min()}: give clusters from 0, -1 for outliers")
    names, closed = np.unique(given, return_inverse=True)
    closed = closed.reshape(-1) - int(names[0] == OUTLIER)
    return np.asarray(closed[ladder.question_order], dtype=np.intp)


def _numbers(values: ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} are not an array of numbers: {error}") from None


def _check_rates(values: Floats, name: str) -> None:
    """Every rate in [0, 1]; NaN fails the comparison too."""
    wrong = np.argwhere(~((values >= 0) & (values <= 1)))
    if len(wrong):
        i, j = wrong[0]
        what = "missing (NaN)" if np.isnan(values[i, j]) else f"{values[i, j]:g}"
        remedy = "drop the question or the model" if np.isnan(values[i, j]) else "give shares"
        raise InputError(
            f"{name} of question {i}, model {j} is {what}, not in [0, 1]: {remedy} "
            f"({len(wrong)} such values)"
        )


def rung_losses(losses: ArrayLike | None, ladder: Measurements) -> Floats:
    """Losses (m,) in the order of the measurements, NaN where unknown; raises InputError."""
    m = len(ladder.compute)
    if losses is None:
        return np.full(m, np.nan)
    given = np.asarray(losses, dtype=np.float64)
    if given.shape != (m,):
        raise InputError(
            f"losses have shape {given.shape} for {m} models: give one a model, NaN where unknown"
        )
    return given[ladder.rung_order]
