"""Latent ability: every question has a difficulty, every rung an ability (arXiv 2606.07616).

The chance of a right answer is F(ability - difficulty).  Difficulties are a population on a grid,
abilities are free: both are estimated by marginal maximum likelihood from the counts of right
answers, so no question is set aside, be it never answered, and none is chosen for its luck.  The
abilities then follow a straight line in log compute, and the target's accuracy is the population's
at the ability there.  With the log-log link, F(u) = exp(-exp(-u)), that line is Eq. 4 without c and
g for every question, its difficulty being log a.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Floats
from ..measurements import Measurements
from .scales import NOISE_FLOOR, NoScoreError, Scores, whole

Link = Callable[[Floats], Floats]

_GRID = np.linspace(-8.0, 8.0, 49)
_SMOOTH = 0.75  # sd of the kernel that smooths the population, in units of ability
_ROUNDS = 100
_ENOUGH = 1e-3  # largest change of an ability in a round at which the rounds end
_REACH = 7.0  # abilities are kept within +- this
# An analytic rate says as much as this many draws: it knows its question exactly, but not how the
# next question like it would come out.
_ANALYTIC_DRAWS = 16.0


def log_log(u: Floats) -> Floats:
    """exp(-exp(-u))"""
    return np.exp(-np.exp(np.clip(-u, -50.0, 50.0)))


def logit(u: Floats) -> Floats:
    """1 / (1 + exp(-u))"""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * u)))


class AbilityScale:
    """Abilities of the rungs; an accuracy is the population's mean chance at an ability.

    Attributes after `scores`: masses_ (grid,), the population of difficulties.
    """

    masses_: Floats

    def __init__(self, link: Link = log_log, recent: float = 3.0) -> None:
        """recent: weight of each of the last three rungs in the line, the others having 1."""
        self.link = link
        self.recent = recent

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        draws = np.where(ladder.n_samples > 0, ladder.n_samples, _ANALYTIC_DRAWS)
        right = ladder.rates * draws
        # Questions of the same answers are one row: with one draw each there are few of them.
        rows, counts = np.unique(np.hstack([right, draws]), axis=0, return_counts=True)
        right, wrong = rows[:, : right.shape[1]], rows[:, right.shape[1] :]
        wrong = wrong - right
        if not wrong.any():
            raise NoScoreError("every question was always answered: nothing is left to forecast")
        ability, self.masses_ = estimated(right, wrong, counts.astype(float), self.link)
        accuracy = self.accuracy(ability)
        step = 1e-3
        slope = (self.accuracy(ability + step) - self.accuracy(ability - step)) / (2.0 * step)
        sampling = accuracy * (1.0 - accuracy) / draws.sum(axis=0)
        sigma = np.sqrt(sampling / np.maximum(slope, 0.02) ** 2 + (NOISE_FLOOR / 0.35) ** 2)
        late = ladder.compute >= np.unique(ladder.compute)[-3]
        return whole(ability, sigma / np.sqrt(np.where(late, self.recent, 1.0)))

    def accuracy(self, score: Floats) -> Floats:
        return np.asarray(self.link(score[..., None] - _GRID) @ self.masses_)


def estimated(right: Floats, wrong: Floats, counts: Floats, link: Link) -> tuple[Floats, Floats]:
    """Abilities (m,) and masses (grid,) by expectation and maximisation, smoothed.

    right, wrong (rows, m) answers; counts (rows,), questions of each row.
    """
    share = np.clip((counts @ right) / (counts @ (right + wrong)), 0.005, 0.995)
    ability = np.log(share) - np.log1p(-share)
    ability -= ability.mean()
    masses = np.full(len(_GRID), 1.0 / len(_GRID))
    kernel = np.exp(-0.5 * ((_GRID[:, None] - _GRID) / _SMOOTH) ** 2)
    kernel /= kernel.sum(axis=0)
    for _ in range(_ROUNDS):
        chance = np.clip(link(ability[:, None] - _GRID), 1e-9, 1.0 - 1e-9)
        likelihood = right @ np.log(chance) + wrong @ np.log1p(-chance) + np.log(masses + 1e-300)
        likelihood -= likelihood.max(axis=1, keepdims=True)
        belief = np.exp(likelihood)
        belief *= (counts / belief.sum(axis=1))[:, None]
        masses = kernel @ (belief.sum(axis=0) / counts.sum())
        step = _ascent(ability, right.T @ belief, wrong.T @ belief, link)
        ability = np.clip(ability + step, -_REACH, _REACH)
        if np.abs(step).max() < _ENOUGH:
            break
    return ability, np.asarray(masses / masses.sum())


def _ascent(ability: Floats, right: Floats, wrong: Floats, link: Link) -> Floats:
    """One damped Newton step (m,) on the expected log-likelihood; right, wrong (m, grid)."""
    step = 1e-3
    place = ability[:, None] - _GRID
    chance = np.clip(link(place), 1e-9, 1.0 - 1e-9)
    slope = (link(place + step) - link(place - step)) / (2.0 * step)
    pull = ((right / chance - wrong / (1.0 - chance)) * slope).sum(axis=1)
    # Fisher's information: positive whatever the link.
    weight = ((right + wrong) * slope**2 / (chance * (1.0 - chance))).sum(axis=1)
    return np.asarray(np.clip(pull / np.maximum(weight, 1e-6), -1.0, 1.0))
