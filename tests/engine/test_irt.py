"""Abilities and difficulties from counts of right answers."""

import numpy as np
import pytest

from cod_harness.engine.measurements import measurements
from cod_harness.engine.views.irt import GRID, abilities, estimated, log_log, logit


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
