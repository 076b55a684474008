"""The clusters' forecast redone: what is drawn, how it is read, that the spread is as stated."""

import numpy as np
import pytest
from ladders import LADDER, simulated

from cod_harness.engine.fitting import fit
from cod_harness.engine.intervals import (
    bernoulli_scale,
    cluster_variance,
    rung_effect,
    sampling_variance,
)
from cod_harness.engine.laws import EQ4
from cod_harness.engine.mapping import MonotoneMap
from cod_harness.engine.measurements import measurements
from cod_harness.engine.views import refits
from cod_harness.engine.views.refits import Replicates, last_rung_miss, replicates

X = np.log(LADDER) - 0.5 * np.log(LADDER[0] * LADDER[-1])


def line(to, points):
    """The map f(s) = to x s, whose points end at points."""
    knots, coefficients = np.array([0.0, 1.0]), np.array([[0.0, to, 0.0, 0.0]])
    return MonotoneMap(knots, coefficients, 0.0, np.array([[0.0, 0.0], [points, to * points]]))


def test_draws_by_hand():
    """Two replicates, two clusters with constant curves g, spacing 1 and two steps beyond."""
    thetas = np.array([[[90.0, 1.0, 0.0, g] for g in row] for row in ((0.2, 0.6), (0.4, 0.4))])
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    noise = np.array([[0.5, 1.0], [-1.0, -2.0]])
    found = Replicates(
        EQ4, thetas, np.array([0.25, 0.75]), [line(0.8, 0.45), line(0.5, 0.2)], 0.1, noise, x
    ).draws(4.0, subset_share=0.6)
    # The target's rung effect: 0.1 x sqrt(1 + 2) times what the rate gives.
    first = 0.25 * 0.2 + 0.75 * 0.6
    first += 0.5 * 0.1 * np.sqrt(3) * 2 * np.sqrt(first * (1 - first))
    second = 0.4 - 1.0 * 0.1 * np.sqrt(3) * 2 * np.sqrt(0.4 * 0.6)
    # The rest grows on its own beyond the map's last point: sd 0.5 x (1 - 0.6) x the leap.
    expected = [
        0.8 * first + 1.0 * 0.5 * 0.4 * (first - 0.45),
        0.5 * second - 2.0 * 0.5 * 0.4 * max(second - 0.2, 0.0),
    ]
    assert found == pytest.approx(expected, rel=1e-12)


def test_draws_stay_accuracies():
    thetas = np.full((2, 1, 4), [90.0, 1.0, 0.0, 0.5])
    noise = np.array([[30.0, 0.0], [-30.0, 50.0]])
    maps = [line(1.0, 0.2)] * 2
    found = Replicates(EQ4, thetas, np.ones(1), maps, 0.5, noise, np.arange(4.0)).draws(3.0, 0.5)
    np.testing.assert_array_equal(found, [1.0, 0.0])


def test_refits_have_the_weights_of_the_fit(monkeypatch):
    """Drawing answers and the noise floor, added as variances."""
    rates = simulated(3, per_kind=60, spread=0.0)[60:120, :-1]
    ladder = measurements(rates, LADDER, 100, None)
    theta, asked = np.array([[0.5, 0.6, 0.0, 0.1]]), []

    def noted(law, x, y, sigma, starts, penalty):
        asked.append((sigma, penalty))
        return fit(law, x, y, sigma, starts, penalty)

    monkeypatch.setattr(refits, "fit", noted)
    penalty, group = EQ4.ridge_penalty(1.0), np.zeros(60, dtype=int)
    replicates(ladder, group, [0], EQ4, theta, X, 0.05, penalty, 0.005, 0.3, 3, 0)
    ((sigma, told),) = asked
    expected = np.sqrt(cluster_variance(ladder, group == 0) + 0.05**2)
    np.testing.assert_allclose(sigma, np.tile(expected, (3, 1)), rtol=1e-12)
    assert told is penalty


@pytest.fixture(scope="module")
def made():
    """A benchmark of one cluster, a rest of questions at 0.3, and 500 replicates of it."""
    rates = simulated(3, per_kind=60, spread=0.0)[60:120, :-1]
    rest = np.random.default_rng(0).binomial(100, 0.3, size=(20, 8)) / 100
    ladder = measurements(np.vstack([rates, rest]), LADDER, 100, np.full((80, 1), 0.5))
    labels = np.where(ladder.question_order < 60, 0, -1)
    theta = np.array([[np.log(16.0) - 0.5 * (np.log(LADDER[0] * LADDER[-1]) / 2 - np.log(1e18)),
                       0.5, 0.05, 0.0]])  # fmt: skip
    arguments = (ladder, labels, [0], EQ4, theta, X, 0.02, EQ4.ridge_penalty(1.0), 0.005, 0.3)
    return ladder, labels == 0, theta, replicates(*arguments, 500, 7), arguments


