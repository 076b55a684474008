"""Eq. 4 and its ablations by hand: curve, bounds, starts, the published parameters."""

import numpy as np
import pytest

from cod_harness.engine.laws import EQ4, F1, F2, F3, LAWS, EmergenceLaw

X = np.array([-2.0, 0.0, 1.0, 3.0])


def test_curves_by_hand():
    d, b, c, g = 0.4, 0.7, 0.1, 0.25
    power = np.exp(d - b * X)
    for law, theta, expected in [
        (EQ4, [d, b, c, g], g + (1 - g) * np.exp(-power - c)),
        (F1, [d, b, c], np.exp(-power - c)),
        (F2, [d, b, g], g + (1 - g) * np.exp(-power)),
        (F3, [d, b], np.exp(-power)),
    ]:
        curves = law.curve(np.array([[theta, theta]]), X)
        assert curves.shape == (1, 2, 4)
        np.testing.assert_allclose(curves[0, 1], expected, rtol=1e-14)
    assert {name: law.parameters for name, law in LAWS.items()} == {
        "eq4": ("d", "b", "c", "g"), "f1": ("d", "b", "c"), "f2": ("d", "b", "g"), "f3": ("d", "b"),
    }  # fmt: skip


def test_far_from_emergence_nothing_overflows():
    with np.errstate(all="raise", under="ignore"):
        theta = np.array([[40.0, 10.0, 0.0, 0.2]])
        far = np.array([-100.0, 100.0])
        assert EQ4.curve(theta, far)[0] == pytest.approx([0.2, 1.0])
        slopes = EQ4.jacobian(theta, far)[0]
    assert np.isfinite(slopes).all()
    np.testing.assert_allclose(slopes[0], [0, 0, 0, 1], atol=1e-15)


def test_bounds():
    np.testing.assert_array_equal(EQ4.lower, [-40, 0, 0, 0])
    np.testing.assert_array_equal(EQ4.upper, [40, 10, 20, 0.99])
    np.testing.assert_array_equal(F2.upper, [40, 10, 0.99])
    assert EmergenceLaw("f3", ("d", "b"), b_bound=1.5).upper[1] == 1.5
    assert EmergenceLaw("f3", ("d", "b"), b_bound=50.0).upper[1] == 10.0


def test_ridge_penalty_is_on_b_and_where_asked_on_c():
    np.testing.assert_allclose(EQ4.ridge_penalty(0.5, 0.2), [0, 4, 25, 0])
    np.testing.assert_allclose(EQ4.ridge_penalty(0.5), [0, 4, 0, 0])
    np.testing.assert_allclose(F3.ridge_penalty(2.0), [0, 0.25])
    np.testing.assert_array_equal(F3.ridge_penalty(np.inf), [0, 0])


def test_published_by_hand():
    """C_ref = 100 BB: log a = d + b log 100."""
    found = EQ4.published(np.array([0.4, 0.5, 0.1, 0.25]), np.log(100e18))
    assert found == {"a": pytest.approx(np.exp(0.4) * 10), "b": 0.5, "c": 0.1, "g": 0.25}
    assert F3.published(np.array([0.4, 0.5]), np.log(1e18)) == {
        "a": pytest.approx(np.exp(0.4)), "b": 0.5, "c": 0.0, "g": 0.0,
    }  # fmt: skip
    assert np.isfinite(F3.published(np.array([40.0, 10.0]), np.log(1e60))["a"])


def test_starts_by_hand():
    """5 steepnesses; in each 9 places x 2 ceilings x 2 floors, clipped to the bounds."""
    x = np.array([-1.0, 0.0, 2.0, 3.0])  # span 4
    y = np.array([[0.1, 0.2, 0.5, 0.8]])
    grid = EQ4.starts(x, y)
    assert grid.shape == (1, 5, 36, 4)
    np.testing.assert_allclose(grid[0, :, 0, 1], np.array([0.5, 1.5, 4.0, 10.0, 25.0]) / 4)
    places = np.unique((grid[0, 2, :, 0] / grid[0, 2, :, 1]).round(9))
    np.testing.assert_allclose(places, -1.0 + 4.0 * np.linspace(-0.5, 1.5, 9))
    np.testing.assert_allclose(np.unique(grid[..., 2]), [0.0, -np.log(0.8)])
    np.testing.assert_allclose(np.unique(grid[..., 3]), [0.0, 0.095])
    assert len(np.unique(grid[0, 1], axis=0)) == 36
    # Rates at the ends give starts within the bounds; a ladder of one place has span 1.
    edges = EQ4.starts(np.zeros(4), np.array([[0.0] * 4, [1.0] * 4]))
    assert (edges >= EQ4.lower).all() and (edges <= EQ4.upper).all()
    np.testing.assert_allclose(edges[0, :4, 0, 1], [0.5, 1.5, 4.0, 10.0])
    assert np.unique(edges[0, ..., 2]).max() == pytest.approx(-np.log(0.05))
    assert np.unique(edges[1, ..., 3]).max() == pytest.approx(0.95 * 0.9)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_jacobians_by_differences(law):
    values = {"d": 0.4, "b": 0.7, "c": 0.1, "g": 0.25}
    theta = np.array([values[name] for name in law.parameters])
    found = law.jacobian(theta, X)
    assert found.shape == (4, len(theta))
    for place in range(len(theta)):
        step = 1e-6 * np.eye(len(theta))[place]
        slope = (law.curve(theta + step, X) - law.curve(theta - step, X)) / 2e-6
        np.testing.assert_allclose(found[:, place], slope, atol=1e-8)


def test_laws_cannot_be_changed_by_who_is_given_them():
    assert hash(EQ4) == hash(EmergenceLaw("eq4", ("d", "b", "c", "g")))


def test_a_without_overflow():
    """The largest double is about e^709."""
    steep = F3.published(np.array([30.0, 10.0]), np.log(1e60))["a"]
    assert steep == np.exp(709.0)
