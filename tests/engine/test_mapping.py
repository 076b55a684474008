"""The map is monotone, whatever it is given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from scipy.optimize import lsq_linear

from cod_harness.engine import MonotoneMap, fit_map
from cod_harness.engine import settings as settings_of_the_engine
from cod_harness.engine.mapping import _end, _knots, _rising_heights

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


def test_the_end_by_hand():
    """The rest's line through the best five at a subset of 1, its slope shrunk a little."""
    subset = np.array([0.5, 0.0, 0.1, 0.3, 0.2, 0.4])
    rest = np.array([0.30, 0.9, 0.10, 0.20, 0.15, 0.25])  # the worst model has no say
    end = _end(np.column_stack([subset, 0.8 * subset + 0.2 * rest]), 0.8)
    slope = 0.5 * 0.1 / (0.1 + 0.04**2)  # rest = 0.05 + subset / 2; apart^2 sums to 0.1
    assert end == pytest.approx(0.8 + 0.2 * (0.2 + 0.7 * slope), rel=1e-12)


def test_the_rest_never_falls_nor_passes_one_and_may_be_nobody():
    subset = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    falling = np.column_stack([subset, 0.5 * subset + 0.5 * (0.5 - subset)])
    assert _end(falling, 0.5) == pytest.approx(0.5 + 0.5 * 0.2, rel=1e-12)
    steep = np.column_stack([subset, 0.5 * subset + 0.5 * np.minimum(2.0 * subset, 1.0)])
    assert _end(steep, 0.5) == pytest.approx(1.0)
    assert _end(falling, 1.0) == 1.0


def test_the_map_ends_where_the_rest_goes():
    """The paper's map is drawn to (1, 1) all the same."""
    subset = np.array([0.1, 0.3, 0.5, 0.7])
    full = 0.6 * subset + 0.4 * 0.25
    assert fit_map(subset, full, top=0.3, share=0.6)(1.0) == pytest.approx(0.7, abs=0.02)
    assert fit_map(subset, full, top=0.3)(1.0) > 0.8
    assert fit_map(subset, full, share=0.6)(1.0) == pytest.approx(1.0)


def by_least_squares(points, knots, top):
    """The same curve, from scipy's bounded least squares over the rises between coefficients."""
    padded = np.concatenate([np.zeros(3), knots, np.ones(3)])
    count = len(knots) + 2
    basis = np.column_stack(
        [BSpline(padded, np.eye(count)[i], 3)(points[:, 0]) for i in range(count)]
    )
    # Coefficient i is the sum of the first i rises.
    rises = basis @ np.tril(np.ones((count, count)))[:, 1:]
    centres = np.array([padded[i + 1 : i + 4].mean() for i in range(count)])
    slopes = np.diag(1 / np.diff(centres))
    rows = [rises, 1e-3 * np.sqrt(len(points)) * np.diff(slopes, axis=0)]
    rows.append(np.full((1, count - 1), 1e3 if top is None else top))
    right = [points[:, 1], np.zeros(count - 2), [1e3 if top is None else top]]
    rise = lsq_linear(np.vstack(rows), np.concatenate(right), (0, np.inf), tol=1e-14).x
    heights = np.append(0, np.cumsum(rise))
    heights = heights / heights[-1] if top is None else heights
    return BSpline(padded, np.minimum(heights, 1), 3)


@pytest.mark.parametrize("top", [None, 0.3])
def test_the_curve_is_that_of_least_squares(top):
    points = np.array([[0.05, 0.1], [0.2, 0.15], [0.35, 0.4], [0.5, 0.45], [0.7, 0.6]])
    found = fit_map(*points.T, top=top, threshold=0.001)
    by_hand = by_least_squares(points, found.knots, top)
    np.testing.assert_allclose(found(GRID[1:-1]), by_hand(GRID[1:-1]), atol=2e-6)
    rmse = np.sqrt(np.mean((by_hand(points[:, 0]) - points[:, 1]) ** 2))
    assert found.rmse == pytest.approx(rmse, abs=1e-6)
    np.testing.assert_array_equal(found.points, points)


def test_knots_by_hand():
    """Quantiles of the points and the two ends, those at an end or on another left out."""
    x = np.array([0.1, 0.2, 0.4])
    np.testing.assert_allclose(_knots(x, 1), [0, 1])
    np.testing.assert_allclose(_knots(x, 2), [0, 0.2, 1])
    np.testing.assert_allclose(_knots(x, 4), [0, 0.1, 0.2, 0.4, 1])
    np.testing.assert_allclose(_knots(np.array([0.0, 0.0, 0.0]), 2), [0, 1])
    np.testing.assert_allclose(_knots(np.array([1.0, 1.0, 0.9995]), 2), [0, 1])
    np.testing.assert_allclose(_knots(np.array([0.5, 0.5004, 0.5]), 4), [0, 0.5, 1])
    np.testing.assert_allclose(_knots(np.array([-1.0, 2.0, 0.3]), 2), [0, 0.3, 1])


