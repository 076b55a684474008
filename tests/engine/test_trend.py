"""The trend of ability over compute."""

import numpy as np
import pytest

from cod_harness.engine.views.trend import forecast_spread

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
