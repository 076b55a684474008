"""What a benchmark is made of: how predictable its questions are, by difficulty (App. F)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cod_harness.evaluation.evidence import Floats

DECILES = 10


def difficulty_deciles(
    rates: Floats, classes: npt.NDArray[np.str_], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Ten groups of questions, hardest first, as equal in number as can be.

    A question's difficulty is 1 minus its mean pass rate over the rungs. Among equally difficult
    questions the rates themselves decide, then the class, so that the order in which questions are
    given changes nothing.

    Args:
        rates: (n, m) pass rates, rungs by rising compute.
        classes: (n,) class of each question.
        names: the classes there are.

    Returns:
        Per decile `questions`, mean `difficulty` (None without questions) and `classes`, the share
        of its questions in each class.
    """
    means = rates.mean(axis=1) if rates.shape[1] else np.zeros(len(rates))
    order = np.lexsort((classes, *rates.T[::-1], means))
    edges = len(rates) * np.arange(DECILES + 1) // DECILES
    deciles = []
    for start, end in zip(edges, edges[1:], strict=False):
        inside = order[start:end]
        count = len(inside)
        deciles.append(
            {
                "questions": count,
                "difficulty": 1.0 - float(means[inside].mean()) if count else None,
                "classes": {
                    name: float((classes[inside] == name).mean()) if count else 0.0
                    for name in names
                },
            }
        )
    return deciles
