"""The settings of COD, defaults and published ones, and the law and thresholds they mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from sklearn.base import BaseEstimator

from cod_harness.engine import settings
from cod_harness.engine.clustering import ImprovedMeanShift
from cod_harness.engine.laws import LAWS, EmergenceLaw
from cod_harness.engine.selection import Thresholds
from cod_harness.errors import InputError

Self = TypeVar("Self", bound="Recipe")


class Recipe(BaseEstimator):  # type: ignore[misc]
    """What can be set in COD.

    Parameters (`paper` gives the published settings)
    ----------
    min_cluster_size, quantile, bandwidth, max_distance_fraction, exact_up_to : see
        `ImprovedMeanShift`.
    law : "eq4", or "f1", "f2", "f3" of Table 4.
    min_a, min_b, max_c : thresholds of C.1, see `Thresholds`.
    map_rmse : T of C.2, accuracy.
    map_top : weight of the map's end, where the subset is solved and the rest of the questions went
        on as it has, against a measured point; None to pass through (1, 1), as in the paper.
    noise_floor : accuracy; the least standard deviation of a cluster's mean rate in the weights,
        for what models miss their trend by.  Above most sampling errors it makes the weights nearly
        equal, as in the paper.
    b_scale : of the ridge penalty (b / b_scale)^2 on the chi-square of a law; inf for none.
        Four parameters pass through the points of a short ladder in many ways, and plain least
        squares picks a jump, which extrapolates to certainty: of laws the points cannot tell
        apart, take the slower.
    c_scale : of the ridge penalty (c / c_scale)^2 likewise, on the loss that is to stay; inf for
        none, as in the paper.  A ladder that has not levelled off cannot tell where it will.
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
    """

    def __init__(
        self,
        *,
        min_cluster_size: int = settings.MIN_CLUSTER_SIZE,
        quantile: float = settings.QUANTILE,
        bandwidth: float | None = None,
        max_distance_fraction: float = settings.MAX_DISTANCE_FRACTION,
        exact_up_to: int | None = settings.EXACT_UP_TO,
        law: str = "eq4",
        min_a: float = settings.MIN_A,
        min_b: float = settings.MIN_B,
        max_c: float = settings.MAX_C,
        map_rmse: float = settings.MAP_RMSE,
        map_top: float | None = settings.MAP_TOP,
        noise_floor: float = settings.NOISE_FLOOR,
        b_scale: float = settings.B_SCALE,
        c_scale: float = settings.C_SCALE,
        b_bound: float | None = settings.B_BOUND,
        min_share: float = settings.MIN_SHARE,
        trend: bool = True,
        n_replicates: int = settings.N_REPLICATES,
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
        self.c_scale = c_scale
        self.b_bound = b_bound
        self.min_share = min_share
        self.trend = trend
        self.n_replicates = n_replicates
        self.random_state = random_state

    @classmethod
    def paper(cls: type[Self]) -> Self:
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
            noise_floor=settings.NOISE_FLOOR,
            b_scale=settings.B_SCALE,
            c_scale=np.inf,
            b_bound=None,
            min_share=0.0,
            trend=False,
        )

    def clusterer(self) -> ImprovedMeanShift:
        """Improved MeanShift (A.1) as set here."""
        return ImprovedMeanShift(
            self.min_cluster_size,
            self.quantile,
            self.bandwidth,
            self.max_distance_fraction,
            self.exact_up_to,
        )

    def emergence_law(self) -> EmergenceLaw:
        """The law of the clusters (4.2), b bounded; raises InputError on a wrong setting."""
        if self.law not in LAWS:
            raise InputError(f"law is {self.law!r}: give one of {', '.join(LAWS)}")
        scales = (self.b_scale, self.c_scale, 1.0 if self.b_bound is None else self.b_bound)
        if not all(scale > 0 for scale in scales):
            raise InputError(
                f"b_scale is {self.b_scale!r}, c_scale is {self.c_scale!r}, "
                f"b_bound is {self.b_bound!r}: give numbers above 0"
            )
        law = LAWS[self.law]
        return law if self.b_bound is None else replace(law, b_bound=self.b_bound)

    def thresholds(self) -> Thresholds:
        """Which clusters extrapolate (C.1)."""
        return Thresholds(self.min_a, self.min_b, self.max_c)
