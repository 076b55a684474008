"""The baselines' laws by hand: curves, bounds, starts, penalties, and which method has which."""

import numpy as np
import pytest

from cod_harness.engine import METHODS
from cod_harness.engine.baselines.laws import (
    BNSL,
    CONSTANT,
    LOGISTIC,
    POWER,
    POWER_TO_ZERO,
    STRAIGHT,
    SigmoidLaw,
    StraightLaw,
)
from cod_harness.engine.baselines.losses import FALLING, FALLING_TO_FLOOR

X = np.array([-2.0, 0.0, 1.0, 3.0])


def curve(law, *theta):
    return law.curve(np.array([theta]), X)[0]


def test_curves_by_hand():
    assert curve(CONSTANT, 0.3) == pytest.approx([0.3] * 4)
    assert curve(STRAIGHT, 0.3, 0.2) == pytest.approx([-0.1, 0.3, 0.5, 0.9])
    power = np.exp(0.4 - 0.5 * X)
    assert curve(POWER, 0.4, 0.5, 1.5) == pytest.approx(power + 1.5)
    assert curve(POWER_TO_ZERO, 0.4, 0.5) == pytest.approx(power)
    bend = 1 / (1 + np.exp(-(0.4 + 0.5 * X)))
    assert curve(LOGISTIC, 0.4, 0.5) == pytest.approx(bend)
    floored = SigmoidLaw("floored", ("d", "b", "low", "high"))
    assert curve(floored, 0.4, 0.5, 0.25, 0.9) == pytest.approx(0.25 + 0.65 * bend)
    # Far off, a power is capped at e^50 instead of overflowing.
    assert POWER.curve(np.array([[40.0, 10.0, 0.0]]), np.array([-9.0]))[0, 0] == np.exp(50.0)


def test_the_broken_law_by_hand():
    """1 - a - B C^-c0 (1 + (C / C1)^(1 / f))^(-c1 f), C = e^x."""
    a, d, c0, c1, s, f = 0.05, -0.4, 0.2, 0.6, 0.5, 0.7
    c = np.exp(X)
    error = np.exp(d) * c**-c0 * (1 + (c / np.exp(s)) ** (1 / f)) ** (-c1 * f)
    assert curve(BNSL, a, d, c0, c1, s, f) == pytest.approx(1 - a - error, rel=1e-12)


