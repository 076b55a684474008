"""Abilities and difficulties from counts of right answers."""

import numpy as np
import pytest

from cod_harness.engine import settings
from cod_harness.engine.intervals import accuracy_variance
from cod_harness.engine.measurements import measurements
from cod_harness.engine.views.irt import (
    GRID,
    Abilities,
    _within_reach,
    abilities,
    benchmark_abilities,
    estimated,
    log_log,
    logit,
    plain_abilities,
)


def test_abilities_and_difficulties_come_back() -> None:
    random = np.random.default_rng(6)
    ability = np.linspace(-2.0, 2.0, 7)
    difficulty = random.normal(scale=1.5, size=2000)
    chance = log_log(ability - difficulty[:, None])
    right = random.binomial(4, chance).astype(float)
    found, masses = estimated(right, 4 - right, np.ones(2000), log_log)
    assert np.diff(found) == pytest.approx(np.diff(ability), abs=0.12)
    chance_now = log_log(found[:, None] - GRID) @ masses
    assert chance_now == pytest.approx(chance.mean(axis=0), abs=0.02)


def test_equal_rows_are_counted_not_repeated() -> None:
    right = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    once = estimated(right, 1 - right, np.array([3.0, 2.0]), logit)
    many = np.repeat(right, [3, 2], axis=0)
    assert once[0] == pytest.approx(estimated(many, 1 - many, np.ones(5), logit)[0])


def test_accuracy_at_the_rungs_is_the_measured_one():
    random = np.random.default_rng(1)
    chance = log_log(np.linspace(-1.0, 2.0, 6) - random.normal(size=(1500, 1)))
    ladder = measurements(random.binomial(8, chance) / 8, np.geomspace(1, 64, 6), 8, None)
    found = abilities(ladder, np.full(6, 1e-4))
    assert found is not None
    assert found.accuracy(found.values) == pytest.approx(ladder.rates.mean(axis=0), abs=0.01)
    assert (found.variance > 0).all() and found.masses.sum() == pytest.approx(1.0)
    assert abilities(measurements(np.ones((5, 4)), [1, 2, 3, 4], 1, None), np.zeros(4)) is None


def plainly(right, wrong, link):
    """Expectation and maximisation of the same model, one question and one rung at a time."""
    n, m = right.shape
    grid = np.linspace(-8.0, 8.0, 49)
    share = np.clip(right.sum(axis=0) / (right + wrong).sum(axis=0), 0.005, 0.995)
    ability = np.log(share / (1 - share))
    ability = ability - ability.mean()
    masses = np.full(49, 1 / 49)
    kernel = np.exp(-0.5 * ((grid[:, None] - grid[None, :]) / 0.75) ** 2)
    kernel = kernel / kernel.sum(axis=0)[None, :]
    for _ in range(40):
        belief = np.zeros((n, 49))
        for i in range(n):
            for at, difficulty in enumerate(grid):
                p = np.clip(link(ability - difficulty), 1e-9, 1 - 1e-9)
                likelihood = (p ** right[i] * (1 - p) ** wrong[i]).prod()
                belief[i, at] = masses[at] * likelihood
            belief[i] /= belief[i].sum()
        masses = kernel @ belief.sum(axis=0) / n
        steps = np.zeros(m)
        for j in range(m):
            place = ability[j] - grid
            p = np.clip(link(place), 1e-9, 1 - 1e-9)
            slope = (link(place + 1e-3) - link(place - 1e-3)) / 2e-3
            yes, no = right[:, j] @ belief, wrong[:, j] @ belief
            pull = ((yes / p - no / (1 - p)) * slope).sum()
            information = ((yes + no) * slope**2 / (p * (1 - p))).sum()
            steps[j] = np.clip(pull / information, -1, 1)
        ability = np.clip(ability + steps, -7, 7)
        if np.abs(steps).max() < 5e-3:
            break
    return ability, belief.sum(axis=0) / n


@pytest.mark.parametrize("link", [log_log, logit])
def test_the_rounds_by_hand(link) -> None:
    random = np.random.default_rng(3)
    chance = link(np.linspace(-1.5, 2.0, 4) - random.normal(size=(12, 1)))
    right = random.binomial(3, chance).astype(float)
    ability, masses = estimated(right, 3 - right, np.ones(12), link)
    expected, population = plainly(right, 3 - right, link)
    np.testing.assert_allclose(ability, expected, atol=1e-9)
    np.testing.assert_allclose(masses, population, atol=1e-9)


def test_abilities_are_kept_in_reach() -> None:
    right = np.tile([0.0, 0.0, 16.0, 16.0], (30, 1))
    ability, _ = estimated(right, 16 - right, np.ones(30), log_log)
    assert np.abs(ability).max() == 7.0


