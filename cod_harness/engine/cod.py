"""COD: forecast a benchmark by clustering its questions on difficulty (arXiv 2502.17262 v4).

The pipeline of the paper, top to bottom: features, cluster, fit, select, extrapolate, map.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cod_harness.engine import settings
from cod_harness.engine.arrays import Bools, Floats, Ints
from cod_harness.engine.fitting import Fits, fit
from cod_harness.engine.forecast import NAN, Forecast, Subset, abstention
from cod_harness.engine.intervals import accuracy_variance, central_interval, cluster_variance
from cod_harness.engine.mapping import MonotoneMap, fit_map
from cod_harness.engine.measurements import (
    Measurements,
    check_question,
    features,
    given_labels,
    measurements,
    rung_losses,
)
from cod_harness.engine.recipe import Recipe
from cod_harness.engine.selection import (
    Cluster,
    cluster_chart,
    cluster_frame,
    judged_clusters,
)
from cod_harness.engine.settings import LEVEL, OUTLIER
from cod_harness.engine.verdicts import (
    Reason,
    below_ladder,
    blind_interval,
    cluster_doubts,
    draw_doubts,
    level_doubts,
    map_doubts,
    measured_decline,
    measured_rise,
    miss_doubts,
    no_questions,
    nothing_to_go_on,
    order_doubts,
    range_doubts,
    silent_clusters,
    standstill_doubts,
    verdict,
    weighed,
    width_doubts,
)
from cod_harness.engine.views.irt import Abilities, benchmark_abilities
from cod_harness.engine.views.pooling import View, clusters_view, parts, pooled, trend_view
from cod_harness.engine.views.reach import emergence, reach, recent_misses
from cod_harness.engine.views.refits import Replicates, last_rung_miss, replicates
from cod_harness.engine.views.trend import LadderTrend, Siblings, benchmark_trend

if TYPE_CHECKING:
    import pandas as pd


class COD(Recipe):
    """Clustering on difficulty: fit on a ladder's pass rates, forecast at any compute.

    Parameters are those of `Recipe`; `paper` gives the published ones.

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

    @property
    def summary(self) -> pd.DataFrame:
        """The clusters and their laws: a row each, by id; only after `fit`."""
        return cluster_frame(self.clusters_)

    def plot(self, compute: float | None = None) -> Any:
        """The clusters' mean pass rates and laws as an Altair chart; only after `fit`.

        compute, FLOP, is where the laws end; ten times the largest model's if None.
        """
        end = 10.0 * float(self.compute_.max()) if compute is None else compute
        return cluster_chart(self.clusters_, self.compute_, end)

    def fit(
        self,
        rates: ArrayLike,
        compute: ArrayLike,
        n_samples: ArrayLike = 100,
        *,
        anchors: ArrayLike | None = None,
        losses: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        siblings: Siblings | None = None,
    ) -> COD:
        """Learn clusters, laws and map from a ladder.

        rates (n, m) in [0, 1], question by model, any order; compute (m,) FLOP; n_samples, draws
        behind each rate: a number or (n, m), 0 for analytic rates; anchors (n, k), rates of
        finished models of any family on the same questions; losses (m,) of the models, NaN where
        unknown; labels (n,), clusters learnt elsewhere (5.3.1), numbered from 0, -1 for outliers:
        nothing is clustered then; siblings, abilities of the same models on the ladder's other
        benchmarks (`views.irt.benchmark_abilities`), from which noise and bend of the ladder are
        learnt.  Losses are used where there are siblings.

        Raises InputError: fewer than four rungs, a rate that is missing or outside [0, 1], compute
        that is not positive, shapes that do not fit.
        """
        self._ladder = ladder = measurements(rates, compute, n_samples, anchors)
        self._scale(ladder)
        rows, zero = features(ladder)
        self.bandwidth_ = NAN
        groups = self._cluster(rows, zero) if labels is None else given_labels(labels, ladder)
        means, fits = self._fit(ladder, groups)
        clusters, subset = self._select(groups, means, fits)
        self.mapping_ = self._map(ladder, subset)
        self._describe(clusters, groups, subset, zero)
        if self.trend:
            self._follow(ladder, siblings, rung_losses(losses, ladder))
        self._replicates: Replicates | None = None
        self._clusters_at: dict[float, View] = {}  # their view, by compute
        self._miss: float | None = None
        return self

    def forecast(self, compute: float, level: float = LEVEL) -> Forecast:
        """Accuracy on the whole benchmark at ``compute`` FLOP, with an interval at ``level``.

        The verdict is "abstain", and the mean NaN, where nothing can be said: a target below the
        smallest rung, an interval over nearly everything; without a trend, one question, no
        question ever answered, no predictable cluster.  It is "ok" where the interval is narrow
        (`settings.OK_WIDTH`) and the last rungs were near what those below them said, "weak"
        otherwise.

        Raises InputError on a compute that is not positive or a level outside (0, 1).
        """
        check_question(compute, level)
        subset = self._extrapolate(compute)
        below = below_ladder(compute, self._ladder.compute[0])
        if self.trend and not below:
            return self._pooled(compute, subset, level)
        nothing = below or nothing_to_go_on(self._ladder) or self._silent
        if nothing:
            return abstention(nothing, subset, compute, level)
        mean = low = high = float(self.mapping_(subset.mean))
        if self.n_replicates > 0:
            low, high = central_interval(self._draws(compute), mean, level)
        reasons = self._doubts(compute, subset, (low, mean, high), True)
        return Forecast(mean, low, high, level, verdict(reasons), reasons, subset, compute)

    def views(self, compute: float, level: float = LEVEL) -> dict[str, View]:
        """What speaks for a forecast at ``compute`` FLOP: "clusters", where they can, and "trend".

        The clusters are silent where draws are so few that they gather luck
        (`settings.FEW_DRAWS`).
        """
        found = {}
        if not self._silent and not draw_doubts(self._ladder.n_samples):
            if compute not in self._clusters_at:
                mean = float(self.mapping_(self._extrapolate(compute).mean))
                ends = mean, mean
                if self.n_replicates > 0:
                    ends = central_interval(self._draws(compute), mean, settings.ONE_SD)
                self._clusters_at[compute] = clusters_view(mean, *ends, self._missed)
            found["clusters"] = self._clusters_at[compute]
        found["trend"] = self._trend_view(compute, level)
        return found

    def interval(self, compute: float, level: float = LEVEL) -> tuple[float, float, float]:
        """Low end, middle and high end at ``compute`` FLOP, blind or not; only with a trend."""
        return self._holding_the_last(compute, *pooled(self.views(compute, level)))

    @property
    def ladder_trend(self) -> tuple[LadderTrend, int]:
        """The trend of the ladder's benchmarks, and which of them this is; only with a trend."""
        return self._trend, self._place_among

    @property
    def abilities(self) -> Abilities:
        """Of the rungs, by rising compute; only with a trend."""
        return self._abilities

    def supposing(self, trend: LadderTrend) -> COD:
        """This model had the ladder been measured as in ``trend``, the clusters as they are.

        trend, by `LadderTrend.supposing` from `ladder_trend`.  A rung that stands in it as it was
        measured keeps its accuracy.  The result answers `views` and `interval` alone.
        """
        place = self._place_among
        known = replace(self._abilities, values=trend.values[place], variance=trend.variance[place])
        before = dict(zip(self._abilities.values, self._accuracy, strict=True))
        other = copy(self)
        other._trend, other._abilities = trend, known
        other._last = float(np.exp(trend.x[-1]))
        other._accuracy = np.array(
            [
                before.get(value, supposed)
                for value, supposed in zip(known.values, known.accuracy(known.values), strict=True)
            ]
        )
        other._error = np.sqrt(known.variance) * known.slope(known.values)
        return other

    # The steps, by their names in the paper.

    def _cluster(self, rows: Floats, zero: Bools) -> Ints:
        """Improved MeanShift (A.1) on the rows that are not zero; labels (n,)."""
        labels = np.full(len(zero), OUTLIER, dtype=np.intp)
        if len(rows):
            model = self.clusterer().fit(rows)
            labels[~zero] = model.labels_
            self.bandwidth_ = model.bandwidth_
        return labels

    def _fit(self, ladder: Measurements, labels: Ints) -> tuple[Floats, Fits]:
        """The law of every cluster (4.2): mean rates (clusters, m) and fits to them."""
        groups = [labels == label for label in range(int(labels.max()) + 1)]
        shape = (len(groups), len(self._x))
        means = np.array([ladder.rates[g].mean(axis=0) for g in groups]).reshape(shape)
        variance = np.array([cluster_variance(ladder, g) for g in groups]).reshape(shape)
        sigma = np.sqrt(variance + self.noise_floor**2)
        self._penalty = self._law.ridge_penalty(self.b_scale, self.c_scale)
        self._weighted = means, sigma
        return means, fit(self._law, self._x, means, sigma, penalty=self._penalty)

    def _select(self, labels: Ints, means: Floats, fits: Fits) -> tuple[list[Cluster], Bools]:
        """The clusters, judged (4.3, C.1), and which questions (n,) are predictable."""
        clusters = judged_clusters(
            self._law,
            fits,
            means,
            np.bincount(labels[labels != OUTLIER], minlength=len(means)),
            float(np.log(self._ladder.compute[0])),
            self._log_reference,
            self.thresholds(),
        )
        self._kept = [cluster.id for cluster in clusters if cluster.predictable]
        self._theta = fits.theta[self._kept]
        subset: Bools = np.isin(labels, self._kept)
        self._silent = no_questions(self._ladder) or silent_clusters(
            clusters, float(subset.mean()), self.min_share
        )
        return clusters, subset

    def _extrapolate(self, compute: float) -> Subset:
        """Size-weighted mean of the predictable clusters' laws (4.3), NaN without any."""
        if not self._kept:
            return Subset(NAN, self.subset_share_)
        sizes = np.array([float(self.clusters_[i].size) for i in self._kept])
        curves = self._law.curve(self._theta, np.array([self._place(compute)]))[:, 0]
        return Subset(float(sizes @ curves / sizes.sum()), self.subset_share_)

    def _map(self, ladder: Measurements, subset: Bools) -> MonotoneMap:
        """The map from subset to full set (4.4) through the rungs and anchors."""
        if not subset.any():
            return fit_map([], [], self.map_rmse)
        both = np.hstack([ladder.rates, ladder.anchors])
        mapping = fit_map(
            both[subset].mean(axis=0),
            both.mean(axis=0),
            self.map_rmse,
            self.map_top,
            float(subset.mean()),
        )
        m = len(ladder.compute)
        points = np.vstack([ladder.as_given(mapping.points[:m]), mapping.points[m:]])
        return replace(mapping, points=points)

    # What stands around them.

    def _scale(self, ladder: Measurements) -> None:
        """Log compute about the middle of the ladder, on which the law is written."""
        self._law = self.emergence_law()
        log_compute = np.log(ladder.compute)
        self._log_reference = 0.5 * float(log_compute[0] + log_compute[-1])
        self._x = log_compute - self._log_reference

    def _place(self, compute: float) -> float:
        return float(np.log(compute)) - self._log_reference

    def _describe(self, clusters: list[Cluster], groups: Ints, subset: Bools, zero: Bools) -> None:
        """The public attributes, in the order the user gave questions and models in."""
        ladder = self._ladder
        self._sorted_labels = groups
        self.clusters_ = [replace(one, rates=ladder.as_given(one.rates)) for one in clusters]
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
        self._error = np.sqrt(accuracy_variance(ladder))
        self.rung_accuracy_ = ladder.as_given(self._accuracy)
        self.rung_error_ = ladder.as_given(self._error)
        self.compute_ = ladder.as_given(ladder.compute)

    def _follow(self, ladder: Measurements, siblings: Siblings | None, losses: Floats) -> None:
        """The benchmark's trend among those of the ladder's other benchmarks."""
        self._abilities: Abilities = benchmark_abilities(ladder)
        others = None if siblings is None else siblings.ordered(ladder.rung_order)
        known = self._abilities
        self._last = float(ladder.compute[-1])
        self._trend, self._place_among = benchmark_trend(
            np.log(ladder.compute), known.values, known.variance, others, losses
        )
        misses = self._trend.misses
        forecast = known.accuracy(misses.forecast)
        self._recent = recent_misses(misses, self._place_among, self._accuracy, forecast)

    def _trend_view(self, compute: float, level: float) -> View:
        """The trend, its spread turned into an interval by how the ladder misses its own."""
        known, place = self._abilities, self._place_among
        spread = self._trend.spread(place, float(np.log(compute)))
        # What is measured of the target has the noise of drawing answers too.
        spread = replace(spread, variances=spread.variances + known.variance[-1])
        distance = float(np.log(compute / self._last))
        low_share, high_share = reach(self._trend.misses, place, distance, level)
        one_sd = 0.5 * (1.0 - settings.ONE_SD)
        shares = np.array([low_share, one_sd, 0.5, 1.0 - one_sd, high_share])
        ability = spread.quantiles(shares)
        jump = emergence(float(self._accuracy.max()), distance, level)
        if jump:
            # What is below the threshold may stand anywhere below it, and jumps from just under it.
            hidden = known.ability(settings.UNSEEN) + jump
            ability[4] = max(ability[2] + np.hypot(ability[4] - ability[2], jump), hidden)
        low, bottom, mean, top, high = (float(one) for one in known.accuracy(ability))
        return trend_view(mean, (bottom, top), (low, high))

    def _pooled(self, compute: float, subset: Subset, level: float) -> Forecast:
        """The views together; an interval leaves out the last rung only where the rungs, as
        measured, go away from it."""
        views = self.views(compute, level)
        low, mean, high = self._holding_the_last(compute, *pooled(views))
        usual = self.interval(compute, LEVEL)
        blind = blind_interval(usual[0], usual[2])
        if blind:
            return abstention(blind, subset, compute, level)
        reasons = self._doubts(compute, subset, usual, "clusters" in views)
        word = verdict(reasons)
        return Forecast(mean, low, high, level, word, reasons, subset, compute, parts(views))

    def _holding_the_last(
        self, compute: float, low: float, mean: float, high: float
    ) -> tuple[float, float, float]:
        last = float(self._accuracy[-1])
        if compute > self._last:
            if not measured_rise(self._accuracy, self._error):
                low = min(low, last)
            if not measured_decline(self._accuracy, self._error):
                high = max(high, last)
        return low, mean, high

    def _draws(self, compute: float) -> Floats:
        """Benchmark accuracies of the refits at this compute; they are made once."""
        if self._replicates is None:
            self._replicates = replicates(
                self._ladder,
                self._sorted_labels,
                self._kept,
                self._law,
                self._theta,
                self._x,
                self.noise_floor,
                self._penalty,
                self.map_rmse,
                self.map_top,
                self.n_replicates,
                self.random_state,
            )
        return self._replicates.draws(self._place(compute), self.subset_share_)

    @property
    def _missed(self) -> float:
        """Ability by which the clusters' laws missed the last rung; fitted for it once."""
        if self._miss is None:
            sizes = np.array([float(self.clusters_[i].size) for i in self._kept])
            means, sigma = (each[self._kept] for each in self._weighted)
            self._miss = last_rung_miss(self._law, self._x, means, sigma, sizes, self._penalty)
        return self._miss

    def _doubts(
        self,
        compute: float,
        subset: Subset,
        interval: tuple[float, float, float],
        heard: bool,
    ) -> tuple[Reason, ...]:
        """Why a forecast is weak, () if nothing speaks against it.

        interval: low end, middle and high end at `settings.LEVEL`; heard: whether the clusters
        had a say in it.
        """
        low, mean, high = interval
        beyond = compute > self._ladder.compute[-1]
        decisive = [
            *range_doubts(compute, self._ladder.compute),
            *level_doubts(self._accuracy, self._error, beyond, mean, high),
            *width_doubts(high - low),
        ]
        clusters = (
            [*cluster_doubts(self.clusters_, subset), *map_doubts(self.mapping_, subset)]
            if heard and not self._silent
            else []
        )
        if self.trend:
            decisive += miss_doubts(self._recent, self._trend.misses.jumps(settings.LOOK_BACK))
        else:
            decisive += clusters  # they alone carry the forecast
            clusters = []
        more = [
            *order_doubts(self._accuracy, self._error),
            *standstill_doubts(self._accuracy),
            *draw_doubts(self._ladder.n_samples),
        ]
        more += [self._silent] if self._silent else clusters
        return weighed(decisive, more)
