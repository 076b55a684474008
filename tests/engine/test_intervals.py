"""Noise, rung effects, distance and quantiles, each against a calculation by hand."""

import numpy as np
import pytest

from cod_harness.engine import settings
from cod_harness.engine.intervals import (
    accuracy_variance,
    bernoulli_scale,
    central_interval,
    cluster_variance,
    pulled_scale,
    rung_effect,
    sampling_variance,
    steps_beyond,
)
from cod_harness.engine.measurements import measurements


def ladder_of(column, draws):
    """A ladder whose first rung has these rates; the order of rows is that of the rates."""
    rates = np.column_stack([column, *[np.full(len(column), 0.9)] * 3])
    return measurements(rates, [1.0, 2.0, 3.0, 4.0], draws, None)


def test_sampling_variance_by_hand():
    """Two questions, 4 draws, rates 0 and 1/2: p shrunk to (p k + 1/2) / (k + 1)."""
    ladder = ladder_of([0.0, 0.5], 4)
    # 0.1 and 0.5; 0.1 x 0.9 = 0.09 and 0.5 x 0.5 = 0.25.
    # The mean allows no more than m (1 - m) with m = (0 + 1/2 + 1/2) / (2 + 1) = 1/3, 2 / 9.
    expected = (0.09 + 2.0 / 9.0) / 4.0 / 2**2
    both = np.array([True, True])
    assert sampling_variance(ladder, both)[0] == pytest.approx(expected, rel=1e-14)
    assert accuracy_variance(ladder) == pytest.approx(sampling_variance(ladder, both), rel=1e-14)
    # One of them alone: 0.09, but its mean is (0 + 1/2) / 2 = 1/4, and 3 / 16 allows it.
    first = sampling_variance(ladder, np.array([True, False]))[0]
    assert first == pytest.approx(0.09 / 4.0, rel=1e-14)
    # Two never answered, of a draw each: 1/4, but the mean of (0 + 1/2) / 3 allows 5 / 36.
    never = sampling_variance(ladder_of([0.0, 0.0], 1), both)[0]
    assert never == pytest.approx(5.0 / 36.0 / 2.0, rel=1e-14)


def test_analytic_rates_have_no_sampling_variance():
    ladder = ladder_of([0.2, 0.5], 0)
    assert (accuracy_variance(ladder) == 0).all()
    assert (cluster_variance(ladder, np.array([True, True])) == 0).all()


def test_draws_may_differ_by_question():
    ladder = ladder_of([0.0, 0.5], np.array([[4] * 4, [0] * 4]))
    assert accuracy_variance(ladder)[0] == pytest.approx(0.09 / 4.0 / 2**2, rel=1e-14)


def test_cluster_variance_by_hand():
    """Rows that spread less than draws alone would: what is missing stays in their mean."""
    ladder = ladder_of([0.5, 0.5], 4)
    noise = 0.25 / 4.0
    both = np.array([True, True])
    assert cluster_variance(ladder, both)[0] == pytest.approx(noise / 2 + noise, rel=1e-14)
    # Rows that spread as far as sample variance 1/8 = 0.125 > 0.0425 have nothing in common.
    apart = ladder_of([0.0, 0.5], 4)
    mean_noise = 0.5 * (0.09 + 0.25) / 4.0
    assert cluster_variance(apart, both)[0] == pytest.approx(mean_noise / 2, rel=1e-14)
    # In between: rates 1/2 and 3/4, sample variance 1/32; shrunk 0.5 and 0.7.
    between = ladder_of([0.5, 0.75], 4)
    noise = 0.5 * (0.25 + 0.21) / 4.0
    expected = noise / 2 + noise - 1 / 32
    assert cluster_variance(between, both)[0] == pytest.approx(expected, rel=1e-14)
    alone = cluster_variance(between, np.array([True, False]))[0]
    assert alone == pytest.approx(0.25 / 4 + 0.25 / 4, rel=1e-14)


def test_bernoulli_scale_by_hand():
    assert bernoulli_scale([0.5, 0.2, 0.8, 0.0, 1.0, -0.1, 1.1]) == pytest.approx(
        [1.0, 0.8, 0.8, 0.0, 0.0, 0.0, 0.0], abs=1e-15
    )
    at_margin = 2.0 * np.sqrt(0.02 * 0.98)
    assert bernoulli_scale([0.0, 0.01, 1.0, 0.5], 0.02) == pytest.approx(
        [at_margin, at_margin, at_margin, 1.0], rel=1e-14
    )


def test_rung_effect_by_hand():
    miss, scale = np.array([0.03, -0.04, 0.0, 0.005, 0.1]), np.array([1.0, 0.5, 1.0, 0.05, 1.0])
    effects = [0.03, -0.08, 0.0, 0.005 / 0.1, 0.1]  # a scale below 0.1 counts as 0.1
    squares = sum(effect**2 for effect in effects)
    # Five rungs less three parameters, and two rungs' worth of prior at 0.04.
    size, degrees = rung_effect(miss, scale, 3, 0.04)
    assert degrees == 2 + 2
    assert size == pytest.approx(np.sqrt((squares + 2 * 0.04**2) / 4), rel=1e-14)
    # More parameters than rungs leave the prior's degrees alone.
    assert rung_effect(miss, scale, 9, 0.04)[1] == 2


def test_pulled_scale_by_hand():
    assert pulled_scale(0.0, 0, 0.05) == (pytest.approx(0.05, rel=1e-14), 2.0)
    scale, degrees = pulled_scale(0.02, 3, 0.05)
    assert (scale, degrees) == (pytest.approx(np.sqrt((0.02 + 2 * 0.0025) / 5), rel=1e-14), 5.0)


def test_steps_beyond_by_hand():
    x = np.array([0.0, 1.0, 1.0, 3.0, 9.0])  # spacings 1, 2, 6 of different amounts
    assert steps_beyond(x, 15.0) == 3.0
    assert steps_beyond(x, 9.0) == 0.0
    assert steps_beyond(x, 4.0) == 0.0


def test_central_interval_by_hand():
    draws = np.linspace(0.0, 1.0, 101)
    assert central_interval(draws, 0.5, 0.9) == pytest.approx((0.05, 0.95))
    assert central_interval(draws, 0.5, 0.5) == pytest.approx((0.25, 0.75))
    # A mean outside is held.
    assert central_interval(draws, 0.99, 0.9) == pytest.approx((0.05, 0.99))
    assert central_interval(draws, 0.01, 0.9) == pytest.approx((0.01, 0.95))


def test_priors():
    assert settings.PRIOR_WEIGHT == 2.0
    assert (settings.RUNG_EFFECT, settings.BASELINE_RUNG_EFFECT) == (0.04, 0.03)
