from __future__ import annotations

import numpy as np
import pytest
from ladders import LADDER, TARGET, law, simulated

from cod_harness.engine import METHODS
from cod_harness.engine.baselines.laws import (
    BNSL,
    CONSTANT,
    LOGISTIC,
    POWER,
    POWER_TO_ZERO,
    STRAIGHT,
    SigmoidLaw,
)
from cod_harness.engine.baselines.losses import FALLING, FALLING_TO_FLOOR
from cod_harness.engine.fitting import fit
from cod_harness.errors import InputError

X = np.linspace(-3.0, 3.0, 9)
FLOORED = SigmoidLaw("floored", ("d", "b", "low", "high"))
CURVES = [
    (CONSTANT, [0.3]),
    (STRAIGHT, [0.2, 0.7]),
    (POWER, [0.1, 0.4, 0.5]),
    (POWER_TO_ZERO, [0.1, 0.4]),
    (LOGISTIC, [-0.5, 1.2]),
    (FLOORED, [0.3, 1.5, 0.25, 0.9]),
    (FALLING, [0.5, -1.5]),
    (FALLING_TO_FLOOR, [0.5, -1.5, 0.2, 0.95]),
    (BNSL, [0.05, -0.2, 0.02, 0.9, 0.4, 0.5]),
]
BASELINES = [name for name in METHODS if name not in ("cod", "cod-paper")]
LOSSES = 1.5 + 3.0 * (LADDER / 1e18) ** -0.12
DIRECT = [name for name in BASELINES if name not in ("last", "bnsl")]


@pytest.mark.parametrize(("curve", "theta"), CURVES, ids=lambda value: getattr(value, "name", ""))
def test_a_law_finds_its_own_curve(curve, theta) -> None:
    truth = curve.curve(np.array([theta]), X)
    found = fit(curve, X, truth, np.full_like(truth, 0.01))
    # BNSL has six parameters that trade against each other; its curve is what counts.
    assert curve.curve(found.theta, X) == pytest.approx(truth, abs=2e-3)
    if curve is not BNSL:
        assert found.theta[0] == pytest.approx(theta, abs=1e-2)


@pytest.mark.parametrize(("curve", "theta"), CURVES, ids=lambda value: getattr(value, "name", ""))
def test_jacobians_are_the_derivatives(curve, theta) -> None:
    at = np.array([theta])
    exact = curve.jacobian(at, X)[0]
    for place in range(len(theta)):
        step = np.zeros(len(theta))
        step[place] = 1e-6
        slope = (curve.curve(at + step, X) - curve.curve(at - step, X))[0] / 2e-6
        assert exact[:, place] == pytest.approx(slope, abs=1e-6)


def codes(forecast):
    return [reason.code for reason in forecast.reasons]


def fitted(name, rates, n_samples=100, compute=LADDER, losses=LOSSES):
    return METHODS[name]().fit(rates, compute, n_samples, losses=losses)


@pytest.mark.parametrize("name", DIRECT)
def test_questions_of_one_kind_are_forecast(name) -> None:
    """One smooth emergence, which every baseline but the flat one can follow."""
    truth = law([[30.0, 0.4, 0.0, 0.0]], [*LADDER, TARGET])
    rates = np.random.default_rng(0).binomial(100, np.repeat(truth, 150, axis=0)) / 100
    found = fitted(name, rates[:, :-1]).forecast(TARGET)
    assert found.mean == pytest.approx(truth[0, -1], abs=0.06)
    assert found.low <= truth[0, -1] <= found.high
    assert 0.0 <= found.low < found.mean < found.high <= 1.0
    assert found.verdict in ("ok", "weak")


@pytest.mark.parametrize("name", BASELINES)
def test_order_of_rungs_and_questions_changes_nothing(name) -> None:
    rates, random = simulated(1, per_kind=30)[:, :-1], np.random.default_rng(2)
    rungs, rows = random.permutation(len(LADDER)), random.permutation(len(rates))
    one = fitted(name, rates).forecast(TARGET)
    other = fitted(name, rates[rows][:, rungs], 100, LADDER[rungs], LOSSES[rungs])
    assert other.forecast(TARGET) == one


