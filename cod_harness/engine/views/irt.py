"""One ability a model, one difficulty a question: Eq. 4 read as an item-response model.

With c = g = 0 a question follows exp(-a C^-b) = exp(-exp(d - theta)), d = log a its difficulty
and theta = b log C the ability of the model, common to all questions.  Here theta is free at every
rung and the difficulties are a population on a grid; both are estimated by marginal maximum
likelihood from the counts of right answers.  No question is set aside, be it never answered, and
none is chosen for its luck: what a clustering of few draws mistakes for emergence is
marginalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.intervals import accuracy_variance
from cod_harness.engine.measurements import Measurements, answers

Link = Callable[[Floats], Floats]

_FINE = np.linspace(-8.0, 8.0, 2001)  # abilities at which a given population is tabulated
GRID = np.linspace(-8.0, 8.0, 49)  # difficulties
_ROUNDS = 40
_ENOUGH = 5e-3  # largest change of an ability in a round at which the rounds end
_REACH = 7.0  # abilities are kept within +- this
_STEP = 1e-3  # of numerical slopes


def log_log(u: Floats) -> Floats:
    """exp(-exp(-u))"""
    return np.exp(-np.exp(np.clip(-u, -50.0, 50.0)))


def logit(u: Floats) -> Floats:
    """1 / (1 + exp(-u))"""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * u)))


@dataclass(frozen=True)
class Abilities:
    """Abilities of a ladder's models on one benchmark, and its population of difficulties.

    values (m,); variance (m,), from drawing answers; masses (grid,), sum 1; link: chance of a right
    answer by ability minus difficulty.
    """

    values: Floats
    variance: Floats
    masses: Floats
    link: Link

    def accuracy(self, ability: Floats) -> Floats:
        """Mean rate of the benchmark in [0, 1] at abilities of any shape."""
        return np.asarray(self.link(np.asarray(ability)[..., None] - GRID) @ self.masses)

    def drawing_variance(self, ability: Floats, answers: float) -> Floats:
        """Variance of abilities, of any shape, from drawing this many answers over all questions.

        0 for 0 answers: analytic rates.
        """
        if not answers:
            return np.zeros_like(ability)
        chance = self.link(np.asarray(ability)[..., None] - GRID)
        # Half an answer right, as elsewhere: who was never seen to vary still may.
        spread = (chance * (1.0 - chance)) @ self.masses + 0.5 / answers
        return np.asarray(spread / answers / self.slope(ability) ** 2)

    def slope(self, ability: Floats) -> Floats:
        """Accuracy per unit of ability, at least `settings.LEAST_SLOPE`, at any shape."""
        rise = self.accuracy(ability + _STEP) - self.accuracy(ability - _STEP)
        return np.asarray(np.maximum(rise / (2.0 * _STEP), settings.LEAST_SLOPE))

    def ability(self, accuracy: float) -> float:
        """The ability at which the benchmark's mean rate is ``accuracy``."""
        return float(np.interp(accuracy, self.accuracy(_FINE), _FINE))


def benchmark_abilities(ladder: Measurements) -> Abilities:
    """The abilities of the rungs on a benchmark, by rising compute, whatever its answers are.

    From its questions where they tell, else from its accuracies.
    """
    variance = accuracy_variance(ladder)
    if len(ladder.rates) > 1 and ladder.rates.any():
        found = abilities(ladder, variance)
        if found is not None:
            return _within_reach(found, answers(ladder))
    return plain_abilities(ladder.rates.mean(axis=0), variance, answers(ladder))


def _within_reach(found: Abilities, asked: Floats) -> Abilities:
    """Abilities no farther out than half an answer of ``asked`` (m,) could tell.

    A rung without a right answer may have any ability below; it is known by about a nat.
    """
    half = 0.5 / asked
    heights = found.accuracy(_FINE)
    lowest, highest = (np.interp(ends, heights, _FINE) for ends in (half, 1.0 - half))
    values = np.clip(found.values, lowest, highest)
    slope = np.interp(values, _FINE, np.gradient(heights, _FINE))
    beyond = np.square(half / np.maximum(slope, 1e-12))
    return replace(
        found,
        values=values,
        variance=np.where(values == found.values, found.variance, beyond),
    )


