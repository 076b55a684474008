"""What each baseline fits and how it weighs, by hand."""

import numpy as np
import pytest

from cod_harness.engine.baselines.groups import GroupScale
from cod_harness.engine.baselines.latent import AbilityScale
from cod_harness.engine.baselines.losses import FALLING, FALLING_TO_FLOOR, LossScale
from cod_harness.engine.baselines.scales import (
    AccuracyScale,
    LastRungScale,
    LogNegLogScale,
    NegLogScale,
    NoScoreError,
    off_the_ends,
)
from cod_harness.engine.intervals import accuracy_variance, cluster_variance
from cod_harness.engine.measurements import measurements
from cod_harness.engine.verdicts import because
from cod_harness.engine.views.irt import abilities

COMPUTE = np.array([1e19, 1e20, 1e21, 1e22, 1e22])
NONE = np.full(5, np.nan)


@pytest.fixture(scope="module")
def ladder():
    random = np.random.default_rng(0)
    rates = random.binomial(4, [0.1, 0.3, 0.5, 0.7, 0.8], size=(50, 5)) / 4
    return measurements(rates, COMPUTE, 4, None)


def test_accuracy(ladder):
    found = AccuracyScale().scores(ladder, NONE)
    np.testing.assert_allclose(found.values, ladder.rates.mean(axis=0)[None])
    np.testing.assert_allclose(found.sigma[0], np.sqrt(accuracy_variance(ladder) + 0.02**2))
    np.testing.assert_array_equal(found.shares, [1.0])
    np.testing.assert_array_equal(AccuracyScale().accuracy(np.array([-1, 0.3, 2])), [0, 0.3, 1])


def test_only_the_largest_compute_counts_for_last(ladder):
    found, every = (scale.scores(ladder, NONE) for scale in (LastRungScale(), AccuracyScale()))
    np.testing.assert_array_equal(found.values, every.values)
    np.testing.assert_array_equal(found.sigma[0, :3], 1e6)
    np.testing.assert_array_equal(found.sigma[0, 3:], every.sigma[0, 3:])


def test_neglog(ladder):
    p = ladder.rates.mean(axis=0)
    found = NegLogScale().scores(ladder, NONE)
    np.testing.assert_allclose(found.values[0], -np.log(p))
    # The delta method: var(log p) = var(p) / p^2; the floor at p = 1/2 likewise.
    expected = accuracy_variance(ladder) / p**2 + 0.04**2
    np.testing.assert_allclose(found.sigma[0], np.sqrt(expected))
    np.testing.assert_allclose(NegLogScale().accuracy(found.values[0]), p)
    assert NegLogScale().accuracy(np.array(-0.5)) == 1.0


def test_passrate(ladder):
    p = ladder.rates.mean(axis=0)
    found = LogNegLogScale().scores(ladder, NONE)
    np.testing.assert_allclose(found.values[0], -np.log(-np.log(p)))
    expected = accuracy_variance(ladder) / (p * np.log(p)) ** 2
    expected = expected + (0.02 / (0.5 * np.log(2))) ** 2
    np.testing.assert_allclose(found.sigma[0], np.sqrt(expected))
    np.testing.assert_allclose(LogNegLogScale().accuracy(found.values[0]), p)
    np.testing.assert_array_equal(LogNegLogScale().accuracy(np.array([-1e9, 1e9])), [0, 1])


def test_logarithms_are_taken_half_an_answer_off_the_ends():
    rates = np.array([[0.0, 0.5, 1.0, 1.0], [0.0, 0.5, 1.0, 0.5]])
    np.testing.assert_allclose(
        off_the_ends(measurements(rates, [1, 2, 3, 4], 5, None)), [0.05, 0.5, 0.95, 0.75]
    )
    np.testing.assert_allclose(
        off_the_ends(measurements(rates, [1, 2, 3, 4], 0, None)), [0.25, 0.5, 0.75, 0.75]
    )


def test_abilities_weigh_the_last_amounts_of_compute(ladder):
    found = AbilityScale(recent=4.0).scores(ladder, NONE)
    known = abilities(ladder, accuracy_variance(ladder))
    np.testing.assert_allclose(found.values[0], known.values)
    sigma = np.sqrt(known.variance + (0.02 / 0.35) ** 2)
    np.testing.assert_allclose(found.sigma[0], sigma / [1, 2, 2, 2, 2])
    assert AbilityScale().recent == 3.0
    scale = AbilityScale()
    scale.scores(ladder, NONE)
    np.testing.assert_allclose(scale.accuracy(known.values), known.accuracy(known.values))
    with pytest.raises(NoScoreError) as error:
        scale.scores(measurements(np.ones((9, 5)), COMPUTE, 4, None), NONE)
    assert error.value.reason == because("always_answered")


LOSSES = np.array([3.0, 2.5, 2.1, 1.8, 1.7])


def test_losses_and_their_step(ladder):
    scale = LossScale(FALLING)
    found = scale.scores(ladder, LOSSES)
    np.testing.assert_array_equal(found.values[0], LOSSES)
    np.testing.assert_allclose(found.sigma[0], 0.01 * LOSSES)
    p = ladder.rates.mean(axis=0)
    np.testing.assert_allclose(scale.accuracy(LOSSES), p, atol=0.05)
    d, b = scale.theta_
    assert scale.middle_ == pytest.approx(LOSSES.mean()) and b < 0
    at = np.array([[1.0, 2.0]])
    np.testing.assert_allclose(
        scale.accuracy(at), 1 / (1 + np.exp(-(d + b * (at - scale.middle_)))), rtol=1e-9
    )


