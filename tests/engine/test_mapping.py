"""The map is monotone, whatever it is given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cod_harness.engine import fit_map

GRID = np.linspace(0, 1, 3001)
rates = st.floats(0, 1, allow_subnormal=False)


@settings(max_examples=150, deadline=None)
@given(points=st.lists(st.tuples(rates, rates), min_size=1, max_size=14))
def test_monotone_from_zero_to_one(points):
    subset, full = np.array(points).T
    mapping = fit_map(subset, full)
    values = mapping(GRID)
    assert np.diff(values).min() >= -1e-12
    assert values[0] == 0 and values[-1] == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(mapping([-1, 2]), [0, 1], atol=1e-12)
    rmse = np.sqrt(np.mean((mapping(subset) - full) ** 2))
    assert mapping.rmse == pytest.approx(rmse, abs=1e-9)
    assert mapping.rmse < 0.005 or mapping.notes


def test_smooth_at_the_knots():
    x = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4])
    mapping = fit_map(x, 0.6 * x + 0.02)
    assert len(mapping.knots) > 2
    for left, right, width in zip(
        mapping.coefficients, mapping.coefficients[1:], np.diff(mapping.knots), strict=False
    ):
        c0, c1, c2, c3 = left
        value = c0 + c1 * width + c2 * width**2 + c3 * width**3
        slope = c1 + 2 * c2 * width + 3 * c3 * width**2
        bend = 2 * c2 + 6 * c3 * width
        np.testing.assert_allclose([value, slope, bend], [right[0], right[1], 2 * right[2]])


def test_subset_that_is_the_benchmark_maps_to_itself():
    x = np.array([0.1, 0.2, 0.35, 0.5])
    mapping = fit_map(x, x)
    assert len(mapping.knots) == 2
    np.testing.assert_allclose(mapping(GRID), GRID, atol=1e-6)


def test_points_in_one_corner():
    mapping = fit_map([0.001, 0.002, 0.002, 0.003], [0.001, 0.001, 0.002, 0.002])
    assert mapping.rmse < 0.005
    assert mapping.extrapolates(0.5) and not mapping.extrapolates(0.002)
    assert 0 < mapping(0.5) < 1


def test_points_above_a_guess_floor():
    # Nothing was measured below the floor; the map climbs to it and stays near it.
    subset = np.array([0.25, 0.3, 0.4, 0.5])
    mapping = fit_map(subset, 0.9 * subset + 0.02)
    assert mapping.rmse < 0.005
    assert mapping.extrapolates(0.1)
    np.testing.assert_allclose(mapping(subset), 0.9 * subset + 0.02, atol=0.01)


def test_fewest_pieces_and_anchors():
    x = np.array([0.02, 0.05, 0.1, 0.2])
    y = x**1.5
    assert len(fit_map(x, y).knots) == 2
    with_anchor = fit_map([*x, 0.8], [*y, 0.8**1.5])
    assert abs(with_anchor(0.6) - 0.6**1.5) <= abs(fit_map(x, y)(0.6) - 0.6**1.5) + 0.01


def test_points_that_fall_are_said():
    mapping = fit_map([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1])
    assert [note.code for note in mapping.notes] == ["map_misses"]
    np.testing.assert_array_equal(
        mapping.coefficients, fit_map([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]).coefficients
    )


@settings(max_examples=100, deadline=None)
@given(points=st.lists(st.tuples(rates, rates), min_size=1, max_size=10), top=st.floats(0.01, 3))
def test_monotone_where_the_top_is_a_belief(points, top):
    subset, full = np.array(points).T
    values = fit_map(subset, full, top=top)(GRID)
    assert np.diff(values).min() >= -1e-12
    assert values[0] == 0 and values[-1] <= 1


def test_a_solved_subset_says_nothing_of_the_rest():
    subset = np.array([0.1, 0.3, 0.6, 0.95, 1.0])
    full = 0.1 + 0.06 * subset
    assert fit_map(subset, full)(1.0) == pytest.approx(1)
    assert fit_map(subset, full, top=0.3)(1.0) == pytest.approx(0.16, abs=0.08)


def test_without_points_near_it_the_top_still_decides():
    subset = np.array([0.02, 0.05, 0.1])
    assert fit_map(subset, 0.5 * subset, top=0.3)(1.0) == pytest.approx(1, abs=0.05)
