"""The trend of ability over compute."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from cod_harness.engine.views.trend import Spread, forecast_spread

X = np.linspace(40.0, 50.0, 8)
NONE = np.zeros(8)


def test_a_line_goes_on():
    spread = forecast_spread(X, 0.3 * (X - 45.0), NONE, 53.0)
    assert spread.mean == pytest.approx(0.3 * 8.0, abs=0.1)


def test_after_a_bend_the_upper_rungs_count():
    bent = np.where(X < 46.0, 0.0, 0.8 * (X - 46.0))
    spread = forecast_spread(X, bent, NONE, 52.0)
    assert spread.mean == pytest.approx(0.8 * 6.0, abs=0.3)
    # Scattered about a line instead, all rungs count, and the spread is wider.
    noisy = 0.3 * (X - 45.0) + 0.6 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    rough, smooth = (forecast_spread(X, y, NONE, 53.0) for y in (noisy, 0.3 * (X - 45.0)))
    assert rough.mean == pytest.approx(smooth.mean, abs=0.7)
    assert rough.sd > 2.0 * smooth.sd


def test_spread_grows_with_distance_and_with_sampling():
    line = 0.3 * (X - 45.0)
    spreads = [forecast_spread(X, line, NONE, at).sd for at in (50.5, 52.0, 55.0)]
    assert spreads[0] < spreads[1] < spreads[2]
    assert forecast_spread(X, line, np.full(8, 0.5), 52.0).sd > spreads[1]


def test_only_differences_of_log_compute_count():
    values = np.array([0.0, 0.2, 0.1, 0.5, 0.9, 1.0, 1.6, 1.7])
    here, there = (forecast_spread(X + by, values, NONE, 53.0 + by) for by in (0.0, -30.0))
    assert here.mean == pytest.approx(there.mean) and here.sd == pytest.approx(there.sd)


def by_hand(x, ability, variance, x_target):
    """The same mixture, one component at a time, from scipy's normal distribution.

    Ability is 0.35 (x - x_last), plus a height of variance 100, a slope of sd 0.5, a slope that
    wanders (the integral of a Wiener process from the first rung), and noise.
    """
    m, at = len(x), np.append(x, x_target) - min(x)

    def wandering(s, t):
        return quad(lambda u: (s - u) * (t - u), 0.0, min(s, t))[0]

    expected = 0.35 * (at - at[m - 1])
    wander = np.array([[wandering(s, t) for t in at] for s in at])
    line = 100.0 + 0.5**2 * np.outer(at - at[m - 1], at - at[m - 1])
    weights, means, variances = [], [], []
    for noise in (0.03, 0.06, 0.12, 0.25, 0.5, 1.0):
        for bend in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
            prior = np.exp(-0.5 * np.log(noise / 0.12) ** 2)
            prior *= np.exp(-0.5 * np.log(max(bend, 0.01) / 0.1) ** 2)
            every = line + bend**2 * wander
            rungs = every[:m, :m] + np.diag(np.asarray(variance) + noise**2)
            seen = multivariate_normal(expected[:m], rungs)
            gain = np.linalg.solve(rungs, every[:m, m])
            weights.append(prior * seen.pdf(ability))
            means.append(expected[m] + gain @ (ability - expected[:m]))
            variances.append(every[m, m] - gain @ every[:m, m] + noise**2)
    return np.array(weights) / sum(weights), np.array(means), np.array(variances)


def test_the_mixture_by_hand():
    x = np.array([40.0, 41.5, 42.0, 44.0, 45.0])
    ability = np.array([-1.0, -0.3, -0.5, 0.4, 0.9])
    variance = np.array([0.01, 0.0, 0.02, 0.005, 0.03])
    spread = forecast_spread(x, ability, variance, 47.5)
    weights, means, variances = by_hand(x, ability, variance, 47.5)
    np.testing.assert_allclose(spread.weights, weights, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(spread.means, means, rtol=1e-7)
    np.testing.assert_allclose(spread.variances, variances, rtol=1e-7)
    assert spread.mean == pytest.approx(weights @ means, rel=1e-7)
    second = weights @ (variances + means**2) - (weights @ means) ** 2
    assert spread.sd == pytest.approx(np.sqrt(second), rel=1e-7)


def test_moments_of_a_mixture():
    spread = Spread(np.array([0.25, 0.75]), np.array([0.0, 4.0]), np.array([1.0, 2.0]))
    assert spread.mean == 3.0
    assert spread.sd == pytest.approx(np.sqrt(0.25 * (1 + 9) + 0.75 * (2 + 1)))
