"""The pipeline again, step by step from its parts: what `COD` puts together, and how."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from ladders import LADDER, TARGET, simulated

from cod_harness.engine import COD, settings
from cod_harness.engine.fitting import fit
from cod_harness.engine.intervals import accuracy_variance, central_interval, cluster_variance
from cod_harness.engine.laws import EQ4, EmergenceLaw
from cod_harness.engine.mapping import fit_map
from cod_harness.engine.measurements import measurements
from cod_harness.engine.verdicts import cluster_doubts, map_doubts
from cod_harness.engine.views.pooling import clusters_view, parts, trend_view
from cod_harness.engine.views.reach import emergence, reach
from cod_harness.engine.views.refits import last_rung_miss

MIDDLE = 0.5 * np.log(LADDER[0] * LADDER[-1])
X = np.log(LADDER) - MIDDLE


@pytest.fixture(scope="module")
def given():
    """Sorted already: rates of three kinds and a rest, their labels, an anchor."""
    rates = simulated(2, per_kind=25)[:75]
    rest = np.random.default_rng(1).binomial(100, 0.4, size=(20, 9)) / 100
    rates = np.vstack([rates, rest, np.zeros((5, 9))])
    labels = np.repeat([0, 1, 2, -1], [25, 25, 25, 25])
    ladder = measurements(rates[:, :-1], LADDER, 100, rates[:, -1:])
    return ladder, labels[ladder.question_order]


def fitted(given, **changed):
    ladder, labels = given
    model = COD(**changed)
    return model.fit(ladder.rates, LADDER, 100, anchors=ladder.anchors, labels=labels)


def laws_of(given, law=EQ4, b_scale=1.0, c_scale=0.15, noise_floor=0.02):
    ladder, labels = given
    groups = [labels == label for label in range(3)]
    means = np.array([ladder.rates[group].mean(axis=0) for group in groups])
    variance = np.array([cluster_variance(ladder, group) for group in groups])
    sigma = np.sqrt(variance + noise_floor**2)
    return means, fit(law, X, means, sigma, penalty=law.ridge_penalty(b_scale, c_scale))


def test_each_cluster_is_the_law_fitted_to_its_mean(given):
    bounded = EmergenceLaw("eq4", EQ4.parameters, b_bound=1.5)
    for changed, how in [
        ({}, {"law": bounded}),
        ({"b_bound": None}, {}),
        (
            {"b_scale": 0.3, "c_scale": 0.05, "noise_floor": 0.05},
            {"law": bounded, "b_scale": 0.3, "c_scale": 0.05, "noise_floor": 0.05},
        ),
    ]:
        model = fitted(given, n_replicates=0, trend=False, **changed)
        means, fits = laws_of(given, **how)
        assert [cluster.size for cluster in model.clusters_] == [25, 25, 25]
        for cluster, mean, theta in zip(model.clusters_, means, fits.theta, strict=True):
            np.testing.assert_allclose(cluster.rates, mean, rtol=1e-12)
            np.testing.assert_allclose(cluster.curve(LADDER), EQ4.curve(theta, X), rtol=1e-9)


def test_subset_map_and_forecast(given):
    ladder, labels = given
    model = fitted(given, n_replicates=0, trend=False, min_b=0.4)
    kept = [cluster.id for cluster in model.clusters_ if cluster.predictable]
    assert len(kept) > 0
    inside = np.isin(labels, kept)
    found = model.forecast(TARGET)
    curves = [model.clusters_[i].curve(TARGET) for i in kept]
    assert found.subset.mean == pytest.approx(np.mean(curves), rel=1e-12)  # of equal size
    assert found.subset.share == model.subset_share_ == pytest.approx(inside.mean())
    both = np.hstack([ladder.rates, ladder.anchors])
    by_hand = fit_map(both[inside].mean(axis=0), both.mean(axis=0), 0.005, 0.3, inside.mean())
    np.testing.assert_allclose(model.mapping_.points, by_hand.points, rtol=1e-12)
    assert found.mean == found.low == found.high == pytest.approx(by_hand(found.subset.mean))
    np.testing.assert_array_equal(model.classes_ == "predictable", inside)
    np.testing.assert_array_equal(model.classes_ == "zero", ~ladder.rates.any(axis=1))
    np.testing.assert_array_equal(
        model.classes_ == "outlier", (labels < 0) & ladder.rates.any(axis=1)
    )


def test_clusters_of_different_sizes_count_by_their_questions(given):
    ladder, labels = given
    unequal = np.where((labels == 0) & (np.cumsum(labels == 0) > 10), -1, labels)
    model = fitted((ladder, unequal), n_replicates=0, trend=False)
    kept = [cluster for cluster in model.clusters_ if cluster.predictable]
    assert [cluster.size for cluster in kept] == [10, 25, 25]
    sizes = [10, 25, 25]
    expected = np.dot(sizes, [cluster.curve(TARGET) for cluster in kept]) / 60
    assert model.forecast(TARGET).subset.mean == pytest.approx(float(expected), rel=1e-12)


def test_measured_accuracies(given):
    ladder, _ = given
    model = fitted(given, n_replicates=0)
    np.testing.assert_allclose(model.rung_accuracy_, ladder.rates.mean(axis=0))
    np.testing.assert_allclose(model.rung_error_, np.sqrt(accuracy_variance(ladder)))
    np.testing.assert_array_equal(model.compute_, LADDER)


def test_the_clusters_view(given):
    """Their mean, the central 68 % of the refits, doubt by how they miss the last rung."""
    model = fitted(given, n_replicates=20)
    views = model.views(TARGET)
    mean = float(model.mapping_(model.forecast(TARGET).subset.mean))
    low, high = central_interval(model._draws(TARGET), mean, settings.ONE_SD)
    kept = [cluster.id for cluster in model.clusters_ if cluster.predictable]
    means, _ = laws_of(given)
    ladder, labels = given
    variance = np.array([cluster_variance(ladder, labels == label) for label in range(3)])
    sigma, law = np.sqrt(variance + 0.02**2), EmergenceLaw("eq4", EQ4.parameters, b_bound=1.5)
    penalty, sizes = law.ridge_penalty(1.0, 0.15), np.full(len(kept), 25.0)
    miss = last_rung_miss(law, X, means[kept], sigma[kept], sizes, penalty)
    assert miss > 0
    expected = clusters_view(mean, low, high, miss)
    assert astuple(views["clusters"]) == pytest.approx(astuple(expected), rel=1e-9)
    assert model.forecast(TARGET).parts == parts(views)


def by_hand(model, compute, level):
    """The trend's view: middle, 68 % and ends of its spread, the target's draws in it."""
    trend, place = model.ladder_trend
    known = model.abilities
    spread = trend.spread(place, np.log(compute))
    spread = replace(spread, variances=spread.variances + known.variance[-1])
    distance = np.log(compute / LADDER[-1])
    low, high = reach(trend.misses, place, distance, level)
    tail = 0.5 * (1 - settings.ONE_SD)
    ability = spread.quantiles(np.array([low, tail, 0.5, 1 - tail, high]))
    jump = emergence(model.rung_accuracy_.max(), distance, level)
    if jump:
        above = ability[2] + np.sqrt((ability[4] - ability[2]) ** 2 + jump**2)
        ability[4] = max(above, known.ability(settings.UNSEEN) + jump)
    bottom, lower, mean, upper, top = known.accuracy(ability)
    return trend_view(mean, (lower, upper), (bottom, top)), bool(jump)


def test_the_trends_view(given):
    model = fitted(given, n_replicates=0)
    for compute, level in ((TARGET, 0.9), (3 * LADDER[-1], 0.5)):
        expected, jumps = by_hand(model, compute, level)
        assert not jumps
        found = astuple(model.views(compute, level)["trend"])
        assert found == pytest.approx(astuple(expected), rel=1e-12)
    assert model.ladder_trend[0].x == pytest.approx(np.log(LADDER))
    for hidden in (0.001, 0.06):  # below and above what is seen at all
        rates = np.full((40, 8), hidden) + 0.001 * np.arange(8)
        model = COD(n_replicates=0).fit(rates, LADDER, 1000)
        expected, jumps = by_hand(model, TARGET, 0.9)
        assert jumps
        found = astuple(model.views(TARGET)["trend"])
        assert found == pytest.approx(astuple(expected), rel=1e-12)


def test_without_refits_the_clusters_count_as_certain(given):
    view_of = fitted(given, n_replicates=0).views(TARGET)["clusters"]
    assert view_of.sd == 0.0


def test_nothing_predictable(given):
    model = fitted(given, n_replicates=0, trend=False, min_b=9.0)
    found = model.forecast(TARGET)
    assert np.isnan(found.subset.mean) and found.subset.share == 0.0
    assert [reason.code for reason in found.reasons] == ["no_predictable_cluster"]
    assert len(model.mapping_.points) == 0
    # The trend speaks alone; where its forecast is weak, the silence of the clusters is told too.
    alone = fitted(given, min_b=9.0)
    assert list(alone.views(TARGET)) == ["trend"]
    assert alone._silent.code == "no_predictable_cluster"
    far = alone.forecast(20 * TARGET)
    assert "no_predictable_cluster" in [reason.code for reason in far.reasons]


def test_few_predictable_questions_silence_the_clusters(given):
    model = fitted(given, min_share=0.9, n_replicates=0)
    assert list(model.views(TARGET)) == ["trend"]
    assert model._silent.code == "few_predictable"
    far = model.forecast(20 * TARGET)
    assert "few_predictable" in [reason.code for reason in far.reasons]


def test_an_interval_holds_the_last_rung_unless_the_rungs_go_away_from_it():
    model = COD()
    model._last = 4e20
    model._error = np.zeros(4)

    def held(accuracy, low, high, compute=5e20):
        model._accuracy = np.array(accuracy)
        return model._holding_the_last(compute, low, 0.5, high)

    flat, rising, falling = [0.4] * 4, [0.1, 0.2, 0.3, 0.4], [0.7, 0.6, 0.5, 0.4]
    assert held(flat, 0.45, 0.6) == (0.4, 0.5, 0.6) and held(flat, 0.1, 0.3) == (0.1, 0.5, 0.4)
    assert held(rising, 0.45, 0.6) == (0.45, 0.5, 0.6)
    assert held(rising, 0.1, 0.3) == (0.1, 0.5, 0.4)
    assert held(falling, 0.1, 0.3) == (0.1, 0.5, 0.3)
    assert held(falling, 0.45, 0.6) == (0.4, 0.5, 0.6)
    # At the last rung, or below it, nothing is beyond.
    assert held(flat, 0.45, 0.6, compute=4e20) == (0.45, 0.5, 0.6)


def test_table_and_chart_of_the_clusters(given):
    model = fitted(given, n_replicates=0, trend=False)
    assert model.summary["size"].tolist() == [25, 25, 25]
    ends = [model.plot(at).layer[0].data["compute"].max() for at in (None, 7e24)]
    assert ends == pytest.approx([10 * LADDER[-1], 7e24])


def test_the_clusters_are_silent_at_few_draws(given):
    ladder, labels = given
    for draws, names in ((7, ["trend"]), (8, ["clusters", "trend"]), (0, ["clusters", "trend"])):
        model = COD(n_replicates=0).fit(
            ladder.rates, LADDER, draws, anchors=ladder.anchors, labels=labels
        )
        assert list(model.views(TARGET)) == names


def test_without_a_trend_doubts_of_the_clusters_decide(given):
    """With one they are told where something else decides."""
    alone = fitted(given, n_replicates=0, trend=False).forecast(TARGET)
    model = fitted(given, n_replicates=0)
    told = cluster_doubts(model.clusters_, alone.subset) + map_doubts(model.mapping_, alone.subset)
    assert [one for one in alone.reasons if one in told] == list(told)


def test_no_forecast_below_the_ladder_or_of_nothing(given):
    for trend in (True, False):
        found = fitted(given, n_replicates=0, trend=trend).forecast(0.99 * LADDER[0], 0.8)
        assert [reason.code for reason in found.reasons] == ["below_ladder"]
        assert found.level == 0.8 and np.isnan(found.mean)
        assert fitted(given, n_replicates=0, trend=trend).forecast(LADDER[0]).mean >= 0
    never = COD(trend=False).fit(np.zeros((12, 8)), LADDER, 100)
    assert np.isnan(never.bandwidth_) and never.labels_.tolist() == [-1] * 12
    assert [reason.code for reason in never.forecast(TARGET).reasons] == ["never_answered"]


def test_supposing_what_was_measured_changes_nothing(given):
    """And a rung that is off in ability is off in accuracy, its error by the slope there."""
    model = fitted(given, n_replicates=0)
    trend, place = model.ladder_trend
    same = model.supposing(trend)
    np.testing.assert_array_equal(same._accuracy, model._accuracy)
    np.testing.assert_allclose(same._error, model._error, rtol=1e-9)
    assert same.interval(TARGET) == pytest.approx(model.interval(TARGET))
    values = trend.values.copy()
    values[place, -1] += 0.5
    other = model.supposing(trend.supposing(trend.x, values, 4.0 * trend.variance))
    known = model.abilities
    np.testing.assert_array_equal(other._accuracy[:-1], model._accuracy[:-1])
    assert other._accuracy[-1] == pytest.approx(known.accuracy(known.values[-1] + 0.5))
    assert other._error[0] == pytest.approx(2.0 * model._error[0])
    slope = known.slope(values[place, -1:])[0]
    assert other._error[-1] == pytest.approx(2.0 * np.sqrt(known.variance[-1]) * slope)
