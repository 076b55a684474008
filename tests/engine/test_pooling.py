"""Views of a target, weighted."""

import pytest

from cod_harness.engine.views.pooling import View, accuracies, pooled, view


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
