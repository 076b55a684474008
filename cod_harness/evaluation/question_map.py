"""Where the questions of a benchmark lie: a small picture of many, and examples of each cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cod_harness.evaluation.evidence import Floats
from cod_harness.evaluation.records.base import known
from cod_harness.evaluation.records.forecast import Curve, QuestionMap

if TYPE_CHECKING:
    from cod_harness.engine import COD
    from cod_harness.ladder.passrates import PassRates

OUTLIER, ZERO = -1, -2  # in place of a cluster's number
EXAMPLES = 3  # question names per cluster
CELLS = 900  # of one map at most, whatever the benchmark's size
_STEPS = (0.02, 0.025, 0.04, 0.05, 0.1)
CURVE_POINTS = 13


def question_map(rates: Floats, labels: npt.NDArray[np.intp]) -> QuestionMap:
    """Questions counted on a grid of two directions that can be read without a key.

    Across: the mean pass rate over the rungs. Up: the gain, mean pass rate on the upper half of the
    rungs minus that on the lower half. Cells grow until there are at most `CELLS` of them.

    Args:
        rates: (n, m) pass rates, rungs by rising compute.
        labels: (n,) cluster of each question; negative for none.

    Returns:
        The side of a cell, and cells. Clusters below zero are OUTLIER and ZERO.
    """
    if not rates.size:
        return QuestionMap(step=_STEPS[0], cells=())
    half = max(rates.shape[1] // 2, 1)
    place = np.column_stack(
        [rates.mean(axis=1), rates[:, -half:].mean(axis=1) - rates[:, :half].mean(axis=1)]
    )
    owner = np.where((rates == 0).all(axis=1), ZERO, np.where(labels < 0, OUTLIER, labels))
    for step in _STEPS:
        # Sums of binary fractions: 0.3 must not fall below the line at 0.3.
        cells = np.floor(place / step + 1e-9).astype(int)
        keys, counts = np.unique(np.column_stack([cells, owner]), axis=0, return_counts=True)
        if len(keys) <= CELLS:
            break
    rows = np.column_stack([keys, counts]).tolist()
    return QuestionMap(step=step, cells=tuple(tuple(row) for row in rows))


def example_questions(
    rates: Floats, labels: npt.NDArray[np.intp], questions: list[str]
) -> dict[int, list[str]]:
    """Per cluster the names of the questions nearest to its mean."""
    found: dict[int, list[str]] = {}
    for cluster in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == cluster)
        far = ((rates[members] - rates[members].mean(axis=0)) ** 2).sum(axis=1)
        nearest = members[np.argsort(far, kind="stable")[:EXAMPLES]]
        found[int(cluster)] = [questions[row] for row in nearest]
    return found


def curve(model: COD, method: str, rungs: Floats, goals: Sequence[float], level: float) -> Curve:
    """The forecast at amounts of compute from the smallest rung to a little past the last goal."""
    end = max([*goals, float(rungs.max())])
    amounts = np.geomspace(float(rungs.min()), end * 1.25, CURVE_POINTS)
    amounts = np.unique([*amounts, *goals])
    made = [model.forecast(float(amount), level) for amount in amounts]
    return Curve(
        method=method,
        points=tuple(
            (float(amount), known(one.mean), known(one.low), known(one.high))
            for amount, one in zip(amounts, made, strict=True)
        ),
    )


def rates_hash(rates: PassRates) -> str:
    """A fingerprint of all pass rates, whatever order their rows are in."""
    import pandas as pd

    columns = ["task", "question", "model", "checkpoint", "rate", "n_samples"]
    rows = pd.util.hash_pandas_object(rates.frame[columns], index=False).to_numpy()
    return hashlib.sha256(np.sort(rows).astype("<u8").tobytes()).hexdigest()
