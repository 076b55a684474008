"""Pass rates out of log-likelihoods: no sampling is needed (appendix H; softmax is ours)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def choice_rate(loglikelihoods: Sequence[float], gold: Sequence[int]) -> float:
    """Softmax of the choices' log-likelihoods at the right ones, in [0, 1].

    gold: places of the right choices; their shares are summed. Lengths are not normalised away.
    """
    lls = np.array(loglikelihoods, dtype=float)
    weights = np.exp(lls - lls.max())
    return float(weights[list(gold)].sum() / weights.sum())


def text_rate(loglikelihood: float) -> float:
    """The chance of sampling exactly the text that has this log-likelihood (lambada's kind)."""
    return math.exp(min(0.0, loglikelihood))
