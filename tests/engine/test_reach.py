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
        noise=np.zeros(count),
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


@pytest.mark.parametrize(
    ("benchmarks", "times"), [(1, 1.2), (3, 0.8 + 0.4 / 3), (30, 0.8 + 0.4 / 30)]
)
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


@pytest.mark.parametrize("task", [0, 1])
def test_two_benchmarks_by_hand(task):
    """Misses from like distances count more, one's own twice, one rung's on both as root two."""
    sds, tasks = np.array([-2.0, 0.3, 4.0, 2.5, 1.0, -3.0]), np.array([0, 0, 0, 1, 1, 1])
    distance = np.array([0.5, 1.0, 4.0] * 2)
    found = replace(misses(sds, tasks), pair=np.tile([3, 5, 9], 2), distance=distance)
    each = np.exp(-0.5 * (np.log(distance / 1.5) / 0.7) ** 2)
    evidence = each[:3].sum() * np.sqrt(2)
    each = each * np.where(tasks == task, 1 + 0.5 * 2, 1.0)
    each *= evidence / each.sum()
    grid = np.linspace(-8, 8, 100_001)
    share = 4 * student.cdf(grid, 4) + norm.cdf((grid[:, None] - sds) / 0.4) @ each
    expected = np.interp([0.1, 0.9], share / (4 + evidence), grid)
    assert np.abs(expected).min() > 0.8 * norm.ppf(0.9)  # so that no least width hides it
    np.testing.assert_allclose(norm.ppf(reach(found, task, 1.5, 0.8)), expected, atol=0.002)


def test_a_target_at_the_last_rung_has_a_distance_too():
    near = replace(misses([3.0] * 4), distance=np.full(4, 1e-3))
    assert reach(near, 0, 0.0, 0.9) == reach(near, 0, 1e-3, 0.9) == reach(near, 0, -1.0, 0.9)
    # It is like what lay as near, and unlike the rest.
    far = misses([3.0] * 4)
    assert reach(near, 0, 0.0, 0.9)[1] > reach(far, 0, 0.0, 0.9)[1]
    nearer = replace(near, distance=np.full(4, 1e-9))
    assert reach(nearer, 0, 1e-3, 0.9) == reach(near, 0, 1e-3, 0.9)


def test_ends_are_told_as_far_as_eight_deviations():
    _, high = reach(misses([6.8] * 40), 0, 1.0, 0.9)
    grid = np.linspace(-8, 8, 100_001)
    share = 4 * student.cdf(grid, 4) + 40 * norm.cdf((grid - 6.8) / 0.4)
    assert norm.ppf(high) == pytest.approx(np.interp(0.95, share / 44, grid), abs=0.003)


def test_emergence_at_other_levels_by_hand():
    usual = norm.ppf(0.75) / norm.ppf(0.95)
    assert emergence(0.02, 2.25, 0.5) == pytest.approx(0.8 * 0.8 * 1.5 * usual, rel=1e-12)


def test_recent_misses_are_of_the_nearest_rungs_alone():
    found = replace(misses([0.0] * 6), nearest=np.array([1, 0, 1, 0, 1, 1], dtype=bool))
    accuracy = np.array([0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    told = recent_misses(found, 0, accuracy, np.array([0.0, 0.0, 0.5, 0.0, 0.5, 0.9]))
    assert told == pytest.approx([0.1, 0.1, 0.2])
