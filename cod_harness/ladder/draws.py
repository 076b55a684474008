"""Which questions get more draws, once every rung has had some.

A rate k/n stays right on average only if n does not depend on the draws it is made of. So the
draws of a question on a rung are decided by its rates on *other* rungs alone: its neighbours in
compute. Stopping at the first success, or going on where 0 < k < n, would bias every rate near 0
and 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder

# The rungs that carry the forecast: the largest, and the one below it.
CARRYING = 2
# Of the tokens that the full number of draws everywhere would take, at most this share is spent.
SPENT = 0.2


def carrying_rungs(ladder: Ladder) -> list[str]:
    """Names of the rungs that may get further draws: the largest of those that can be run."""
    run = sorted((rung for rung in ladder.rungs if rung.model), key=lambda rung: rung.compute or 0)
    return [rung.name for rung in run[1:][-CARRYING:]]


def further_draws(
    rates: npt.NDArray[np.float64], compute: npt.NDArray[np.float64], first: int, full: int
) -> npt.NDArray[np.bool_]:
    """Which cells get `full` draws instead of `first`; (questions, rungs) like `rates`.

    rates: after `first` draws, NaN where there are none. compute: (rungs,) FLOP. On the CARRYING
    largest rungs, from the top, the questions whose neighbours are least decided (p(1-p) of the
    mean over the rungs below and above, or the two below), never those at 0 or at 1 on both, as
    many as SPENT allows.
    """
    questions, rungs = rates.shape
    chosen = np.zeros(rates.shape, dtype=bool)
    if not 0 < first < full:
        raise InputError(f"{first}:{full} draws: the second number must be above the first")
    left = int(max(0.0, SPENT - first / full) / (1 - first / full) * questions * rungs)
    order = np.argsort(compute, kind="stable")
    for place in range(rungs - 1, max(rungs - 1 - CARRYING, 0), -1):
        beside = [place - 1, place + 1 if place + 1 < rungs else place - 2]
        known = rates[:, [order[at] for at in beside if 0 <= at < rungs]]
        asked = ~np.isnan(known)
        middle = np.where(asked, known, 0.0).sum(axis=1) / np.maximum(asked.sum(axis=1), 1)
        # Neighbours that differ are doubt too: p(1-p) of their mean counts both.
        doubt = middle * (1 - middle)
        ranked = np.argsort(-doubt, kind="stable")[:left]
        chosen[ranked[doubt[ranked] > 0], order[place]] = True
        # What is not spent here is not spent below: else a rung's own rates, as its neighbour's
        # neighbour, would have a say in its draws.
        left -= min(left, questions)
    return chosen
