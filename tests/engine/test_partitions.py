"""The other clusterers: their rules, and that the order of questions changes nothing."""

import numpy as np
import pytest
from ladders import LADDER, simulated
from sklearn.cluster import DBSCAN, MeanShift
from sklearn.neighbors import NearestNeighbors

from cod_harness.engine import COD, ImprovedMeanShift
from cod_harness.engine.baselines.partitions import (
    CLUSTERERS,
    clustered,
    dbscan,
    improved_k_means,
    k_means,
    mean_distance,
    plain_mean_shift,
)


@pytest.fixture(scope="module")
def rates():
    """Rows of like questions, odd ones, and some that nobody answers, on eight rungs."""
    random = np.random.default_rng(5)
    kinds = simulated(3, per_kind=30, spread=0.3)[:, :-1]
    return np.vstack([kinds, random.integers(0, 101, (25, 8)) / 100, np.zeros((12, 8))])


@pytest.fixture(scope="module")
def rows(rates):
    return rates[rates.any(axis=1)]


def blobs(sizes, seed=0, spread=0.01):
    """Rows about well separated corners of a cube."""
    random = np.random.default_rng(seed)
    corners = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(len(sizes))], float)
    middles = 0.1 + 0.8 * np.repeat(corners, sizes, axis=0)
    return np.clip(middles + spread * random.normal(size=middles.shape), 0, 1)


def as_sets(labels):
    return {frozenset(np.flatnonzero(labels == label)) for label in set(labels) - {-1}}


@pytest.mark.parametrize("name", CLUSTERERS)
def test_labels_are_numbered_from_zero(name, rows):
    labels = CLUSTERERS[name](rows)
    assert labels.shape == (len(rows),)
    assert labels.dtype == np.intp
    assert set(labels) - {-1} == set(range(labels.max() + 1))


@pytest.mark.parametrize("name", CLUSTERERS)
def test_zero_rows_are_set_aside_and_order_does_not_matter(name, rates):
    labels = clustered(CLUSTERERS[name], rates, LADDER)
    assert (labels[~rates.any(axis=1)] == -1).all()
    order = np.random.default_rng(0).permutation(len(rates))
    shuffled = np.empty_like(labels)
    shuffled[order] = clustered(CLUSTERERS[name], rates[order], LADDER)
    np.testing.assert_array_equal(shuffled, labels)


@pytest.mark.parametrize("name", CLUSTERERS)
def test_nothing_but_zeros_is_no_cluster(name):
    assert (clustered(CLUSTERERS[name], np.zeros((20, 8)), LADDER) == -1).all()


@pytest.mark.parametrize("name", CLUSTERERS)
@pytest.mark.parametrize("count", [1, 9, 12])
def test_few_or_equal_rows(name, count):
    labels = clustered(CLUSTERERS[name], np.full((count, 8), 0.5), LADDER)
    without_outliers = name in ("K-Means", "MeanShift")
    assert (labels == (0 if without_outliers or count >= 10 else -1)).all()


def test_the_papers_own_are_those_of_the_recipe(rates):
    recipe = COD.paper().set_params(n_replicates=0)
    own = recipe.fit(rates, LADDER)
    labels = clustered(CLUSTERERS["Improved-MeanShift"], rates, LADDER)
    np.testing.assert_array_equal(labels, own.labels_)
    again = COD.paper().set_params(n_replicates=0).fit(rates, LADDER, labels=labels)
    assert again.forecast(1e25) == own.forecast(1e25)


def test_mean_shift_is_one_round_of_scikit_learns(rows):
    radius = ImprovedMeanShift().fit(rows).bandwidth_
    theirs = MeanShift(bandwidth=radius).fit(rows).labels_
    assert as_sets(plain_mean_shift(rows)) == as_sets(theirs)


def test_k_means_has_as_many_clusters_as_the_papers_and_no_outliers(rows):
    labels = k_means(rows)
    assert labels.min() == 0
    assert labels.max() == ImprovedMeanShift().fit(rows).labels_.max()


def test_dbscan_is_scikit_learns_on_all_rows(rows):
    repeated = np.vstack([rows, rows[:40], rows[:20]])
    distance, _ = NearestNeighbors(n_neighbors=10).fit(repeated).kneighbors(repeated)
    eps = min(np.quantile(distance[:, -1], 0.9), np.sqrt(8) / 10)
    theirs = DBSCAN(eps=eps, min_samples=10).fit(repeated)
    ours = dbscan(repeated)
    np.testing.assert_array_equal(ours == -1, theirs.labels_ == -1)
    # A row on the rim of two clusters goes to the one that was found first.
    core = theirs.core_sample_indices_
    assert as_sets(ours[core]) == as_sets(theirs.labels_[core])


def test_improved_k_means_takes_the_largest_k_that_keeps_ten_rows():
    labels = improved_k_means(blobs([12, 13, 14, 15, 16]))
    assert sorted(np.bincount(labels[labels >= 0])) == [12, 13, 14, 15, 16]
    # A sixth group of eight can have no cluster of its own.
    labels = improved_k_means(blobs([12, 13, 14, 15, 16, 8]))
    assert labels.max() == 4


def test_improved_k_means_leaves_out_what_is_far_from_every_centre():
    rows = blobs([30, 30, 30])
    far = np.array([[0.5, 0.15, 0.1]])
    labels = improved_k_means(np.vstack([rows, far]))
    assert labels[-1] == -1
    assert (np.bincount(labels[labels >= 0]) >= 28).all()


def test_improved_k_means_clusters_never_drop_below_ten():
    rows = np.vstack([blobs([10]), [[0.9, 0.9, 0.9]], [[0.9, 0.1, 0.9]]])
    labels = improved_k_means(rows)
    assert (labels == 0).sum() == 10
    assert (improved_k_means(rows[[*range(8), 10, 11]]) == 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_improved_k_means_clusters_have_ten_rows(seed):
    rows = np.random.default_rng(seed).integers(0, 5, (90, 3)) / 4
    labels = improved_k_means(rows)
    assert (np.bincount(labels[labels >= 0]) >= 10).all()


def test_mean_distance_by_hand():
    rates = np.array([[0.0, 0.0], [0.0, 1.0], [0.3, 0.4], [1.0, 1.0]])
    assert mean_distance(rates, np.array([0, 0, 2, -1])) == pytest.approx(1 / 3)
    assert np.isnan(mean_distance(rates, np.full(4, -1)))
