"""Clusters of questions, and which of them extrapolate (paper 4.3, C.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cod_harness.engine.arrays import Floats
from cod_harness.engine.fitting import Fits
from cod_harness.engine.laws import UNIT, EmergenceLaw

# C of the smallest rung for which the published threshold on `a` is meant: 122M parameters,
# 26B tokens, in FLOP.
SMALLEST_RUNG = 39.9 * UNIT


@dataclass(frozen=True)
class Thresholds:
    """A cluster is kept when a > min_a, b > min_b and c < max_c (C.1, Table A1).

    `a` is judged with compute rescaled so that the smallest rung sits at `SMALLEST_RUNG`.
    """

    min_a: float = 1.0
    min_b: float = 0.1
    max_c: float = 1.0


@dataclass(frozen=True)
class Cluster:
    """Questions of like difficulty and the law fitted to their mean pass rate.

    id, as in ``COD.labels_``; size, questions; rates (m,), mean pass rate at every model given,
    in that order; a, b, c, g of Eq. 4, a for C in 1e18 FLOP; predictable, and if not the reason;
    notes on the fit, e.g. a parameter on its bound.
    """

    id: int
    size: int
    rates: Floats
    g: float
    a: float
    b: float
    c: float
    predictable: bool
    reason: str
    notes: tuple[str, ...] = ()

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
    sizes: Floats,
    log_smallest: float,
    log_reference: float,
    thresholds: Thresholds,
) -> list[Cluster]:
    """One `Cluster` per fit, judged by the thresholds.

    rates (clusters, m); sizes (clusters,); log_smallest and log_reference: log FLOP of the
    smallest rung and of the middle of the ladder the fits are about.
    """
    clusters = []
    for i, theta in enumerate(fits.theta):
        published = law.published(theta, log_reference)
        # The same curve in the unit that puts the smallest rung where the paper's stands.
        shift = log_reference - log_smallest + np.log(SMALLEST_RUNG)
        judged = {**published, "a": law.published(theta, shift)["a"]}
        reason = _reason(judged, bool(fits.converged[i]), thresholds)
        notes = _notes(law, fits, i)
        clusters.append(
            Cluster(
                id=i,
                size=int(sizes[i]),
                rates=rates[i],
                **published,
                predictable=not reason,
                reason=reason,
                notes=notes,
            )
        )
    return clusters


def _reason(judged: dict[str, float], converged: bool, thresholds: Thresholds) -> str:
    """Why a cluster is not extrapolated, "" if it is.  One reason: the first that holds."""
    a, b, c = judged["a"], judged["b"], judged["c"]
    if not converged:
        return "the fit did not converge"
    if not b > thresholds.min_b:
        return f"b = {b:.3g}, not above {thresholds.min_b:g}: it does not rise with compute"
    if not a > thresholds.min_a:
        return (
            f"a = {a:.3g} with the smallest rung at {SMALLEST_RUNG / UNIT:g}e18 FLOP, not above "
            f"{thresholds.min_a:g}: already near its ceiling at the smallest rung"
        )
    if not c < thresholds.max_c:
        return f"c = {c:.3g}, not below {thresholds.max_c:g}: it levels off low"
    return ""


def _notes(law: EmergenceLaw, fits: Fits, i: int) -> tuple[str, ...]:
    names = {"d": "a"}  # what the user knows the location parameter as
    notes = []
    for j, parameter in enumerate(law.parameters):
        if fits.at_lower[i, j] or fits.at_upper[i, j]:
            side = "lower" if fits.at_lower[i, j] else "upper"
            notes.append(f"{names.get(parameter, parameter)} is on its {side} bound")
    if fits.singular[i]:
        notes.append("the rungs do not determine all parameters (singular Jacobian)")
    return tuple(notes)