def test_pieces_are_added_until_the_error_is_below_the_threshold():
    x = np.linspace(0.05, 0.95, 12)
    y = 0.5 * (1 + np.tanh(6 * (x - 0.5)))
    for threshold, pieces in [(0.5, 1), (0.08, 3), (0.02, 5), (0.005, 5)]:
        found = fit_map(x, y, threshold)
        assert len(found.knots) == pieces + 1
        assert found.rmse < threshold and not found.notes


def test_what_no_rising_curve_reaches_is_reached_as_nearly_as_it_can():
    x, y = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([0.1, 0.3, 0.2, 0.4, 0.3])
    points = np.column_stack([x, y])
    reached = []
    for pieces in range(1, 7):
        knots = _knots(x, pieces)
        if len(knots) <= pieces:
            break
        reached.append(_rising_heights(points, knots, None, 1.0)[1])
    found = fit_map(x, y)
    first = next(error for error in reached if error <= 1.25 * min(reached))
    assert found.rmse == pytest.approx(first)
    (note,) = found.notes
    assert note.values == {"threshold": 0.005, "rmse": found.rmse}


def test_a_piece_by_hand():
    """f(x) = c0 + c1 u + c2 u^2 + c3 u^3 with u from the knot on the left; both ends belong."""
    two = MonotoneMap(
        np.array([0.0, 0.5, 1.0]), np.array([[0.0, 0.2, 0.4, 0.0], [0.2, 0.6, 0.1, 0.4]]), 0.0,
        np.empty((0, 2)),
    )  # fmt: skip
    assert two([0.25, 0.5, 0.75, 1.0]) == pytest.approx(
        [0.075, 0.2, 0.2 + 0.15 + 0.1 / 16 + 0.4 / 64, 0.2 + 0.3 + 0.025 + 0.05]
    )
    assert two.extrapolates(0.3)
    assert MonotoneMap(two.knots, 9 * two.coefficients, 0.0, two.points)(0.9) == 1.0


def test_without_points_the_map_is_the_identity():
    nothing = fit_map([], [])
    np.testing.assert_allclose(nothing([0.0, 0.3, 1.0]), [0.0, 0.3, 1.0])
    assert np.isnan(nothing.rmse) and nothing.extrapolates(0.5)


def test_published_setting_of_the_map():
    assert settings_of_the_engine.MAP_RMSE == 0.005


def test_where_the_points_end():
    mapping = fit_map([0.1, 0.4], [0.5, 0.9])
    for place, outside in ((0.05, True), (0.1, False), (0.3, False), (0.4, False), (0.45, True)):
        assert mapping.extrapolates(place) == outside


def test_no_more_than_six_pieces():
    x = np.linspace(0.02, 0.98, 40)
    heights = np.cumsum([0.0, 0.0, 0.3, 0.0, 0.0, 0.3, 0.0, 0.0, 0.3, 0.1])
    padded = np.concatenate([np.zeros(3), _knots(x, 7), np.ones(3)])
    stairs = BSpline(padded, heights, 3)(x)
    knots = [_knots(x, pieces) for pieces in range(1, 8)]
    errors = [_rising_heights(np.column_stack([x, stairs]), each, None, 1.0)[1] for each in knots]
    assert errors[6] < min(errors[:6]) / 1.25
    found = fit_map(x, stairs, threshold=0.0)
    first = next(error for error in errors if error <= 1.25 * min(errors[:6]))
    assert found.rmse == pytest.approx(first) and len(found.knots) - 1 == errors.index(first) + 1


def test_an_error_at_the_threshold_is_not_below_it():
    x = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    y = np.array([0.1, 0.3, 0.2, 0.4, 0.3])
    at = _rising_heights(np.column_stack([x, y]), _knots(x, 1), None, 1.0)[1]
    assert len(fit_map(x, y, threshold=at).knots) > 2
    assert len(fit_map(x, y, threshold=at * 1.001).knots) == 2


def test_points_that_contradict_the_share_leave_the_end_in_bounds():
    """Eight in ten solved, and one in ten answered: the rest cannot have less than none."""
    assert _end(np.array([[1.0, 0.1]]), 0.8) == pytest.approx(0.8)
    assert _end(np.array([[0.1, 1.0]]), 0.8) == pytest.approx(1.0)
