"""Improved MeanShift (paper A.1, Algorithm 1).

The partition is that of the algorithm run on scikit-learn's own ``MeanShift`` and
``estimate_bandwidth``; `meanshift` says what makes it cheap.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats, Ints
from cod_harness.engine.meanshift.bandwidth import neighbourhood_radius
from cod_harness.engine.meanshift.blocks import Map, threads
from cod_harness.engine.meanshift.exact import mean_shift
from cod_harness.engine.meanshift.sampled import MOST_SEEDS, sampled_mean_shift, sampled_radius


class ImprovedMeanShift(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Flat-kernel MeanShift repeated on what it leaves over (Algorithm 1, A.1).

    Every round clusters the rows that have no label yet with one fixed bandwidth R; rows farther
    than R from their centre and clusters of fewer than ``min_cluster_size`` rows go back, and the
    rounds end when one changes nothing.  Rows without a label in the end are outliers, -1.

    Parameters
    ----------
    min_cluster_size : K, the fewest rows of a cluster.
    quantile : Q, the share of rows that counts as a row's neighbourhood when R is estimated.
    bandwidth : R itself; None estimates it, ``min(estimate_bandwidth(X, quantile=Q), U)``.
    max_distance_fraction : U as a share of ``sqrt(n_features)``, the largest distance there is
        between rows of rates.
    exact_up_to : the most rows for which the partition is exact, None for no such limit; see Notes.

    Attributes
    ----------
    labels_ : (n,) int, -1 for outliers.
    cluster_centers_ : (clusters, n_features), the centres of the round that made each cluster.
    bandwidth_ : R.
    n_rounds_ : rounds run.

    Notes
    -----
    R is 0 when every row has many equals, or when there are so few rows (n x quantile < 2) that
    a row's nearest neighbour is itself.  scikit-learn's MeanShift refuses that; here the answer is
    the one for a vanishing R: equal rows form a cluster, everything else is an outlier.

    The time of the exact partition grows with the square of the rows: 100,000 rows of eight models
    take half a minute of processor time and 200,000 one and a half, shared out over the cores that
    BLAS may use.  With more than ``exact_up_to`` of them only a sample are seeds, 10,000 up to
    100,000 rows and fewer beyond (1,000 of a million), and beyond 31,000 rows R is the mean over a
    sample, too.  All rows stay in the windows and get a label; neither chance nor the order of the
    rows has a part in it.

    Agreement of the sampled partition with the exact one, as the adjusted Rand index with outliers
    as one more group: 0.998 to 1 with 20,000 rows, half of them seeds (``benchmarks/clustering.py``
    prints that); 0.994 and 0.996 with 60,000, a sixth of them seeds; 0.995 and 0.999 with 100,000,
    a tenth of them; but 0.75 with 200,000, where more seeds or a finer R do not help: all rows as
    seeds find rare summits too, which take rows from their neighbours.  The exact partition itself
    gives 0.994 to 1 up to 100,000 rows and 0.92 with 200,000 when a thousandth of the rows is left
    out, since MeanShift often chooses between summits that hold almost equally many.  So take
    clusters of more rows than are exact as sound groups, not as Algorithm 1's.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "min_cluster_size": [Interval(Integral, 1, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "bandwidth": [Interval(Real, 0, None, closed="left"), None],
        "max_distance_fraction": [Interval(Real, 0, None, closed="left")],
        "exact_up_to": [Interval(Integral, 0, None, closed="left"), None],
    }

    labels_: Ints
    cluster_centers_: Floats
    bandwidth_: float
    n_rounds_: int

    def __init__(
        self,
        min_cluster_size: int = settings.MIN_CLUSTER_SIZE,
        quantile: float = settings.QUANTILE,
        bandwidth: float | None = None,
        max_distance_fraction: float = settings.MAX_DISTANCE_FRACTION,
        exact_up_to: int | None = settings.EXACT_UP_TO,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.quantile = quantile
        self.bandwidth = bandwidth
        self.max_distance_fraction = max_distance_fraction
        self.exact_up_to = exact_up_to

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: object = None) -> ImprovedMeanShift:
        """Cluster the rows of X, (n, n_features).  Raises ValueError on NaN or an empty X."""
        rows: Floats = validate_data(self, X, dtype=np.float64, order="C")
        with threads(len(rows)) as each:
            self._fit(rows, each)
        return self

    def _fit(self, rows: Floats, each: Map) -> None:
        exact = self.exact_up_to is None or len(rows) <= self.exact_up_to
        radius = self.bandwidth
        if radius is None:
            largest = self.max_distance_fraction * float(np.sqrt(rows.shape[1]))
            estimated = neighbourhood_radius if exact else sampled_radius
            radius = estimated(rows, self.quantile, largest, each)
        self.bandwidth_ = float(radius)
        self.labels_ = np.full(len(rows), settings.OUTLIER, dtype=np.intp)
        centers: list[Floats] = []
        self.n_rounds_ = 0
        while True:
            left = np.flatnonzero(self.labels_ == settings.OUTLIER)
            if len(left) < self.min_cluster_size:
                break  # a round could not make a cluster, hence would change nothing
            self.n_rounds_ += 1
            clustered = mean_shift if exact or len(left) <= MOST_SEEDS else sampled_mean_shift
            candidates, labels = clustered(rows[left], self.bandwidth_, each)
            near = np.linalg.norm(rows[left] - candidates[labels], axis=1) <= self.bandwidth_
            sizes = np.bincount(labels[near], minlength=len(candidates))
            kept = np.flatnonzero(sizes >= self.min_cluster_size)
            if len(kept) == 0:
                break
            number = np.full(len(candidates), settings.OUTLIER, dtype=np.intp)
            number[kept] = np.arange(len(kept)) + sum(map(len, centers))
            self.labels_[left[near]] = number[labels[near]]
            centers.append(candidates[kept])
        self.cluster_centers_ = np.concatenate([np.empty((0, rows.shape[1])), *centers])