@pytest.mark.parametrize("name", BASELINES)
def test_unit_of_compute_changes_nothing(name) -> None:
    rates = simulated(3, per_kind=30)[:, :-1]
    one = fitted(name, rates).forecast(TARGET)
    other = fitted(name, rates, compute=LADDER * 1e-6).forecast(TARGET * 1e-6)
    assert [other.mean, other.low, other.high] == pytest.approx(
        [one.mean, one.low, one.high], abs=1e-3
    )


@pytest.mark.parametrize("name", BASELINES)
def test_hard_ladders(name) -> None:
    zero = fitted(name, np.zeros((20, 8))).forecast(TARGET)
    assert zero.verdict == "abstain" and np.isnan(zero.mean) and codes(zero) == ["never_answered"]
    flat = fitted(name, np.full((40, 8), 0.25), 0).forecast(TARGET)
    assert flat.mean == pytest.approx(0.25, abs=0.05)
    for rates in (np.ones((20, 8)), np.eye(8)[[0]], np.full((1, 8), 0.5)):
        found = fitted(name, rates, 1).forecast(TARGET)
        assert found.verdict == "abstain" or 0.0 <= found.low <= found.mean <= found.high <= 1.0
    below = fitted(name, np.full((20, 8), 0.5)).forecast(LADDER[0] / 2)
    assert below.verdict == "abstain" and codes(below) == ["below_ladder"]


def test_verdicts_say_why() -> None:
    rates = simulated(4, per_kind=30)[:, :-1]
    assert fitted("powerlaw", rates).forecast(TARGET).verdict == "ok"
    inside = fitted("powerlaw", rates).forecast(LADDER[4])
    assert inside.verdict == "weak" and codes(inside)[0] == "interpolation"
    short = METHODS["exp"]().fit(rates[:, :4], LADDER[:4], 100).forecast(LADDER[5])
    assert "more_parameters" in codes(short)
    falling = fitted("powerlaw", rates[:, ::-1]).forecast(TARGET)
    assert "no_rise" in codes(falling)


@pytest.mark.parametrize("name", ["loss", "two-step"])
def test_without_losses_the_loss_routes_abstain(name) -> None:
    rates = simulated(5, per_kind=30)[:, :-1]
    none = fitted(name, rates, losses=None).forecast(TARGET)
    assert none.verdict == "abstain" and "none of the rungs has a loss" in str(none.reasons[0])
    some = fitted(name, rates, losses=np.where(np.arange(8) < 2, np.nan, LOSSES)).forecast(TARGET)
    assert some.verdict == "abstain" and "2 of 8 rungs have no loss" in str(some.reasons[0])
    with pytest.raises(InputError, match="losses have shape"):
        fitted(name, rates, losses=LOSSES[:3])


def test_two_step_follows_losses_not_compute() -> None:
    """Accuracy is a sigmoid of the loss; compute only says how the loss goes on."""
    accuracy = 0.25 + 0.75 / (1 + np.exp(4 * (LOSSES - 2.6)))
    rates = np.repeat(accuracy[None], 200, axis=0)
    target = 1.5 + 3.0 * (TARGET / 1e18) ** -0.12
    found = METHODS["two-step"]().fit(rates, LADDER, 0, losses=LOSSES).forecast(TARGET)
    assert found.mean == pytest.approx(0.25 + 0.75 / (1 + np.exp(4 * (target - 2.6))), abs=0.02)


def test_no_trend_in_the_rows_no_gain_in_the_forecast() -> None:
    """One draw a question, the same chance at every rung: rows differ by luck alone."""
    rates = np.random.default_rng(7).binomial(1, 0.3, size=(1500, 8)).astype(float)
    for name in BASELINES:
        if name == "cod-kmeans":  # clusters and fits on the same luck, as published
            continue
        found = METHODS[name]().fit(rates, LADDER, 1, losses=LOSSES).forecast(TARGET)
        assert found.mean == pytest.approx(0.3, abs=0.06), name
