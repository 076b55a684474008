"""COD: forecast a benchmark by clustering its questions on difficulty (arXiv 2502.17262 v4).

The pipeline of the paper, top to bottom: features, cluster, fit, select, extrapolate, map.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from cod_harness.engine import clustering
from cod_harness.engine.arrays import Bools, Floats, Ints
from cod_harness.engine.clustering import OUTLIER, ImprovedMeanShift
from cod_harness.engine.fitting import Fits, fit
from cod_harness.engine.forecast import (
    BLIND_INTERVAL,
    USUAL_LEVEL,
    Forecast,
    Subset,
    Verdict,
    abstention,
    cluster_reasons,
    draw_reasons,
    map_reasons,
    nothing_to_go_on,
    order_reasons,
    range_reasons,
    too_few_clusters,
    unclear_rise,
    width_reasons,
)
from cod_harness.engine.intervals import (
    Replicates,
    cluster_variance,
    interval,
    replicates,
    sampling_variance,
)
from cod_harness.engine.irt import abilities
from cod_harness.engine.laws import LAWS, EmergenceLaw
from cod_harness.engine.mapping import RMSE_THRESHOLD, MonotoneMap, fit_map
from cod_harness.engine.measurements import Measurements, features, given_labels, measurements
from cod_harness.engine.pooling import (
    CLUSTERS_WIDEN,
    COARSE,
    ONE_SD,
    View,
    accuracies,
    parts,
    pooled,
    view,
)
from cod_harness.engine.selection import Cluster, Thresholds, judged_clusters
from cod_harness.engine.trend import forecast_spread
from cod_harness.errors import InputError


class COD(BaseEstimator):  # type: ignore[misc]
    """Clustering on difficulty: fit on a ladder's pass rates, forecast at any compute.

    Parameters (`paper` gives the published settings)
    ----------
    min_cluster_size, quantile, bandwidth, max_distance_fraction, exact_up_to : see
        `ImprovedMeanShift`.
    law : "eq4", or "f1", "f2", "f3" of Table 4.
    min_a, min_b, max_c : thresholds of C.1, see `Thresholds`.
    map_rmse : T of C.2, accuracy.
    map_top : weight of (1, 1) against a measured point of the map; None to pass through it, as in
        the paper.  A subset that is solved while the rest is not says nothing of the rest.
    noise_floor : accuracy; the least standard deviation of a cluster's mean rate in the weights,
        for what models miss their trend by.  Above most sampling errors it makes the weights nearly
        equal, as in the paper.
    b_scale : a law pays (b / b_scale)^2 on its chi-square; inf for nothing.  Four parameters pass
        through the points of a short ladder in many ways, and plain least squares picks a jump,
        which extrapolates to certainty: of laws the points cannot tell apart, take the slower.
    b_bound : upper bound on b in the fits, or None for none that matters.  Not in the paper: where
        rungs jump, the points insist on a jump, and few jumps are as sudden as they look.
    min_share : least share of the questions that must be predictable for the clusters to speak,
        0 for any, as in the paper.  The map would carry nearly all of it.
    trend : weigh the clusters' forecast with that of the benchmark's own trend, each by its
        certainty (see `views`), and abstain where the rungs show no rise to go on; not in the
        paper.
    n_replicates : refits that show how certain the clusters are; with 0 they count as certain, and
        without a trend low and high are then the mean.
    random_state : seed of the refits.

    Attributes (n questions, m models, in the order given)
    ----------
    labels_ : (n,) cluster of a question, -1 for outliers and zero-performance questions.
    classes_ : (n,) "predictable", "non_extrapolatable", "outlier" or "zero".
    clusters_ : list of `Cluster`, by id.
    mapping_ : `MonotoneMap`; its points are the models in the order given, then the anchors.
    bandwidth_ : R of the clustering; NaN if every question is zero.
    subset_share_ : share of the questions that are predictable.
    rung_accuracy_ : (m,) measured mean rate; rung_error_ : (m,) its standard error from sampling.
    compute_ : (m,) FLOP.

    >>> model = COD().fit(rates, compute, n_samples=100)                        # doctest: +SKIP
    >>> model.forecast(3.8e24).mean                                             # doctest: +SKIP
    """

    labels_: Ints
    classes_: NDArray[np.str_]
    clusters_: list[Cluster]
    mapping_: MonotoneMap
    bandwidth_: float
    subset_share_: float
    rung_accuracy_: Floats
    rung_error_: Floats
    compute_: Floats

    def __init__(
        self,
        *,
        min_cluster_size: int = clustering.MIN_CLUSTER_SIZE,
        quantile: float = clustering.QUANTILE,
        bandwidth: float | None = None,
        max_distance_fraction: float = clustering.MAX_DISTANCE_FRACTION,
        exact_up_to: int | None = clustering.EXACT_UP_TO,
        law: str = "eq4",
        min_a: float = Thresholds.min_a,
        min_b: float = Thresholds.min_b,
        max_c: float = Thresholds.max_c,
        map_rmse: float = RMSE_THRESHOLD,
        map_top: float | None = 0.3,
        noise_floor: float = 0.02,
        b_scale: float = 1.0,
        b_bound: float | None = 1.5,
        min_share: float = 0.1,
        trend: bool = True,
        n_replicates: int = 200,
        random_state: int = 0,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.quantile = quantile
        self.bandwidth = bandwidth
        self.max_distance_fraction = max_distance_fraction
        self.exact_up_to = exact_up_to
        self.law = law
        self.min_a = min_a
        self.min_b = min_b
        self.max_c = max_c
        self.map_rmse = map_rmse
        self.map_top = map_top
        self.noise_floor = noise_floor
        self.b_scale = b_scale
        self.b_bound = b_bound
        self.min_share = min_share
        self.trend = trend
        self.n_replicates = n_replicates
        self.random_state = random_state

    @classmethod
    def paper(cls) -> COD:
        """The published recipe and settings, whatever the defaults become.

        The paper does not say how its fits were weighted, started or chosen among equals:
        `noise_floor` and `b_scale` are ours.
        """
        return cls(
            min_cluster_size=10,
            quantile=0.1,
            bandwidth=None,
            max_distance_fraction=0.1,
            law="eq4",
            min_a=1.0,
            min_b=0.1,
            max_c=1.0,
            map_rmse=0.005,
            map_top=None,
            noise_floor=0.02,
            b_scale=1.0,
            b_bound=None,
            min_share=0.0,
            trend=False,
        )

    def fit(
        self,
        rates: ArrayLike,
        compute: ArrayLike,
        n_samples: ArrayLike = 100,
        *,
        anchors: ArrayLike | None = None,
        losses: ArrayLike | None = None,
        labels: ArrayLike | None = None,
    ) -> COD:
        """Learn clusters, laws and map from a ladder.

        rates (n, m) in [0, 1], question by model, any order; compute (m,) FLOP; n_samples, draws
        behind each rate: a number or (n, m), 0 for analytic rates; anchors (n, k), rates of
        finished models of any family on the same questions; losses are not used; labels (n,),
        clusters learnt elsewhere (5.3.1), numbered from 0, -1 for outliers: nothing is clustered
        then.

        Raises InputError: fewer than four rungs, a rate that is missing or outside [0, 1], compute
        that is not positive, shapes that do not fit.
        """
        ladder = measurements(rates, compute, n_samples, anchors)
        law = self._law()
        log_compute = np.log(ladder.compute)
        log_reference = 0.5 * float(log_compute[0] + log_compute[-1])
        x = log_compute - log_reference

        rows, zero = features(ladder)
        self.bandwidth_ = float("nan")
        groups = self._cluster(rows, zero) if labels is None else given_labels(labels, ladder)
        means, sizes, fits = self._fit(ladder, groups, law, x)
        clusters = judged_clusters(
            law,
            fits,
            means,
            sizes,
            float(log_compute[0]),
            log_reference,
            Thresholds(self.min_a, self.min_b, self.max_c),
        )
        kept = [cluster.id for cluster in clusters if cluster.predictable]
        subset: Bools = np.isin(groups, kept)
        mapping = self._map(ladder, subset)

        self._ladder, self._x, self._log_reference = ladder, x, log_reference
        self._sorted_labels, self._kept, self._theta = groups, kept, fits.theta[kept]
        self._replicates: Replicates | None = None
        self._silent = too_few_clusters(clusters, float(subset.mean()), self.min_share)
        self.clusters_ = [
            replace(cluster, rates=ladder.as_given(cluster.rates)) for cluster in clusters
        ]
        self.mapping_ = mapping
        self.subset_share_ = float(subset.mean())
        self.labels_ = np.empty_like(groups)
        self.labels_[ladder.question_order] = groups
        kinds = np.select(
            [subset, groups != OUTLIER, zero],
            ["predictable", "non_extrapolatable", "zero"],
            default="outlier",
        )
        self.classes_ = np.empty_like(kinds)
        self.classes_[ladder.question_order] = kinds
        self._accuracy = ladder.rates.mean(axis=0)
        everything: Bools = np.ones(len(groups), dtype=bool)
        self._error = np.sqrt(sampling_variance(ladder, everything))
        self.rung_accuracy_ = ladder.as_given(self._accuracy)
        self.rung_error_ = ladder.as_given(self._error)
        self._abilities = abilities(ladder, self._error**2) if self.trend else None
        self.compute_ = ladder.as_given(ladder.compute)
        return self

    def forecast(self, compute: float, level: float = 0.9) -> Forecast:
        """Accuracy on the whole benchmark at ``compute`` FLOP, with an interval at ``level``.

        The verdict is "abstain", and the mean NaN, where nothing can be said: one question, no
        question ever answered, a target below the smallest rung, rungs that show no rise
        (`unclear_rise`), an interval over nearly everything; without a trend, no predictable
        cluster.  It is "weak" where the forecast stands on little.

        Raises InputError on a compute that is not positive or a level outside (0, 1).
        """
        if not (np.isfinite(compute) and compute > 0):
            raise InputError(f"compute of the target is {compute:g}: give training FLOP, above 0")
        if not 0.0 < level < 1.0:
            raise InputError(f"level is {level:g}: give a probability between 0 and 1")
        subset = self._subset(compute)
        impossible = nothing_to_go_on(self._ladder, compute)
        if not impossible and not self.trend:
            impossible = self._silent
        if impossible:
            return abstention(impossible, subset, compute, level)
        if self.trend:
            return self._pooled(compute, subset, level)
        mean = float(self.mapping_(subset.mean))
        low = high = mean
        if self.n_replicates > 0:
            low, high = interval(self._draws(compute), mean, level)
        reasons = self._doubts(compute, subset, high - low)
        verdict: Verdict = "weak" if reasons else "ok"
        return Forecast(mean, low, high, level, verdict, reasons, subset, compute)

    def _pooled(self, compute: float, subset: Subset, level: float) -> Forecast:
        """The two views together (`views`), unless the rungs show nothing to go on."""
        views = self.views(compute)
        silent = "" if views else "every question was always answered: nothing is left to forecast"
        unclear = silent or unclear_rise(self._accuracy, self._ladder.compute, compute)
        if unclear:
            return abstention(unclear, subset, compute, level)
        both = pooled(list(views.values()))
        low, mean, high = accuracies(both, level)
        bottom, _, top = accuracies(both, USUAL_LEVEL)
        if top - bottom > BLIND_INTERVAL:
            reason = (
                f"anything from {100 * bottom:.0f} to {100 * top:.0f} % fits what the rungs show"
            )
            return abstention(reason, subset, compute, level)
        reasons = self._doubts(compute, subset, top - bottom)
        verdict: Verdict = "weak" if reasons else "ok"
        return Forecast(mean, low, high, level, verdict, reasons, subset, compute, parts(views))

    def views(self, compute: float) -> dict[str, View]:
        """What speaks for a forecast at ``compute`` FLOP: "clusters", where they can, and "trend".

        The clusters are silent where draws are so few that they gather luck (`FEW_DRAWS`).
        """
        found = {}
        if not self._silent and not draw_reasons(self._ladder.n_samples):
            mean = float(self.mapping_(self._subset(compute).mean))
            ends = mean, mean
            if self.n_replicates > 0:
                ends = interval(self._draws(compute), mean, ONE_SD)
            found["clusters"] = view(mean, *ends, widen=CLUSTERS_WIDEN)
        if self._abilities is not None:
            known = self._abilities
            x, x_target = np.log(self._ladder.compute), float(np.log(compute))
            spread = forecast_spread(x, known.values, known.variance, x_target)
            low, mean, high = known.accuracy(spread.mean + spread.sd * np.array([-1.0, 0.0, 1.0]))
            found["trend"] = view(float(mean), float(low), float(high), coarse=COARSE)
        return found

    # The steps, by their names in the paper.

    def _cluster(self, rows: Floats, zero: Bools) -> Ints:
        """Improved MeanShift (A.1) on the rows that are not zero; labels (n,)."""
        labels = np.full(len(zero), OUTLIER, dtype=np.intp)
        if len(rows):
            model = ImprovedMeanShift(
                self.min_cluster_size,
                self.quantile,
                self.bandwidth,
                self.max_distance_fraction,
                self.exact_up_to,
            ).fit(rows)
            labels[~zero] = model.labels_
            self.bandwidth_ = model.bandwidth_
        return labels

    def _fit(
        self, ladder: Measurements, labels: Ints, law: EmergenceLaw, x: Floats
    ) -> tuple[Floats, Floats, Fits]:
        """The law of every cluster (4.2): mean rates (clusters, m), sizes (clusters,), fits."""
        groups = [labels == label for label in range(int(labels.max()) + 1)]
        shape = (len(groups), len(x))
        means = np.array([ladder.rates[g].mean(axis=0) for g in groups]).reshape(shape)
        variance = np.array([cluster_variance(ladder, g) for g in groups]).reshape(shape)
        sizes = np.array([float(g.sum()) for g in groups])
        sigma = np.sqrt(variance + self.noise_floor**2)
        return means, sizes, fit(law, x, means, sigma, charge=law.charge(self.b_scale))

    def _subset(self, compute: float) -> Subset:
        """Size-weighted mean of the predictable clusters' laws (4.3), NaN without any."""
        if not self._kept:
            return Subset(float("nan"), self.subset_share_)
        sizes = np.array([float(self.clusters_[i].size) for i in self._kept])
        curves = self._law().curve(self._theta, np.array([self._place(compute)]))[:, 0]
        return Subset(float(sizes @ curves / sizes.sum()), self.subset_share_)

    def _place(self, compute: float) -> float:
        """Log compute about the middle of the ladder."""
        return float(np.log(compute)) - self._log_reference

    def _map(self, ladder: Measurements, subset: Bools) -> MonotoneMap:
        """The map from subset to full set (4.4) through the rungs and anchors."""
        if not subset.any():
            return fit_map([], [], self.map_rmse)
        both = np.hstack([ladder.rates, ladder.anchors])
        mapping = fit_map(both[subset].mean(axis=0), both.mean(axis=0), self.map_rmse, self.map_top)
        m = len(ladder.compute)
        points = np.vstack([ladder.as_given(mapping.points[:m]), mapping.points[m:]])
        return replace(mapping, points=points)

    def _draws(self, compute: float) -> Floats:
        """Benchmark accuracies of the refits at this compute; they are made once."""
        if self._replicates is None:
            self._replicates = replicates(
                self._ladder,
                self._sorted_labels,
                self._kept,
                self._law(),
                self._theta,
                self._x,
                self.noise_floor,
                self._law().charge(self.b_scale),
                self.map_rmse,
                self.map_top,
                self.n_replicates,
                self.random_state,
            )
        return self._replicates.draws(self._place(compute), self.subset_share_)

    def _law(self) -> EmergenceLaw:
        if self.law not in LAWS:
            raise InputError(f"law is {self.law!r}: give one of {', '.join(LAWS)}")
        if not self.b_scale > 0 or not (self.b_bound is None or self.b_bound > 0):
            raise InputError(
                f"b_scale is {self.b_scale!r}, b_bound is {self.b_bound!r}: give numbers above 0"
            )
        law = LAWS[self.law]
        return law if self.b_bound is None else replace(law, b_bound=self.b_bound)

    def _doubts(self, compute: float, subset: Subset, width: float) -> list[str]:
        """Why a forecast is weak, in words; [] if nothing speaks against it."""
        return [
            *range_reasons(compute, self._ladder.compute),
            *order_reasons(self._accuracy, self._error),
            *draw_reasons(self._ladder.n_samples),
            *([self._silent] if self._silent else cluster_reasons(self.clusters_, subset)),
            *([] if self._silent else map_reasons(self.mapping_, subset)),
            *width_reasons(width),
        ]
