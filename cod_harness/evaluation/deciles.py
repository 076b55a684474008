"""What a benchmark is made of: how predictable its questions are, by difficulty (App. F)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cod_harness.evaluation.evidence import Floats
from cod_harness.evaluation.records.forecast import CLASSES, ClassShares, Decile

DECILES = 10


def difficulty_deciles(rates: Floats, classes: npt.NDArray[np.str_]) -> tuple[Decile, ...]:
    """Ten groups of questions, hardest first, as equal in number as can be.

    A question's difficulty is 1 minus its mean pass rate over the rungs. Among equally difficult
    questions the rates themselves decide, then the class, so that the order in which questions are
    given changes nothing.

    Args:
        rates: (n, m) pass rates, rungs by rising compute.
        classes: (n,) class of each question, out of `CLASSES`.
    """
    means = rates.mean(axis=1) if rates.shape[1] else np.zeros(len(rates))
    order = np.lexsort((classes, *rates.T[::-1], means))
    edges = len(rates) * np.arange(DECILES + 1) // DECILES
    return tuple(
        _decile(means[inside], classes[inside])
        for inside in (order[start:end] for start, end in zip(edges, edges[1:], strict=False))
    )


def _decile(means: Floats, classes: npt.NDArray[np.str_]) -> Decile:
    count = len(means)
    return Decile(
        questions=count,
        difficulty=1.0 - float(means.mean()) if count else None,
        classes=ClassShares(
            **{name: float((classes == name).mean()) if count else 0.0 for name in CLASSES}
        ),
    )