def test_links_by_hand() -> None:
    with np.errstate(over="raise"):  # no warning for abilities far out
        found = log_log(np.array([0.0, 1.0, -900.0, 900.0]))
    assert found == pytest.approx([np.exp(-1), np.exp(-np.exp(-1)), 0.0, 1.0])
    assert logit(np.array([0.0, 1.0, -900.0])) == pytest.approx([0.5, 1 / (1 + np.exp(-1)), 0.0])


def test_accuracy_is_the_populations_mean_chance() -> None:
    masses = np.zeros(49)
    masses[[24, 27]] = 0.25, 0.75  # difficulties 0 and 1
    known = Abilities(np.zeros(4), np.zeros(4), masses, logit)
    expected = 0.25 / (1 + np.exp(-0.5)) + 0.75 / (1 + np.exp(0.5))
    assert known.accuracy(np.array([[0.5]])) == pytest.approx(np.array([[expected]]), rel=1e-12)


def test_variance_of_an_ability_by_hand() -> None:
    """That of the accuracy over the squared slope of the curve, the slope at least 0.02."""
    random = np.random.default_rng(4)
    rates = random.binomial(4, np.tile([0.001, 0.3, 0.5, 0.7], (40, 1))) / 4
    ladder = measurements(rates, [1, 2, 3, 4], 4, None)
    sampling = np.array([1e-5, 1e-4, 2e-4, 3e-4])
    found = abilities(ladder, sampling)
    right = ladder.rates * 4
    values, masses = estimated(right, 4 - right, np.ones(40), log_log)
    np.testing.assert_allclose(found.values, values, atol=1e-9)
    np.testing.assert_allclose(found.masses, masses, atol=1e-9)
    slope = (found.accuracy(values + 1e-3) - found.accuracy(values - 1e-3)) / 2e-3
    assert slope[0] < 0.02 < slope[1]
    expected = sampling / np.maximum(slope, 0.02) ** 2
    np.testing.assert_allclose(found.variance, expected, rtol=1e-9)


@pytest.mark.parametrize("draws", [0, 100])
def test_more_than_sixteen_draws_say_no_more(draws) -> None:
    random = np.random.default_rng(4)
    rates = random.binomial(16, np.tile([0.1, 0.3, 0.5, 0.7], (40, 1))) / 16
    few, many = (
        abilities(measurements(rates, [1, 2, 3, 4], k, None), np.zeros(4)) for k in (16, draws)
    )
    np.testing.assert_allclose(many.values, few.values, atol=1e-9)
    fewer = abilities(measurements(rates, [1, 2, 3, 4], 15, None), np.zeros(4))
    assert not np.allclose(fewer.values, few.values, atol=1e-6)


def test_equal_rows_of_a_ladder_are_counted() -> None:
    rates = np.array([[0.0, 0.5, 0.5, 1.0]] * 3 + [[0.0, 0.0, 1.0, 1.0]])
    found = abilities(measurements(rates, [1, 2, 3, 4], 2, None), np.zeros(4))
    right = rates * 2
    values, masses = estimated(right, 2 - right, np.ones(4), log_log)
    np.testing.assert_allclose(found.values, values, atol=1e-9)
    np.testing.assert_allclose(found.masses, masses, atol=1e-9)


def curve(ability):
    """Mean chance of a population of standard normal difficulties, on the grid of difficulties."""
    masses = np.exp(-0.5 * GRID**2)
    return log_log(np.asarray(ability)[..., None] - GRID) @ (masses / masses.sum())


def slope_of(ability):
    return (curve(ability + 1e-4) - curve(ability - 1e-4)) / 2e-4


def test_abilities_from_accuracies_by_hand() -> None:
    """Kept half an answer from 0 and 1; variances over the squared slope, at least 0.02."""
    accuracy, variance = np.array([0.0, 0.3, 0.7, 1.0]), np.array([1e-4, 2e-4, 3e-4, 0.0])
    found = plain_abilities(accuracy, variance, np.array([10.0, 20.0, 0.0, 500.0]))
    inside = np.array([0.05, 0.3, 0.5, 0.999])
    np.testing.assert_allclose(curve(found.values), inside, atol=1e-5)
    np.testing.assert_allclose(found.accuracy(found.values), inside, atol=1e-5)
    slope = slope_of(found.values)
    assert slope[3] < 0.02 < slope[:3].min()
    spread = np.array([0.05**2, 2e-4, 0.5**2, 1e-6])
    np.testing.assert_allclose(found.variance, spread / np.maximum(slope, 0.02) ** 2, rtol=1e-3)
    # Drawing answers may leave more doubt than half of one.
    (rough,) = plain_abilities(np.zeros(1), np.full(1, 0.01), np.full(1, 10.0)).variance
    assert rough == pytest.approx(0.01 / slope[0] ** 2, rel=1e-3)
    assert found.link is log_log


