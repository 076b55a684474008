"""ImprovedMeanShift against Algorithm 1 on scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ladders import simulated, smooth
from meanshift_reference import reference_labels, reference_radius
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from cod_harness.engine import ImprovedMeanShift


@pytest.mark.parametrize(
    "rows",
    [
        smooth(0, 300, 8, 100),
        smooth(1, 500, 9, 32),
        smooth(2, 600, 5, 1),  # one 0/1 answer a question: nothing but ties
        smooth(3, 300, 7, 16),
        simulated(4, per_kind=60)[:, :-1],
    ],
    ids=["8x100", "9x32", "5x1", "7x16", "paper"],
)
def test_partition_is_that_of_scikit_learn(rows):
    rows = rows[rows.any(axis=1)]
    model = ImprovedMeanShift().fit(rows)
    assert model.bandwidth_ == pytest.approx(reference_radius(rows), rel=1e-13)
    np.testing.assert_array_equal(model.labels_, reference_labels(rows, model.bandwidth_))


# On eighths every sum and difference is exact, so the order of summation cannot decide a tie.
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    number=st.integers(12, 70),
    features=st.integers(1, 5),
    steps=st.sampled_from([1, 2, 4, 8]),
    smallest=st.integers(1, 10),
)
def test_partition_with_ties_and_duplicates(seed, number, features, steps, smallest):
    random = np.random.default_rng(seed)
    rows = random.integers(0, steps + 1, size=(number, features)) / steps
    rows = rows[np.sort(random.integers(0, number, number))]
    radius = reference_radius(rows, fraction=0.4)
    model = ImprovedMeanShift(min_cluster_size=smallest, max_distance_fraction=0.4).fit(rows)
    assert model.bandwidth_ == pytest.approx(radius, rel=1e-13, abs=1e-300)
    if radius > 0:
        np.testing.assert_array_equal(model.labels_, reference_labels(rows, radius, smallest))


def test_bandwidth_of_many_duplicates():
    rows = np.repeat(np.random.default_rng(0).uniform(size=(40, 6)), 3, axis=0)
    model = ImprovedMeanShift().fit(rows)
    assert model.bandwidth_ == pytest.approx(reference_radius(rows), rel=1e-12)


def test_zero_bandwidth_makes_clusters_of_equal_rows():
    rows = np.array([[0.1, 0.2]] * 12 + [[0.3, 0.4]] * 11 + [[0.5, 0.6]] * 3)
    model = ImprovedMeanShift(bandwidth=0.0).fit(rows)
    np.testing.assert_array_equal(model.labels_, [0] * 12 + [1] * 11 + [-1] * 3)
    # Fewer than 20 rows: a row's tenth of all rows is itself, so the estimate is 0.
    few = ImprovedMeanShift().fit(np.random.default_rng(0).uniform(size=(15, 4)))
    assert few.bandwidth_ == 0 and (few.labels_ == -1).all()


def test_invariants():
    rows = smooth(5, 800, 8, 50)
    model = ImprovedMeanShift().fit(rows)
    kept = model.labels_ >= 0
    assert np.bincount(model.labels_[kept]).min() >= 10
    distance = np.linalg.norm(rows[kept] - model.cluster_centers_[model.labels_[kept]], axis=1)
    assert distance.max() <= model.bandwidth_ <= 0.1 * np.sqrt(8)
    assert len(model.cluster_centers_) == model.labels_.max() + 1


def test_order_of_rows_changes_nothing():
    rows = smooth(6, 400, 8, 100)
    order = np.random.default_rng(0).permutation(len(rows))
    labels = ImprovedMeanShift().fit(rows).labels_
    np.testing.assert_array_equal(ImprovedMeanShift().fit(rows[order]).labels_, labels[order])


def test_parameters_can_be_cloned():
    assert clone(ImprovedMeanShift(quantile=0.2)).get_params()["quantile"] == 0.2


EXPECTED_FAILURES = {"check_clustering": "wants one cluster per blob; these blobs are wider than U"}


@parametrize_with_checks(
    [ImprovedMeanShift()], expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_scikit_learn_estimator(estimator, check):
    check(estimator)
