"""Clusters of questions, and which of them extrapolate (paper 4.3, C.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats, Ints
from cod_harness.engine.fitting import Fits
from cod_harness.engine.laws import EmergenceLaw
from cod_harness.engine.settings import SMALLEST_RUNG, UNIT
from cod_harness.engine.verdicts import Reason, because
from cod_harness.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Thresholds:
    """A cluster is kept when a > min_a, b > min_b and c < max_c (C.1, Table A1).

    `a` is judged with compute rescaled so that the smallest rung sits at `SMALLEST_RUNG`.
    """

    min_a: float = settings.MIN_A
    min_b: float = settings.MIN_B
    max_c: float = settings.MAX_C


@dataclass(frozen=True)
class Cluster:
    """Questions of like difficulty and the law fitted to their mean pass rate.

    id, as in ``COD.labels_``; size, questions; rates (m,), mean pass rate at every model given,
    in that order; a, b, c, g of Eq. 4, a for C in 1e18 FLOP; reason: why it is not predictable,
    None if it is; notes on the fit, e.g. a parameter on its bound.
    """

    id: int
    size: int
    rates: Floats
    g: float
    a: float
    b: float
    c: float
    reason: Reason | None = None
    notes: tuple[Reason, ...] = ()

    @property
    def predictable(self) -> bool:
        """Whether it passes the thresholds, and so extrapolates."""
        return self.reason is None

    def curve(self, compute: ArrayLike) -> Floats:
        """Forecast pass rate in [0, 1] at this much compute, FLOP, any shape."""
        log_c = np.log(np.asarray(compute, dtype=np.float64) / UNIT)
        with np.errstate(divide="ignore", over="ignore"):
            loss = np.exp(np.log(self.a) - self.b * log_c)
        return np.asarray(self.g + (1.0 - self.g) * np.exp(-loss - self.c))


def judged_clusters(
    law: EmergenceLaw,
    fits: Fits,
    rates: Floats,
    sizes: Ints,
    log_smallest: float,
    log_reference: float,
    thresholds: Thresholds,
) -> list[Cluster]:
    """One `Cluster` per fit, judged by the thresholds.

    rates (clusters, m); sizes (clusters,); log_smallest and log_reference: log FLOP of the
    smallest rung and of the middle of the ladder the fits are about.
    """
    # The same curve in the unit that puts the smallest rung where the paper's stands.
    rescaled = log_reference - log_smallest + np.log(SMALLEST_RUNG)
    clusters = []
    for i, theta in enumerate(fits.theta):
        published = law.published(theta, log_reference)
        judged = {**published, "a": law.published(theta, rescaled)["a"]}
        clusters.append(
            Cluster(
                id=i,
                size=int(sizes[i]),
                rates=rates[i],
                **published,
                reason=_refusal(judged, bool(fits.converged[i]), thresholds),
                notes=_notes(law, fits, i),
            )
        )
    return clusters


def _refusal(judged: Mapping[str, float], converged: bool, thresholds: Thresholds) -> Reason | None:
    """Why a cluster is not extrapolated, the first reason that holds; None if it is."""
    a, b, c = judged["a"], judged["b"], judged["c"]
    if not converged:
        return because("not_converged")
    if not b > thresholds.min_b:
        return because("b_too_small", b=b, least=thresholds.min_b)
    if not a > thresholds.min_a:
        return because("a_too_small", a=a, least=thresholds.min_a)
    if not c < thresholds.max_c:
        return because("c_too_large", c=c, most=thresholds.max_c)
    return None


def _notes(law: EmergenceLaw, fits: Fits, i: int) -> tuple[Reason, ...]:
    names = {"d": "a"}  # what the user knows the location parameter as
    notes = []
    for j, parameter in enumerate(law.parameters):
        if fits.at_lower[i, j] or fits.at_upper[i, j]:
            side = "lower" if fits.at_lower[i, j] else "upper"
            notes.append(because("on_bound", parameter=names.get(parameter, parameter), side=side))
    if fits.singular[i]:
        notes.append(because("singular"))
    return tuple(notes)


def cluster_frame(clusters: Sequence[Cluster]) -> pd.DataFrame:
    """The clusters as a table: a row each, by id; reason and notes in words."""
    import pandas as pd

    names = ("id", "size", "g", "a", "b", "c", "predictable")
    rows = [
        {
            **{name: getattr(cluster, name) for name in names},
            "reason": str(cluster.reason or ""),
            "notes": "; ".join(map(str, cluster.notes)),
        }
        for cluster in clusters
    ]
    return pd.DataFrame(rows, columns=[*names, "reason", "notes"]).set_index("id")


def cluster_chart(clusters: Sequence[Cluster], compute: Floats, end: float) -> Any:
    """Mean pass rates of the clusters at the models, and their laws up to ``end`` FLOP, as an
    Altair chart.  compute (m,) of the models, FLOP, as given to the fit."""
    import pandas as pd

    try:
        import altair as alt
    except ModuleNotFoundError:
        raise InputError("a plot needs altair: pip install 'altair>=5.5'") from None
    amounts = np.geomspace(compute.min(), end, 50)
    about = [
        {"cluster": one.id, "questions": one.size, "extrapolated": one.predictable}
        for one in clusters
    ]
    points = [
        {**kind, "compute": float(flop), "rate": float(rate)}
        for kind, cluster in zip(about, clusters, strict=True)
        for flop, rate in zip(compute, cluster.rates, strict=True)
    ]
    lines = [
        {**kind, "compute": float(flop), "rate": float(rate)}
        for kind, cluster in zip(about, clusters, strict=True)
        for flop, rate in zip(amounts, cluster.curve(amounts), strict=True)
        if np.isfinite(rate)
    ]
    encoding = {
        "x": alt.X("compute:Q", title="training compute (FLOP)", scale=alt.Scale(type="log")),
        "y": alt.Y("rate:Q", title="mean pass rate", scale=alt.Scale(domain=[0, 1])),
        "color": alt.Color("extrapolated:N"),
        "detail": "cluster:N",
        "tooltip": ["cluster:N", "questions:Q", "compute:Q", "rate:Q"],
    }
    curves = alt.Chart(pd.DataFrame(lines)).mark_line().encode(size="questions:Q", **encoding)
    measured = alt.Chart(pd.DataFrame(points)).mark_point(filled=True).encode(**encoding)
    return alt.layer(curves, measured)