@pytest.mark.parametrize(
    ("law", "lower", "upper"),
    [
        (CONSTANT, [-200], [200]),
        (STRAIGHT, [-200, 0], [200, 10]),
        (StraightLaw(least=-1.0), [-200, -1], [200, 10]),
        (POWER, [-40, 0, 0], [40, 10, 100]),
        (POWER_TO_ZERO, [-40, 0], [40, 10]),
        (LOGISTIC, [-200, 0], [200, 100]),
        (FALLING, [-200, -100], [200, 0]),
        (FALLING_TO_FLOOR, [-200, -100, 0, 0], [200, 0, 0.99, 1]),
        (BNSL, [0, -40, 0, -2, -60, 0.05], [0.99, 10, 10, 10, 60, 10]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_bounds(law, lower, upper):
    np.testing.assert_array_equal(law.lower, lower)
    np.testing.assert_array_equal(law.upper, upper)


def test_penalty_of_the_broken_law():
    np.testing.assert_allclose(BNSL.ridge_penalty(2.0, rest=0.02), [2500, 0, 0.25, 0.25, 0, 0])


def test_straight_starts_are_least_squares():
    y = np.array([[0.1, 0.4, 0.35, 0.9]])
    slope, start = np.polyfit(X, y[0], 1)
    np.testing.assert_allclose(STRAIGHT.starts(X, y), [[[[start, slope]]]])
    # A falling line starts level, on its bound.
    np.testing.assert_allclose(STRAIGHT.starts(X, -y)[0, 0, 0, 1], 0.0)
    np.testing.assert_allclose(CONSTANT.starts(X, y), [[[[0.9]]]])
    # A power law is a straight line in the logarithm of what lies above its floor.
    loss = np.exp(0.4 - 0.5 * X)[None] + 1.5
    starts = POWER.starts(X, loss)[0, :, 0]
    np.testing.assert_allclose(starts[:, 2], np.array([0.0, 0.5, 0.9, 0.99]) * loss.min())
    slope, start = np.polyfit(X, np.log(loss[0] - 0.9 * loss.min()), 1)
    np.testing.assert_allclose(starts[2, :2], [start, -slope])
    to_zero = POWER_TO_ZERO.starts(X, loss - 1.5)
    np.testing.assert_allclose(to_zero, [[[[0.4, 0.5]]]])


def test_sigmoid_starts_by_hand():
    """4 steepnesses; in each 11 places x 2 floors x 2 ceilings."""
    y = np.array([[0.2, 0.3, 0.5, 0.8]])
    floored = SigmoidLaw("floored", ("d", "b", "low", "high"))
    grid = floored.starts(X, y)
    assert grid.shape == (1, 4, 44, 4)
    np.testing.assert_allclose(grid[0, :, 0, 1], np.array([1, 3, 8, 20]) / 5)
    places = np.unique((-grid[0, 1, :, 0] / grid[0, 1, :, 1]).round(9))
    np.testing.assert_allclose(places, -2 + 5 * np.linspace(-0.75, 1.75, 11))
    np.testing.assert_allclose(np.unique(grid[..., 2]), [0, 0.19])
    np.testing.assert_allclose(np.unique(grid[..., 3]), [0.84, 1])
    assert (FALLING.starts(X, y)[..., 1] < 0).all()
    assert np.unique(FALLING_TO_FLOOR.starts(X, y * 1.2)[..., 3]).max() == 1.0


def test_broken_starts_by_hand():
    """4 bends; in each 2 floors x 3 slopes x 6 breaks x 2 widths, at the right height."""
    y = np.array([[0.2, 0.3, 0.5, 0.8]])
    grid = BNSL.starts(X, y)
    assert grid.shape == (1, 4, 72, 6)
    np.testing.assert_allclose(grid[0, :, 0, 3], np.array([-0.2, 0.5, 2.0, 6.0]) / 5)
    np.testing.assert_allclose(np.unique(grid[..., 0]), [0, 0.12])
    np.testing.assert_allclose(np.unique(grid[..., 2]), np.array([0, 0.3, 1.5]) / 5)
    np.testing.assert_allclose(np.unique(grid[..., 4]), -2 + 5 * np.linspace(0.1, 1.1, 6))
    np.testing.assert_allclose(np.unique(grid[..., 5]), np.array([0.05, 0.3]) * 5)
    # Where no bound cuts a start, its log error is right on average.
    free = (grid > BNSL.lower).all(axis=-1) & (grid < BNSL.upper).all(axis=-1)
    assert free.sum() > 20
    for theta in grid[free]:
        miss = np.log(1 - y[0] - theta[0]) - np.log(1 - theta[0] - curve(BNSL, *theta))
        assert miss.mean() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("method", "law", "scale", "penalty"),
    [
        ("exp", "eq4", "AccuracyScale", [0, 1, 0, 0]),
        ("powerlaw", "f3", "AccuracyScale", [0, 0]),
        ("neglog", "power-to-zero", "NegLogScale", [0, 0]),
        ("passrate", "straight", "LogNegLogScale", [0, 0]),
        ("bnsl", "bnsl", "AccuracyScale", [2500, 0, 1, 1, 0, 0]),
        ("logistic", "logistic", "AccuracyScale", [0, 0]),
        ("irt", "straight", "AbilityScale", [0, 0]),
        ("last", "constant", "LastRungScale", [0]),
        ("loss", "power", "LossScale", [0, 0, 0]),
        ("two-step", "power", "LossScale", [0, 0, 0]),
        ("cod-kmeans", "eq4", "GroupScale", [0, 1, 0, 0]),
    ],
)
def test_what_each_method_is(method, law, scale, penalty):
    made = METHODS[method]()
    assert (made.law.name, type(made.scale).__name__) == (law, scale)
    np.testing.assert_allclose(made.penalty, penalty)
    assert (made.n_replicates, made.random_state) == (100, 0)


def test_the_two_loss_routes_differ_in_their_second_step():
    assert METHODS["loss"]().scale.step == FALLING and not METHODS["loss"]().scale.ideal
    assert METHODS["two-step"]().scale.step == FALLING_TO_FLOOR
    assert METHODS["two-step"]().scale.ideal
