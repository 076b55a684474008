"""Draws in two stages: rates stay right on average, and the number of draws is bounded."""

from __future__ import annotations

import numpy as np
import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.draws import SPENT, further_draws

FIRST, FULL = 16, 100
COMPUTE = 4.0 ** np.arange(6)


def exact(questions: int, seed: int = 0) -> np.ndarray:
    """Rates that rise over compute, at every difficulty."""
    difficulty = np.random.default_rng(seed).uniform(-6, 8, size=(questions, 1))
    return 1 / (1 + np.exp(difficulty - np.arange(6)))


def staged(truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Right answers and draws after both stages."""
    right = rng.binomial(FIRST, truth)
    more = further_draws(right / FIRST, COMPUTE, FIRST, FULL)
    right = right + np.where(more, rng.binomial(FULL - FIRST, truth), 0)
    return right, np.where(more, FULL, FIRST)


def test_rates_are_right_on_average() -> None:
    """Mean of k/n against the truth, over all cells and for the cells near 0 and 1 alone."""
    rng = np.random.default_rng(1)
    truth = exact(300)
    runs = 400
    errors, variances = np.zeros_like(truth), np.zeros_like(truth)
    further = np.zeros_like(truth)
    for _ in range(runs):
        right, draws = staged(truth, rng)
        errors += right / draws - truth
        variances += truth * (1 - truth) / draws
        further += draws == FULL
    for cells in (further > 0, (further > 0) & (truth < 0.3), (further > 0) & (truth > 0.9)):
        z = errors[cells].sum() / np.sqrt(variances[cells].sum())
        assert cells.sum() >= 5
        assert abs(z) < 4


def test_the_test_can_fail() -> None:
    """Going on where 0 < k < n, the rule that suggests itself, is biased, and seen."""
    rng = np.random.default_rng(1)
    truth = np.full(300, 0.05)
    errors = []
    for _ in range(100):
        right = rng.binomial(FIRST, truth)
        more = (right > 0) & (right < FIRST)
        right = right + np.where(more, rng.binomial(FULL - FIRST, truth), 0)
        errors.append((right / np.where(more, FULL, FIRST) - truth).mean())
    assert np.mean(errors) < -0.01


def test_a_rung_s_own_rates_have_no_say() -> None:
    rates = exact(200)
    chosen = further_draws(rates, COMPUTE, FIRST, FULL)
    for rung in range(6):
        changed = rates.copy()
        changed[:, rung] = np.random.default_rng(rung).uniform(size=200)
        again = further_draws(changed, COMPUTE, FIRST, FULL)
        np.testing.assert_array_equal(again[:, rung], chosen[:, rung])


def test_no_more_than_a_fifth_is_spent() -> None:
    chosen = further_draws(exact(1000), COMPUTE, FIRST, FULL)
    assert chosen.any()
    spent = np.where(chosen, FULL, FIRST).mean() / FULL
    assert SPENT - 0.002 < spent <= SPENT
    assert not further_draws(exact(1000), COMPUTE, 20, FULL).any()


def test_questions_at_0_or_1_on_their_neighbours_get_none() -> None:
    rates = np.repeat([[0.0], [1.0]], 50, axis=0) * np.ones((100, 6))
    assert not further_draws(rates, COMPUTE, FIRST, FULL).any()


def test_the_order_of_rungs_is_no_matter() -> None:
    rates = exact(100)
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = further_draws(rates[:, order], COMPUTE[order], FIRST, FULL)
    np.testing.assert_array_equal(shuffled, further_draws(rates, COMPUTE, FIRST, FULL)[:, order])


def test_stages_must_rise() -> None:
    with pytest.raises(InputError, match="must be above"):
        further_draws(exact(10), COMPUTE, 100, 16)
