"""Views of a target, weighted; by hand where there is a formula."""

import numpy as np
import pytest

from cod_harness.engine.views.pooling import (
    View,
    clusters_view,
    parts,
    pooled,
    trend_view,
    weights,
)


def scaled(accuracy):
    return -np.log(-np.log(accuracy))


def test_the_clusters_view_by_hand():
    found = clusters_view(0.6, 0.5, 0.7, 0.1)
    assert found.centre == pytest.approx(scaled(0.6), rel=1e-14)
    assert found.sd == pytest.approx((scaled(0.7) - scaled(0.5)) / 2, rel=1e-14)
    assert found.doubt == pytest.approx(0.3, rel=1e-14)
    assert (found.below, found.above) == (0.0, 0.0)
    assert clusters_view(1.0, 1.0, 1.0, 0.0).centre == pytest.approx(scaled(0.997))
    assert clusters_view(0.0, 0.0, 0.0, 0.0).centre == pytest.approx(scaled(0.003))


def test_the_trends_view_by_hand():
    found = trend_view(0.6, (0.55, 0.65), (0.4, 0.9))
    assert found.sd == pytest.approx((scaled(0.65) - scaled(0.55)) / 2, rel=1e-13)
    assert found.below == pytest.approx(scaled(0.6) - scaled(0.4), rel=1e-13)
    assert found.above == pytest.approx(scaled(0.9) - scaled(0.6), rel=1e-13)
    # 0.1 at a half; on the scale of ability, over the slope p (-log p).
    expected = 0.1 * 2 * np.sqrt(0.6 * 0.4) / (0.6 * -np.log(0.6))
    assert found.doubt == pytest.approx(expected, rel=1e-14)


def test_weights_by_hand():
    views = [View(0.0, 0.3), View(1.0, 0.4, doubt=0.5)]
    one, other = 1 / (0.09 + 0.01), 1 / (0.16 + 0.01 + 0.25)
    assert weights(views) == pytest.approx(np.array([one, other]) / (one + other), rel=1e-13)


def test_the_pool_by_hand():
    views = {"clusters": View(0.0, 0.3), "trend": View(1.0, 0.4, 0.5, below=0.6, above=0.9)}
    first, second = weights(list(views.values()))
    apart = first * second**2 + second * first**2
    reaches = (-np.sqrt(0.36 + apart), 0.0, np.sqrt(0.81 + apart))
    expected = [np.exp(-np.exp(-(second + by))) for by in reaches]
    assert pooled(views) == pytest.approx(expected, rel=1e-13)


def test_parts_by_hand():
    views = {"clusters": View(0.2, 0.3), "trend": View(1.0, 0.4, doubt=0.5)}
    found = parts(views)
    assert list(found) == ["clusters", "trend"] and parts({}) == {}
    assert found["clusters"].mean == pytest.approx(np.exp(-np.exp(-0.2)), rel=1e-13)
    assert [part.weight for part in found.values()] == pytest.approx(
        weights(list(views.values())), rel=1e-13
    )


def test_the_trend_alone_is_itself_to_the_very_ends():
    assert pooled({"trend": trend_view(0.6, (0.5, 0.7), (0.2, 0.9))}) == pytest.approx(
        (0.2, 0.6, 0.9)
    )
    found = pooled({"trend": trend_view(2e-4, (1e-4, 3e-4), (1e-5, 0.02))})
    assert found == pytest.approx((1e-5, 2e-4, 0.02), rel=1e-6)
    low, mean, high = pooled({"trend": trend_view(1.0, (0.9, 1.0), (0.4, 1.0))})
    assert low == pytest.approx(0.4) and mean == high == pytest.approx(1.0)


def test_the_surer_view_weighs_more():
    trend = trend_view(0.3, (0.1, 0.6), (0.05, 0.8))
    assert 0.5 < pooled({"clusters": clusters_view(0.6, 0.59, 0.61, 0.0), "trend": trend})[1] < 0.6
    for doubtful in (clusters_view(0.6, 0.2, 0.9, 0.0), clusters_view(0.6, 0.59, 0.61, 0.4)):
        assert pooled({"clusters": doubtful, "trend": trend})[1] < 0.45


def test_disagreement_widens_the_interval():
    trend = trend_view(0.6, (0.55, 0.65), (0.5, 0.7))
    widths = []
    for middle in (0.6, 0.3):
        clusters = clusters_view(middle, middle - 0.02, middle + 0.02, 0.05)
        views = {"clusters": clusters, "trend": trend}
        low, _, high = pooled(views)
        widths.append(high - low)
    assert widths[1] > 1.5 * widths[0]