def test_the_steps_weights():
    """Two groups of losses at odds: the point of small sigma is passed through."""
    losses, accuracy = np.array([1.0, 1.0, 3.0, 3.0]), np.array([0.9, 0.7, 0.2, 0.4])
    scale = LossScale(FALLING)
    scale.learn(losses, accuracy, np.array([0.01, 1.0, 1.0, 0.01]))
    assert scale.accuracy(np.array([1.0, 3.0])) == pytest.approx([0.9, 0.4], abs=2e-3)


def test_a_loss_of_nothing_is_held_to_mean_everything_right():
    accuracy = 0.2 + 0.3 / (1 + np.exp(4 * (LOSSES - 2.2)))
    plain, ideal = LossScale(FALLING_TO_FLOOR), LossScale(FALLING_TO_FLOOR, ideal=True)
    for scale in (plain, ideal):
        scale.learn(LOSSES, accuracy, np.full(5, 0.02))
    assert ideal.middle_ == pytest.approx(LOSSES.sum() / 6)
    assert ideal.accuracy(np.zeros(1))[0] > 0.9 > 0.6 > plain.accuracy(np.zeros(1))[0]


@pytest.mark.parametrize(
    ("unknown", "losses"), [(5, NONE), (2, [np.nan, 2, 2, -1, 1]), (1, [0, 3, 2, 2, 2])]
)
def test_a_rung_without_a_loss(ladder, unknown, losses):
    with pytest.raises(NoScoreError) as error:
        LossScale().scores(ladder, np.asarray(losses, dtype=float))
    assert error.value.reason == because("no_losses", unknown=unknown, rungs=5)


def test_groups_are_those_of_k_means():
    random = np.random.default_rng(1)
    easy = random.binomial(20, [0.6, 0.8, 0.9, 0.95, 0.95], size=(30, 5)) / 20
    hard = random.binomial(20, [0.0, 0.0, 0.05, 0.1, 0.2], size=(15, 5)) / 20
    two = measurements(np.vstack([easy, hard])[:29], COMPUTE, 20, None)
    found = GroupScale().scores(two, NONE)
    assert len(found.values) == 2  # 29 questions, ten a group
    assert found.shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.shares @ found.values, two.rates.mean(axis=0))
    # The two groups again, by the rates of their members.
    whole = measurements(np.vstack([easy[:15], hard]), COMPUTE, 20, None)
    found = GroupScale().scores(whole, NONE)
    assert len(found.values) == 3
    apart = measurements(
        np.vstack([np.full((10, 5), 0.9), np.full((15, 5), 0.1)]), COMPUTE, 20, None
    )
    found = GroupScale().scores(apart, NONE)
    order = np.argsort(found.values[:, 0])
    np.testing.assert_allclose(found.values[order], [[0.1] * 5, [0.9] * 5])
    np.testing.assert_allclose(found.shares[order], [0.6, 0.4])
    low = cluster_variance(apart, apart.rates[:, 0] < 0.5)
    np.testing.assert_allclose(found.sigma[order][0], np.sqrt(low + 0.02**2))


def test_no_more_than_ten_groups():
    rates = np.random.default_rng(2).uniform(size=(300, 5))
    assert len(GroupScale().scores(measurements(rates, COMPUTE, 20, None), NONE).values) == 10
    few = measurements(rates[:7], COMPUTE, 20, None)
    assert len(GroupScale().scores(few, NONE).values) == 1


def test_three_groups_by_hand():
    rates = np.repeat([[0.1] * 5, [0.5] * 5, [0.9] * 5], [10, 15, 20], axis=0)
    ladder = measurements(rates, COMPUTE, 20, None)
    found = GroupScale().scores(ladder, NONE)
    order = np.argsort(found.values[:, 0])
    np.testing.assert_allclose(found.values[order], [[0.1] * 5, [0.5] * 5, [0.9] * 5])
    np.testing.assert_allclose(found.shares[order], [10 / 45, 15 / 45, 20 / 45])
    for place, rate in zip(order, (0.1, 0.5, 0.9), strict=True):
        variance = cluster_variance(ladder, ladder.rates[:, 0] == rate)
        np.testing.assert_allclose(found.sigma[place], np.sqrt(variance + 0.02**2))


def test_no_more_groups_than_distinct_questions():
    rates = np.repeat([[0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.6, 0.7, 0.8, 0.9]], 20, axis=0)
    found = GroupScale().scores(measurements(rates, COMPUTE, 20, None), NONE)
    assert len(found.values) == 2


@pytest.mark.parametrize("ideal", [False, True])
def test_the_second_step_is_weighted_least_squares(ladder, ideal):
    """Of accuracies on losses about their mean; with an ideal, a point (0, 1) more."""
    scale = LossScale(FALLING, ideal=ideal)
    scale.scores(ladder, LOSSES)
    sigma = np.sqrt(accuracy_variance(ladder) + 0.02**2)
    losses, accuracy = LOSSES, ladder.rates.mean(axis=0)
    if ideal:
        losses, accuracy = np.append(losses, 0.0), np.append(accuracy, 1.0)
        sigma = np.append(sigma, 0.02)
    assert scale.middle_ == pytest.approx(losses.mean())

    def cost(d, b):
        curve = 1 / (1 + np.exp(-(d + b * (losses - losses.mean()))))
        return (((curve - accuracy) / sigma) ** 2).sum()

    best = cost(*scale.theta_)
    for d, b in ((0.01, 0), (-0.01, 0), (0, 0.02), (0, -0.02)):
        assert cost(scale.theta_[0] + d, scale.theta_[1] + b) > best


def test_accuracies_of_losses_keep_their_shape(ladder):
    scale = LossScale(FALLING)
    scale.scores(ladder, LOSSES)
    assert scale.accuracy(np.full((2, 3), 2.0)).shape == (2, 3)
    assert FALLING.sign == FALLING_TO_FLOOR.sign == -1
