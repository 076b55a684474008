"""Views of a target, weighted; by hand where there is a formula."""

import numpy as np
import pytest
from scipy.stats import t as student

from cod_harness.engine.views.pooling import View, accuracies, parts, pooled, view, weights


def scaled(accuracy):
    return -np.log(-np.log(accuracy))


def test_a_view_by_hand():
    found = view(0.6, 0.5, 0.7, widen=1.5, coarse=0.1)
    assert found.centre == pytest.approx(scaled(0.6), rel=1e-14)
    assert found.sd == pytest.approx(1.5 * (scaled(0.7) - scaled(0.5)) / 2, rel=1e-14)
    # 0.1 at a half; on the scale of ability, over the slope p (-log p).
    expected = 0.1 * 2 * np.sqrt(0.6 * 0.4) / (0.6 * -np.log(0.6))
    assert found.doubt == pytest.approx(expected, rel=1e-14)
    assert view(0.6, 0.5, 0.7).doubt == 0.0
    assert view(0.6, 0.5, 0.7).sd == pytest.approx(found.sd / 1.5)


def test_ends_are_kept_off():
    top, bottom = view(1.0, 1.0, 1.0, coarse=0.1), view(0.0, 0.0, 0.0)
    assert top.centre == pytest.approx(scaled(0.997)) and top.sd == 0
    assert bottom.centre == pytest.approx(scaled(0.003))
    assert top.doubt == pytest.approx(
        0.2 * np.sqrt(0.997 * 0.003) / (0.997 * -np.log(0.997)), rel=1e-12
    )


def test_weights_by_hand():
    views = [View(0.0, 0.3), View(1.0, 0.4, doubt=0.5)]
    one, other = 1 / (0.09 + 0.01), 1 / (0.16 + 0.01 + 0.25)
    assert weights(views) == pytest.approx(np.array([one, other]) / (one + other), rel=1e-13)


def test_the_pool_by_hand():
    views = [View(0.0, 0.3), View(1.0, 0.4, doubt=0.5)]
    first, second = weights(views)
    centre = second * 1.0
    variance = first * (0.09 + 0.01 + centre**2) + second * (0.16 + 0.01 + (1 - centre) ** 2)
    found = pooled(views)
    assert (found.centre, found.sd) == pytest.approx((centre, np.sqrt(variance)), rel=1e-13)
    assert found.doubt == 0.0


def test_parts_by_hand():
    views = {"clusters": View(0.2, 0.3), "trend": View(1.0, 0.4, doubt=0.5)}
    found = parts(views)
    assert list(found) == ["clusters", "trend"] and parts({}) == {}
    assert found["clusters"].mean == pytest.approx(np.exp(-np.exp(-0.2)), rel=1e-13)
    assert [part.weight for part in found.values()] == pytest.approx(
        weights(list(views.values())), rel=1e-13
    )


def test_accuracies_by_hand():
    low, mean, high = accuracies(View(0.5, 0.2), 0.8)
    reach = 0.9 * 0.2 * student.ppf(0.9, 5)
    expected = [np.exp(-np.exp(-(0.5 + by))) for by in (-reach, 0.0, reach)]
    assert (low, mean, high) == pytest.approx(expected, rel=1e-13)


def test_one_view_is_itself():
    low, mean, high = accuracies(pooled([view(0.6, 0.55, 0.65)]), 0.9)
    assert mean == pytest.approx(0.6)
    assert low < 0.55 and high > 0.65


def test_the_surer_view_weighs_more():
    sure, unsure = view(0.6, 0.58, 0.62), view(0.3, 0.1, 0.6)
    _, mean, _ = accuracies(pooled([sure, unsure]), 0.9)
    assert 0.5 < mean < 0.6
    doubted = View(sure.centre, sure.sd, doubt=3.0)
    _, shifted, _ = accuracies(pooled([doubted, unsure]), 0.9)
    assert shifted < 0.4


def test_disagreement_widens_the_interval():
    one, same, other = view(0.6, 0.55, 0.65), view(0.6, 0.55, 0.65), view(0.3, 0.25, 0.35)
    widths = []
    for second in (same, other):
        low, _, high = accuracies(pooled([one, second]), 0.9)
        widths.append(high - low)
    assert widths[1] > 1.5 * widths[0]


def test_certain_ends_stay_finite():
    low, mean, high = accuracies(pooled([view(1.0, 1.0, 1.0), view(0.0, 0.0, 0.0)]), 0.9)
    assert 0.0 <= low <= mean <= high <= 1.0
