"""The interval of the baselines: effects, drift, and how they add up."""

import numpy as np
import pytest

from cod_harness.engine.baselines import band
from cod_harness.engine.baselines.laws import STRAIGHT
from cod_harness.engine.baselines.scales import LogNegLogScale, Scores
from cod_harness.engine.fitting import fit

X = np.arange(7.0)


def straight(observed, x=X, accuracy=lambda score: np.clip(score, 0.0, 1.0)):
    """A straight line fitted to accuracies themselves."""
    scores = Scores(observed[None], np.full((1, len(x)), 0.02), np.ones(1))
    theta = fit(STRAIGHT, x, scores.values, scores.sigma).theta
    return band.Trend(STRAIGHT, x, observed, scores, theta, np.zeros(2), accuracy)


RISING = np.array([0.20, 0.26, 0.29, 0.36, 0.40, 0.47, 0.49])


def test_accuracy_adds_up_over_groups():
    scores = Scores(np.zeros((2, 7)), np.ones((2, 7)), np.array([0.25, 0.75]))
    theta = np.array([[0.1, 0.1], [0.2, 0.05]])
    trend = band.Trend(STRAIGHT, X, RISING, scores, theta, np.zeros(2), lambda score: score)
    assert trend.at(2.0) == pytest.approx(0.25 * 0.3 + 0.75 * 0.3)


def test_a_trend_up_to_a_rung_is_the_fit_to_the_rungs_below():
    lower = straight(RISING).up_to(4.0)
    np.testing.assert_array_equal(lower.x, X[:5])
    np.testing.assert_array_equal(lower.observed, RISING[:5])
    slope, start = np.polyfit(X[:5], RISING[:5], 1)
    assert lower.theta[0] == pytest.approx([start, slope], abs=1e-6)


def test_drift_by_hand():
    """Forecasts of the last three rungs from those below, in units of the Bernoulli scale.

    Less what the effects of two rungs explain, but no less than nothing.
    """
    squares = 0.0
    for place in (4, 5, 6):
        line = np.polyval(np.polyfit(X[:place], RISING[:place], 1), X[place])
        squares += (
            (line - RISING[place]) / (2 * np.sqrt(RISING[place] * (1 - RISING[place])))
        ) ** 2
    for effect in (0.0, 0.01):
        expected = np.sqrt((squares - 3 * 2 * effect**2 + 2 * 0.05**2) / (3 + 2))
        drift, degrees = band._drift(straight(RISING), effect)
        assert (drift, degrees) == (pytest.approx(expected, rel=1e-5), 5.0)
    assert band._drift(straight(RISING), 1.0)[0] == pytest.approx(np.sqrt(2 * 0.05**2 / 5))
    # Six rungs show two such forecasts, four none: the prior alone.
    assert band._drift(straight(RISING[:6], X[:6]), 0.0)[1] == 4.0
    assert band._drift(straight(RISING[:4], X[:4]), 0.0) == (pytest.approx(0.05), 2.0)


def test_drift_over_a_wide_gap_is_that_of_a_step():
    """The last rung lies four typical spacings beyond: its miss counts by half."""
    x = np.array([0.0, 1.0, 2.0, 3.0, 7.0])
    observed = np.array([0.2, 0.25, 0.3, 0.35, 0.65])
    miss = (0.55 - 0.65) / (2 * np.sqrt(0.65 * 0.35))
    for effect in (0.0, 0.02):
        squares = (miss**2 - 2 * effect**2) / 4.0
        drift, degrees = band._drift(straight(observed, x), effect)
        assert (drift, degrees) == (
            pytest.approx(np.sqrt((squares + 2 * 0.05**2) / 3), rel=1e-5), 3.0,
        )  # fmt: skip


def test_equal_amounts_of_compute_are_one_look():
    x = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 4.0])
    observed = np.array([0.2, 0.25, 0.3, 0.35, 0.38, 0.44])
    miss = (0.40 - 0.41) / (2 * np.sqrt(0.41 * 0.59))
    drift, _ = band._drift(straight(observed, x), 0.0)
    assert drift == pytest.approx(np.sqrt((miss**2 + 2 * 0.05**2) / 3), rel=1e-4)


def test_scores_per_accuracy_is_the_inverse_slope():
    scale = LogNegLogScale()
    trend = straight(RISING, accuracy=scale.accuracy)
    score = np.array([[-0.5, 0.3, 1.0, 30.0]])
    p = scale.accuracy(score[0, :3])
    found = band._scores_per_accuracy(trend, score)
    assert found[0, :3] == pytest.approx(1 / (-p * np.log(p)), rel=1e-6)
    assert found[0, 3] == 0.0


