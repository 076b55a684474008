"""Draws in two stages: rates stay right on average, and the number of draws is bounded."""

from __future__ import annotations

import numpy as np
import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.draws import SPENT, carrying_rungs, further_draws
from cod_harness.ladder.manifest import Ladder, Model

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


def test_draws_by_hand() -> None:
    """(0.2 - 0.01) / 0.99 of 60 cells, 11: the ten of the top rung, then one of the next."""
    nan = np.nan
    rates = np.full((10, 6), 0.5)
    rates[:, 3] = [0, 0, 1, 1, nan, 0.5, 0.5, 0.5, 0.5, 0.5]
    rates[:, 4] = [0, nan, 1, 0.8, nan, 0.5, 0.5, 0.5, 0.5, 0.5]
    rates[:, 5] = [0, 0, 1, 1, nan, 0.9, 0.9, 0.6, 0.9, 0.9]
    chosen = further_draws(rates, COMPUTE, 1, FULL)
    # Of the top rung those whose two rungs below are not both at an end, or unknown.
    assert np.flatnonzero(chosen[:, 5]).tolist() == [3, 5, 6, 7, 8, 9]
    # Below it the one whose neighbours' mean is nearest to a half.
    assert np.flatnonzero(chosen[:, 4]).tolist() == [7]
    assert not chosen[:, :4].any()
    # With 15 of 100 first, (0.2 - 0.15) / 0.85 of 60 cells: three, of equal ones the first.
    few = further_draws(np.full((10, 6), 0.5), COMPUTE, 15, FULL)
    assert np.argwhere(few).tolist() == [[0, 5], [1, 5], [2, 5]]


def test_two_rungs_have_the_lower_as_neighbour() -> None:
    rates = np.tile([0.5, 0.0], (10, 1))
    chosen = further_draws(rates, COMPUTE[:2], 1, FULL)
    # (0.2 - 0.01) / 0.99 of 20 cells: three.
    assert chosen.sum(axis=0).tolist() == [0, 3]


def test_stages_of_equal_or_no_draws() -> None:
    for first, full in ((16, 16), (0, 16)):
        with pytest.raises(InputError, match=f"{first}:{full} draws"):
            further_draws(exact(10), COMPUTE, first, full)


def test_the_carrying_rungs_are_the_two_largest_that_run() -> None:
    def ladder(*rungs: tuple[str, float, str | None]) -> Ladder:
        return Ladder("l", tuple(Model(n, "rung", compute=c, model=m) for n, c, m in rungs))

    four = ladder(("d", 4.0, None), ("a", 1.0, "hf"), ("c", 3.0, "hf"), ("b", 2.0, "hf"))
    assert carrying_rungs(four) == ["b", "c"]
    five = ladder(*((name, float(place), "hf") for place, name in enumerate("abcde")))
    assert carrying_rungs(five) == ["d", "e"]
    # The smallest has no neighbours on both sides, and never carries.
    assert carrying_rungs(ladder(("b", 2.0, "hf"), ("a", 1.0, "hf"))) == ["b"]
    assert carrying_rungs(ladder(("a", 1.0, "hf"))) == []


def test_the_top_rung_is_judged_by_the_two_below_it() -> None:
    """0 and 0.5 below it is doubt, more than 0 and 0.1; a half twice is most."""
    rates = np.zeros((10, 6))
    rates[:, 3] = [0.0, 0.5, 0.0, 0.1, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    rates[:, 4] = [0.0, 0.0, 0.1, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0]
    # (0.2 - 0.15) / 0.85 of 60 cells: three.
    chosen = further_draws(rates, COMPUTE, 15, FULL)
    assert np.argwhere(chosen).tolist() == [[1, 5], [4, 5], [5, 5]]