def test_replicates_by_their_parts(made):
    ladder, group, theta, found, arguments = made
    assert found.thetas.shape == (500, 1, 4) and found.noise.shape == (500, 2)
    np.testing.assert_array_equal(found.shares, [1.0])
    observed, fitted = ladder.rates[group].mean(axis=0), EQ4.curve(theta, X)[0]
    effect, _ = rung_effect(observed - fitted, bernoulli_scale(fitted), 4, 0.04)
    assert found.effect == pytest.approx(effect, rel=1e-12)
    # One seed, one answer; another, another.
    again, same, other = (replicates(*arguments, 10, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(again.thetas, same.thetas)
    assert not (other.thetas == same.thetas).all()
    # Their middle is the fit, up to what it means that rates end at 0 and 1.
    middle = np.median(EQ4.curve(found.thetas[:, 0], X), axis=0)
    assert middle == pytest.approx(fitted, abs=0.01)


def test_replicates_spread_as_stated(made):
    """Points of the maps: redrawn questions, answers drawn, rung effects; anchors stay."""
    ladder, group, theta, found, _ = made
    subset = np.array([mapping.points[:8, 0] for mapping in found.maps])
    full = np.array([mapping.points[:8, 1] for mapping in found.maps])
    fitted = EQ4.curve(theta, X)[0]
    inside = (fitted > 0.2) & (fitted < 0.8)
    degrees = 8 - 4 + 2
    effects = found.effect**2 * degrees / (degrees - 2)  # variance of the t-variable
    questions = ladder.rates[group].var(axis=0) / group.sum()
    expected = cluster_variance(ladder, group) + questions + effects * bernoulli_scale(fitted) ** 2
    assert inside.sum() >= 2
    assert subset.var(axis=0)[inside] == pytest.approx(expected[inside], rel=0.2)
    assert subset.mean(axis=0) == pytest.approx(fitted, abs=0.01)
    # full = share of the subset and the rest, whose own noise is not the subset's but whose
    # rung effect is.
    others = (full - 0.75 * subset) / 0.25
    level = ladder.rates[~group].mean(axis=0)
    assert others.mean(axis=0) == pytest.approx(level, abs=0.01)
    expected = sampling_variance(ladder, ~group) + ladder.rates[~group].var(axis=0) / 20
    expected += effects * bernoulli_scale(level) ** 2
    assert others.var(axis=0) == pytest.approx(expected, rel=0.2)
    for place in np.flatnonzero(inside):
        assert np.corrcoef(others[:, place], subset[:, place])[0, 1] > 0.5
    for mapping in found.maps[:5]:
        assert mapping.points[8] == pytest.approx([0.5, 0.5])


def test_the_maps_are_asked_for_as_the_benchmarks_own(made, monkeypatch):
    """With threshold, weight of the end and share of the predictable questions, 60 of 80."""
    asked, fit_map = [], refits.fit_map

    def noted(subset, full, *how):
        asked.append(how)
        return fit_map(subset, full, *how)

    monkeypatch.setattr(refits, "fit_map", noted)
    replicates(*made[-1], 2, 7)
    assert asked == [(0.005, 0.3, 0.75)] * 2


def test_the_maps_know_the_share(made):
    """Their end is where the rest, a quarter of the questions at about 0.3, goes: level."""
    _, _, _, found, _ = made
    ends = [mapping(1.0) for mapping in found.maps]
    assert np.median(ends) == pytest.approx(0.75 + 0.25 * 0.3, abs=0.04)


def test_the_last_rung_by_hand():
    """Two laws, known from all rungs but the last, which lies off them."""
    theta = np.array([[0.5, 0.6, 0.0, 0.1], [0.2, 0.4, 0.0, 0.0]])
    means = EQ4.curve(theta, X)
    sizes, sigma = np.array([30.0, 10.0]), np.full(means.shape, 0.001)
    true = float(means[:, -1] @ sizes / 40.0)
    penalty = np.zeros(4)
    assert last_rung_miss(EQ4, X, means, sigma, sizes, penalty) == pytest.approx(0.0, abs=1e-3)
    means[:, -1] += [-0.1, 0.02]
    off = true + (30 * -0.1 + 10 * 0.02) / 40
    expected = abs(np.log(-np.log(true)) - np.log(-np.log(off)))
    found = last_rung_miss(EQ4, X, means, sigma, sizes, penalty)
    assert found == pytest.approx(expected, abs=1e-3)
    # All that it sees of nobody and everybody is that they are beyond 0.3 and 99.7 %.
    solved = np.ones((1, 8))
    assert last_rung_miss(EQ4, X, solved, sigma[:1], sizes[:1], penalty) == 0.0


def test_the_targets_noise_is_a_standardised_effect(made):
    _, _, _, found, _ = made
    assert found.noise[:, 0].var() == pytest.approx(6 / 4, rel=0.25)  # t with 6 degrees
    assert found.noise[:, 1].var() == pytest.approx(1.0, rel=0.15)
    assert found.noise.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.12)


def test_all_questions_predictable():
    rates = simulated(3, per_kind=40, spread=0.0)[40:80, :-1]
    ladder = measurements(rates, LADDER, 100, None)
    theta = np.array([[0.5, 0.5, 0.05, 0.0]])
    found = replicates(
        ladder, np.zeros(40, int), [0], EQ4, theta, X, 0.02, np.zeros(4), 0.005, None, 20, 0
    )
    for mapping in found.maps:
        np.testing.assert_array_equal(mapping.points[:, 0], mapping.points[:, 1])


def test_what_might_have_been_measured_are_rates():
    """Where the law is at 0, half of the rung effects lead below it."""
    rates = simulated(3, per_kind=40, spread=0.0)[40:80, :-1]
    ladder, theta = measurements(rates, LADDER, 100, None), np.array([[1.5, 0.6, 0.0, 0.0]])
    group = np.zeros(40, int)
    found = replicates(ladder, group, [0], EQ4, theta, X, 0.02, np.zeros(4), 0.005, None, 20, 0)
    points = np.array([mapping.points[:, 0] for mapping in found.maps])
    assert points.min() == 0.0 and points.max() <= 1.0 and (points[:, 0] == 0.0).sum() > 3
