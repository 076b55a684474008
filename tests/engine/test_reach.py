"""How far targets may lie from the trend."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from cod_harness.engine.views.reach import emergence, reach, recent_misses
from cod_harness.engine.views.trend import Misses


def misses(sds, task=None, distance=1.0):
    count = len(sds)
    rung = np.arange(count) + 2
    return Misses(
        task=np.zeros(count, dtype=int) if task is None else np.asarray(task),
        rung=rung,
        pair=rung,
        sds=np.asarray(sds, dtype=float),
        distance=np.full(count, distance),
        nearest=np.ones(count, dtype=bool),
        forecast=np.zeros(count),
        error=np.asarray(sds, dtype=float),
        tasks=1 if task is None else int(max(task)) + 1,
    )


def test_the_prior_alone_is_a_t_distribution():
    far = misses([0.0], distance=1e9)  # tells nothing of one e-fold
    low, high = reach(far, 0, 1.0, 0.9)
    assert norm.ppf(high) == pytest.approx(student.ppf(0.95, 4), abs=0.01)
    assert low == pytest.approx(1.0 - high, abs=1e-3)


def test_the_mixture_by_hand():
    found = misses([-1.5, 0.2, 3.0])
    grid = np.linspace(-8, 8, 200_001)
    # One benchmark: its own misses weigh as any, and each counts as one.
    share = 4 * student.cdf(grid, 4)
    share += sum(norm.cdf((grid - sd) / 0.4) for sd in (-1.5, 0.2, 3.0))
    expected = np.interp([0.05, 0.95], share / 7, grid)
    np.testing.assert_allclose(norm.ppf(reach(found, 0, 1.0, 0.9)), expected, atol=0.01)


def test_jumps_upwards_lift_the_upper_end_alone():
    calm, jumpy = (
        reach(misses([0.1] * 8), 0, 1.0, 0.9),
        reach(misses([0.1] * 6 + [4] * 2), 0, 1, 0.9),
    )
    assert norm.ppf(jumpy[1]) > norm.ppf(calm[1]) + 1.0
    assert norm.ppf(jumpy[0]) == pytest.approx(norm.ppf(calm[0]), abs=0.2)


def test_own_misses_count_more_and_far_ones_less():
    tasks = [0] * 4 + [1] * 4
    sds = [0.1] * 4 + [4.0] * 4
    shared = replace(misses(sds, tasks), pair=np.tile(np.arange(4), 2))
    assert reach(shared, 1, 1.0, 0.9)[1] > reach(shared, 0, 1.0, 0.9)[1]
    near = misses([4.0] * 4)
    assert reach(near, 0, 1.0, 0.9)[1] > reach(near, 0, 50.0, 0.9)[1]


@pytest.mark.parametrize(("benchmarks", "times"), [(1, 1.1), (2, 0.8)])
def test_no_interval_is_too_narrow_to_believe(benchmarks, times):
    exact = replace(misses([0.0] * 200), tasks=benchmarks)
    low, high = reach(exact, 0, 1.0, 0.9)
    assert norm.ppf(high) == pytest.approx(times * norm.ppf(0.95))
    assert low == pytest.approx(1 - high)


def test_emergence_by_hand():
    assert emergence(0.1, 2.0, 0.9) == 0.0 == emergence(0.5, 2.0, 0.9)
    assert emergence(0.0, 4.0, 0.9) == pytest.approx(0.8 * 2.0)
    assert emergence(0.05, 4.0, 0.9) == pytest.approx(0.8)
    assert emergence(0.0, -1.0, 0.9) == 0.0
    assert emergence(0.0, 1.0, 0.5) < emergence(0.0, 1.0, 0.9)


def test_recent_misses_are_of_the_last_rungs():
    found = misses([0.0] * 6)
    accuracy = np.array([0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    told = recent_misses(found, 0, accuracy, np.full(6, 0.5))
    assert told == pytest.approx([0.0, 0.1, 0.2])
    assert len(recent_misses(found, 1, accuracy, np.full(6, 0.5))) == 0
