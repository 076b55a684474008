"""Ways to cluster questions by difficulty that the paper sets against its own (Table 3).

A clusterer takes the difficulty rows of one benchmark, (n, m) rates without the all-zero ones, and
returns labels (n,), -1 for outliers.  The paper leaves most settings of the others open; ours are
in the docstrings.  Where a clusterer draws at random, its seed is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import DBSCAN, KMeans
from sklearn.neighbors import NearestNeighbors

from cod_harness.engine import settings
from cod_harness.engine.arrays import Bools, Floats, Ints
from cod_harness.engine.clustering import ImprovedMeanShift
from cod_harness.engine.meanshift.bandwidth import neighbourhood_radius
from cod_harness.engine.meanshift.blocks import threads
from cod_harness.engine.meanshift.exact import mean_shift
from cod_harness.engine.measurements import features, measurements

_SEED = 0
_STARTS = 3  # of K-Means, the best counts; 1 while k is searched, which takes a dozen runs

Clusterer = Callable[[Floats], Ints]


def improved_mean_shift(rows: Floats) -> Ints:
    """Algorithm 1 with the published settings: see `ImprovedMeanShift`."""
    return np.asarray(ImprovedMeanShift().fit(rows).labels_, dtype=np.intp)


def plain_mean_shift(rows: Floats) -> Ints:
    """One round of MeanShift with the bandwidth of `improved_mean_shift`.

    Every row keeps the cluster of its nearest centre, however far, and a cluster may be one row.
    """
    largest = settings.MAX_DISTANCE_FRACTION * float(np.sqrt(rows.shape[1]))
    with threads() as each:
        return mean_shift(rows, neighbourhood_radius(rows, settings.QUANTILE, largest, each), each)[
            1
        ]


def k_means(rows: Floats) -> Ints:
    """K-Means with as many clusters as `improved_mean_shift` finds, and no outliers.

    The same number of clusters, so that their tightness (IAD) can be compared.
    """
    number = int(improved_mean_shift(rows).max(initial=settings.OUTLIER)) + 1
    return np.asarray(_k_means(rows, max(1, number), _STARTS).labels_, dtype=np.intp)


def improved_k_means(rows: Floats) -> Ints:
    """K-Means with the largest k whose smallest cluster keeps about ten rows (A.1).

    The size of the smallest cluster is taken to fall with k, which makes the largest k a matter of
    doubling and halving.  Rows farther than `settings.FAR_FROM_CENTRES` times the mean
    distance to the centres from every centre are outliers, but a cluster keeps its ten nearest
    rows.  Fewer than ten rows make no cluster.
    """
    least = settings.MIN_CLUSTER_SIZE
    if len(rows) < least:
        return np.full(len(rows), settings.OUTLIER, dtype=np.intp)
    distinct = len(np.unique(rows, axis=0))
    fits, fails = 1, min(len(rows) // least, distinct) + 1
    best = _k_means(rows, 1)
    while fails - fits > 1:
        number = min(2 * fits, (fits + fails) // 2)
        model = _k_means(rows, number)
        if np.bincount(model.labels_, minlength=number).min() >= least:
            fits, best = number, model
        else:
            fails = number
    labels: Ints = best.labels_.astype(np.intp)
    distance = np.linalg.norm(rows - best.cluster_centers_[labels], axis=1)
    far = distance > settings.FAR_FROM_CENTRES * distance.mean()
    for cluster in range(fits):
        members = np.flatnonzero(labels == cluster)
        nearest = members[np.argsort(distance[members], kind="stable")]
        far[nearest[:least]] = False
    labels[far] = settings.OUTLIER
    return labels


def dbscan(rows: Floats) -> Ints:
    """DBSCAN where ten rows within eps make a dense place.

    eps is what gives nine rows in ten their ten neighbours (themselves included), the usual
    reading of the curve of neighbour distances, and at most the bandwidth of MeanShift.
    """
    least = min(settings.MIN_CLUSTER_SIZE, len(rows))
    distance, _ = NearestNeighbors(n_neighbors=least).fit(rows).kneighbors(rows)
    largest = settings.MAX_DISTANCE_FRACTION * float(np.sqrt(rows.shape[1]))
    eps = min(float(np.quantile(distance[:, -1], settings.DENSE_SHARE)), largest)
    # Equal rows weigh as often as they occur: lists of neighbours would grow with their square.
    distinct, inverse, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    # Where nine rows in ten have ten equals, those are the clusters; scikit-learn wants eps > 0.
    model = DBSCAN(eps=max(eps, 1e-9), min_samples=settings.MIN_CLUSTER_SIZE)
    labels = model.fit(distinct, sample_weight=counts).labels_
    return np.asarray(labels[inverse.reshape(-1)], dtype=np.intp)


# By the names of Table 3, in its order; the last is the paper's own.
CLUSTERERS: Mapping[str, Clusterer] = {
    "K-Means": k_means,
    "DBSCAN": dbscan,
    "MeanShift": plain_mean_shift,
    "Improved-KMeans": improved_k_means,
    "Improved-MeanShift": improved_mean_shift,
}


def clustered(
    clusterer: Clusterer,
    rates: ArrayLike,
    compute: ArrayLike,
    n_samples: ArrayLike = 100,
    anchors: ArrayLike | None = None,
) -> Ints:
    """Labels (n,) for `COD.fit` of the questions of a ladder, as another clusterer sees them.

    Arguments as in `COD.fit`, which orders questions and sets all-zero rows aside in the same way:
    with `improved_mean_shift` these are the clusters that ``COD.paper()`` finds itself.
    """
    ladder = measurements(rates, compute, n_samples, anchors)
    rows, zero = features(ladder)
    labels = np.full(len(zero), settings.OUTLIER, dtype=np.intp)
    if len(rows):
        labels[ladder.question_order[~zero]] = clusterer(rows)
    return labels


def mean_distance(rates: Floats, labels: Ints) -> float:
    """IAD: mean Euclidean distance of the clustered rows of (n, m) rates to the mean of their
    cluster; NaN without clusters."""
    inside: Bools = labels != settings.OUTLIER
    if not inside.any():
        return float("nan")
    rows, groups = rates[inside], np.unique(labels[inside], return_inverse=True)[1].reshape(-1)
    sums = np.zeros((int(groups.max()) + 1, rates.shape[1]))
    np.add.at(sums, groups, rows)
    centers = sums / np.bincount(groups)[:, None]
    return float(np.linalg.norm(rows - centers[groups], axis=1).mean())


def _k_means(rows: Floats, number: int, starts: int = 1) -> KMeans:
    return KMeans(number, n_init=starts, random_state=_SEED).fit(rows)
