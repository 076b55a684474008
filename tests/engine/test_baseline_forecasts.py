"""What surrounds a baseline's law: doubts of its own, losses in order, what is never fitted."""

import numpy as np
import pytest

from cod_harness.engine.baselines.laws import CONSTANT, LOGISTIC, STRAIGHT, SigmoidLaw
from cod_harness.engine.baselines.scales import AccuracyScale
from cod_harness.engine.baselines.trend import (
    TrendForecaster,
    bound_doubts,
    parameter_doubts,
    rung_losses,
)
from cod_harness.engine.fitting import fit
from cod_harness.engine.measurements import measurements
from cod_harness.engine.verdicts import because
from cod_harness.errors import InputError

X = np.linspace(-3.0, 3.0, 8)
COMPUTE = np.geomspace(1e18, 1e22, 8)


def test_as_many_parameters_as_amounts_are_told():
    assert parameter_doubts(LOGISTIC, 3) == ()
    assert parameter_doubts(LOGISTIC, 2) == (because("more_parameters", amounts=2, parameters=2),)
    floored = SigmoidLaw("floored", ("d", "b", "low", "high"))
    assert parameter_doubts(floored, 3)[0].values == {"amounts": 3, "parameters": 4}


def test_bounds_of_the_slope_are_told():
    def found(law, *rows):
        y = np.array(rows)
        return [doubt.code for doubt in bound_doubts(law, fit(law, X, y, np.full(y.shape, 0.01)))]

    rising, falling = 0.5 + 0.1 * X, 0.5 - 0.1 * X
    assert found(STRAIGHT, rising) == []
    assert found(STRAIGHT, falling) == ["no_rise"]
    assert found(STRAIGHT, 20 * X) == ["steepest"]
    # Several groups: only where all of them do.
    assert found(STRAIGHT, falling, falling) == ["no_rise"]
    assert found(STRAIGHT, falling, rising) == []
    assert found(STRAIGHT, 20 * X, rising) == []
    assert found(CONSTANT, falling) == []


def test_losses_stand_in_the_order_of_the_rungs():
    ladder = measurements(np.full((3, 4), 0.5), [4, 1, 3, 2], 1, None)
    np.testing.assert_array_equal(rung_losses([1.0, 4.0, 2.0, 3.0], ladder), [4, 3, 2, 1])
    assert np.isnan(rung_losses(None, ladder)).all()
    words = r"losses have shape \(2,\) for 4 models: give one a model, NaN where unknown"
    with pytest.raises(InputError, match=words):
        rung_losses([1.0, 2.0], ladder)


def test_a_forecast_by_hand():
    """A straight line through accuracies of analytic rates, all weights alike."""
    accuracy = 0.1 + 0.08 * np.arange(8)
    model = TrendForecaster(STRAIGHT, AccuracyScale(), n_replicates=0)
    model.fit(np.tile(accuracy, (5, 1)), COMPUTE, 0)
    spacing = np.log(COMPUTE[1] / COMPUTE[0])
    found = model.forecast(COMPUTE[-1] * np.exp(1.5 * spacing))
    assert found.mean == pytest.approx(0.1 + 0.08 * 8.5, abs=1e-6)
    assert (found.low, found.high) == (found.mean, found.mean)
    assert (found.verdict, found.reasons, found.level) == ("ok", (), 0.9)
    assert np.isnan(found.subset.mean) and found.subset.share == 1.0
    np.testing.assert_allclose(model.theta_, [[0.1 + 0.08 * 3.5, 0.08 / spacing]], rtol=1e-6)
    np.testing.assert_allclose(model.rung_accuracy_, accuracy)
    np.testing.assert_array_equal(model.rung_error_, 0.0)


def test_doubts_of_a_forecast():
    def codes(accuracy, target, n_samples=0):
        rates = np.tile(accuracy, (5, 1))
        model = TrendForecaster(STRAIGHT, AccuracyScale()).fit(rates, COMPUTE, n_samples)
        return [reason.code for reason in model.forecast(target).reasons]

    rising = 0.1 + 0.05 * np.arange(8)
    assert codes(rising, COMPUTE[-1] * 3) == []
    assert codes(rising, COMPUTE[-1] * 1e6)[:1] == ["far"]
    wild = np.array([0.1, 0.8, 0.1, 0.5, 0.1, 0.9, 0.2, 0.6])
    assert codes(wild, COMPUTE[-1] * 3) == [
        "below_last_rung", "wide_interval", "missed_rungs", "out_of_order",
    ]  # fmt: skip
    # At the last rung's compute nothing is beyond it.
    at_last = codes(wild, COMPUTE[-1])
    assert at_last[0] == "interpolation" and "below_last_rung" not in at_last
    zero = TrendForecaster(STRAIGHT, AccuracyScale()).fit(np.zeros((5, 8)), COMPUTE)
    found = zero.forecast(1e23)
    assert found.reasons == (because("never_answered"),)
    assert np.isnan(found.subset.mean) and found.subset.share == 0.0
    np.testing.assert_array_equal(zero.rung_accuracy_, 0.0)
    # Where it stands below the ladder, that is said first.
    assert zero.forecast(1e17).reasons[0].code == "below_ladder"