def abilities(ladder: Measurements, sampling: Floats, link: Link = log_log) -> Abilities | None:
    """The abilities of the rungs, or None where every answer was right.

    sampling (m,): variance of the rungs' accuracy from drawing answers.
    """
    most = settings.MOST_DRAWS
    draws = np.where(ladder.n_samples > 0, np.minimum(ladder.n_samples, most), most)
    # Questions of the same answers are one row: with one draw each there are few of them.
    rows, counts = np.unique(np.hstack([ladder.rates, draws]), axis=0, return_counts=True)
    rates, draws = np.hsplit(rows, 2)
    right, wrong = rates * draws, (1.0 - rates) * draws
    if not wrong.any():
        return None
    # The products are small: threads spend more on waiting for each other than they save.
    with threadpool_limits(1, "blas"):
        values, masses = estimated(right, wrong, counts.astype(float), link)
    found = Abilities(values, np.zeros_like(values), masses, link)
    return replace(found, variance=sampling / found.slope(values) ** 2)


def plain_abilities(accuracy: Floats, variance: Floats, asked: Floats) -> Abilities:
    """Abilities from accuracies alone, on a population that is taken as given.

    For what has no questions to tell apart: results without samples, one question, or answers that
    are all wrong or all right.  accuracy, variance (m,); asked (m,), answers behind each: an
    accuracy is kept half of one away from 0 and 1.
    """
    half = 0.5 / np.maximum(asked, 1.0)
    inside = np.clip(accuracy, half, 1.0 - half)
    masses = np.exp(-0.5 * (GRID / settings.PLAIN_POPULATION) ** 2)
    known = Abilities(_FINE, np.zeros_like(_FINE), masses / masses.sum(), log_log)
    heights = known.accuracy(_FINE)
    values = np.interp(inside, heights, _FINE)
    slope = np.interp(values, _FINE, np.gradient(heights, _FINE))
    # An accuracy at an end is known no better than by the half answer it is kept away by.
    spread = np.maximum(variance, np.where(inside == accuracy, 0.0, half**2))
    noise = spread / np.maximum(slope, settings.LEAST_SLOPE) ** 2
    return Abilities(values, noise, known.masses, log_log)


def estimated(right: Floats, wrong: Floats, counts: Floats, link: Link) -> tuple[Floats, Floats]:
    """Abilities (m,) and masses (grid,) by expectation and maximisation, smoothed.

    right, wrong (rows, m) answers; counts (rows,), questions of each row.
    """
    share = np.clip((counts @ right) / (counts @ (right + wrong)), 0.005, 0.995)
    ability = np.log(share) - np.log1p(-share)
    ability -= ability.mean()
    masses = np.full(len(GRID), 1.0 / len(GRID))
    kernel = np.exp(-0.5 * ((GRID[:, None] - GRID) / settings.POPULATION_SMOOTH) ** 2)
    kernel /= kernel.sum(axis=0)
    for _ in range(_ROUNDS):
        chance = np.clip(link(ability[:, None] - GRID), 1e-9, 1.0 - 1e-9)
        likelihood = right @ np.log(chance) + wrong @ np.log1p(-chance) + np.log(masses + 1e-300)
        likelihood -= likelihood.max(axis=1, keepdims=True)
        belief = np.exp(likelihood)
        belief *= (counts / belief.sum(axis=1))[:, None]
        masses = kernel @ (belief.sum(axis=0) / counts.sum())
        step = _ascent(ability, right.T @ belief, wrong.T @ belief, link)
        ability = np.clip(ability + step, -_REACH, _REACH)
        if np.abs(step).max() < _ENOUGH:
            break
    # Smoothing steadies the rounds; the answers themselves are the unsmoothed population's.
    masses = belief.sum(axis=0)
    return ability, np.asarray(masses / masses.sum())


def _ascent(ability: Floats, right: Floats, wrong: Floats, link: Link) -> Floats:
    """One damped Newton step (m,) on the expected log-likelihood; right, wrong (m, grid)."""
    place = ability[:, None] - GRID
    chance = np.clip(link(place), 1e-9, 1.0 - 1e-9)
    slope = (link(place + _STEP) - link(place - _STEP)) / (2.0 * _STEP)
    pull = ((right / chance - wrong / (1.0 - chance)) * slope).sum(axis=1)
    # Fisher's information: positive whatever the link.
    weight = ((right + wrong) * slope**2 / (chance * (1.0 - chance))).sum(axis=1)
    return np.asarray(np.clip(pull / np.maximum(weight, 1e-6), -1.0, 1.0))