def test_the_population_that_is_taken_as_given(monkeypatch) -> None:
    """Normal difficulties, twice as far apart."""
    monkeypatch.setattr(settings, "PLAIN_POPULATION", 2.0)
    found = plain_abilities(np.full(1, 0.3), np.zeros(1), np.full(1, 9.0))
    masses = np.exp(-0.5 * (GRID / 2.0) ** 2)
    np.testing.assert_allclose(found.masses, masses / masses.sum(), rtol=1e-12)
    assert found.accuracy(found.values) == pytest.approx([0.3], abs=1e-5)


def one_difficulty(values, variance):
    """Questions of difficulty 0 alone: accuracies are exp(-exp(-ability))."""
    masses = np.zeros(49)
    masses[24] = 1.0
    return Abilities(np.asarray(values), np.asarray(variance), masses, log_log)


def test_abilities_within_reach_by_hand() -> None:
    """No farther out than half an answer tells, and there known by as much as that."""
    found = _within_reach(one_difficulty([-6.0, 0.5, 6.0], [0.1, 0.2, 0.3]), np.full(3, 10.0))
    ends = -np.log(-np.log([0.05, 0.95]))
    assert found.values == pytest.approx([ends[0], 0.5, ends[1]], abs=1e-3)
    # The slope of exp(-exp(-u)) is p (-log p).
    low, high = 0.05 / (0.05 * -np.log(0.05)), 0.05 / (0.95 * -np.log(0.95))
    assert found.variance == pytest.approx([low**2, 0.2, high**2], rel=1e-3)


def test_the_ability_of_an_accuracy() -> None:
    known = one_difficulty([0.0], [0.0])
    assert known.ability(0.5) == pytest.approx(-np.log(np.log(2.0)), abs=1e-4)
    assert known.ability(0.001) == pytest.approx(-np.log(np.log(1000.0)), abs=1e-4)
    assert known.ability(1.0) == 8.0


def same(left, right):
    for name in ("values", "variance", "masses"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), rtol=1e-12)


def test_abilities_are_from_questions_where_they_tell() -> None:
    random = np.random.default_rng(2)
    rates = random.binomial(4, np.tile([0.0, 0.2, 0.5, 0.8, 1.0], (7, 1))) / 4
    draws = np.where(np.arange(7)[:, None] < 2, 0, 4) * np.ones((7, 5), dtype=int)
    ladder = measurements(rates, [1, 2, 3, 4, 5], draws, None)
    variance = accuracy_variance(ladder)
    answers = np.full(5, 5 * 4 + 2 * 1)  # an analytic rate counts as one answer
    found = benchmark_abilities(ladder)
    same(found, _within_reach(abilities(ladder, variance), answers))
    assert found.values[0] == pytest.approx(found.ability(0.5 / 22), abs=1e-3)
    # One question, none answered, all answered: the accuracies alone.
    for rows in (np.array([[0.1, 0.2, 0.5, 0.6, 0.7]]), np.zeros((3, 5)), np.ones((3, 5))):
        ladder = measurements(rows, [1, 2, 3, 4, 5], 10, None)
        by_hand = plain_abilities(
            rows.mean(axis=0), accuracy_variance(ladder), np.full(5, 10.0 * len(rows))
        )
        same(benchmark_abilities(ladder), by_hand)


def test_grids() -> None:
    assert (len(GRID), GRID[0], GRID[-1]) == (49, -8.0, 8.0)


def test_drawing_variance_by_hand() -> None:
    """p (1 - p) / k of questions of difficulty 0, half an answer more, over the squared slope."""
    known = one_difficulty([0.0], [0.0])
    p = np.exp(-np.exp(-0.3))
    slope = p * -np.log(p)
    assert known.slope(np.array([0.3])) == pytest.approx([slope], rel=1e-5)
    expected = (p * (1 - p) + 0.5 / 40) / 40 / slope**2
    assert known.drawing_variance(np.array([0.3]), 40.0) == pytest.approx([expected], rel=1e-5)
    assert known.drawing_variance(np.array([0.3, 0.4]), 0.0).tolist() == [0.0, 0.0]
    harder = np.roll(known.masses, 3)  # of difficulty 1: the same from 1 on
    other = Abilities(known.values, known.variance, harder, log_log)
    assert other.drawing_variance(np.array([1.3]), 40.0) == pytest.approx([expected], rel=1e-5)
    assert known.slope(np.array([-5.0])).tolist() == [0.02]