def test_ends_of_the_interval():
    """A straight line in accuracy: its refits are known in closed form."""
    trend, at, random = straight(RISING), 8.0, np.random.default_rng(5)
    fitted = np.polyval(np.polyfit(X, RISING, 1), X)
    give = 2 * np.sqrt(fitted * (1 - fitted))
    miss = (RISING - fitted) / give
    effect = np.sqrt((miss @ miss + 2 * 0.03**2) / (7 - 2 + 2))
    drift, degrees = band._drift(trend, effect)
    gain = np.array([1, at]) @ np.linalg.pinv(np.column_stack([np.ones(7), X]))
    moved = fitted + random.standard_t(7, size=(40_000, 7)) * effect * give
    draws = moved @ gain
    # The target's own effect, and two steps of drift.
    own = np.sqrt(effect**2 + 2 * drift**2) * 2 * np.sqrt(draws * (1 - draws))
    draws += random.standard_t(min(7, degrees), size=40_000) * own
    expected = np.percentile(draws, [5, 95])
    low, high = band.interval(trend, at, 0.9, 8000, 3)
    assert (low, high) == pytest.approx(expected, abs=0.03 * (expected[1] - expected[0]))
    assert low < trend.at(at) < high


def test_an_interval_is_wider_at_a_higher_level_and_none_without_refits():
    trend = straight(RISING)
    assert band.interval(trend, 8.0, 0.9, 0, 0) == (trend.at(8.0), trend.at(8.0))
    assert band.interval(trend, 8.0, 0.9, 50, 0) == band.interval(trend, 8.0, 0.9, 50, 0)
    assert band.interval(trend, 8.0, 0.9, 50, 0) != band.interval(trend, 8.0, 0.9, 50, 1)
    inner, outer = (band.interval(trend, 8.0, level, 50, 0) for level in (0.5, 0.9))
    assert outer[0] < inner[0] < inner[1] < outer[1]


def test_an_interval_ends_at_accuracies():
    high = straight(np.linspace(0.9, 0.99, 7))
    assert band.interval(high, 30.0, 0.9, 50, 0)[1] <= 1.0


def test_an_interval_draw_by_draw():
    """Two groups of scores of twice the accuracy, each refitted by weighted least squares."""
    at, shares, number = 9.0, np.array([0.25, 0.75]), 40
    values = 2 * np.array([RISING, 0.6 * RISING + 0.15])
    observed = shares @ values / 2
    sigma = np.array([np.linspace(0.01, 0.03, 7), np.linspace(0.04, 0.01, 7)])
    lines = [np.polyfit(X, v, 1, w=1 / s) for v, s in zip(values, sigma, strict=True)]
    theta = np.array(lines)[:, ::-1]
    trend = band.Trend(
        STRAIGHT, X, observed, Scores(values, sigma, shares), theta, np.zeros(2), lambda s: s / 2
    )
    random = np.random.default_rng(3)
    fitted = np.array([np.polyval(line, X) for line in lines])
    give = 2 * np.sqrt(fitted / 2 * (1 - fitted / 2))
    miss = (observed - shares @ fitted / 2) / (shares @ give)
    effect = np.sqrt((miss @ miss + 2 * 0.03**2) / (7 - 2 + 2))
    moved = random.standard_t(7, (number, 1, 7)) * effect * give * 2 + fitted
    ends = [[np.polyval(np.polyfit(X, moved[r, g], 1, w=1 / sigma[g]), at) / 2 for g in (0, 1)]
            for r in range(number)]  # fmt: skip
    draws = np.array(ends) @ shares
    drift, degrees = band._drift(trend, effect)
    step = np.sqrt(effect**2 + 3 * drift**2)
    kept = np.clip(draws, 0.02, 0.98)
    draws += random.standard_t(degrees, number) * step * 2 * np.sqrt(kept * (1 - kept))
    assert degrees < 7
    expected = np.percentile(np.clip(draws, 0, 1), [10, 90])
    assert band.interval(trend, at, 0.8, number, 3) == pytest.approx(expected, rel=1e-4)


def test_the_last_three_rungs_are_looked_back_at():
    x = np.arange(10.0)
    observed = 0.1 + 0.05 * x + np.array([0, 0, 0, 0, 0, 0, 0, 0.02, 0, 0.03])
    found = band.recent_misses(straight(observed, x))
    expected = [
        abs(np.polyval(np.polyfit(x[:place], observed[:place], 1), place) - observed[place])
        for place in (7, 8, 9)
    ]
    assert found == pytest.approx(expected, abs=1e-6)


def test_rates_at_the_ends_still_move():
    """Accuracies are kept 0.02 from them."""
    assert band._give(np.array([0.0, 0.01, 1.0])) == pytest.approx([2 * np.sqrt(0.02 * 0.98)] * 3)
