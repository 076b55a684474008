"""Scaling laws: a name, parameters with bounds, starting points, a curve and its Jacobian.

A law is written in ``x = log(C / C_ref)``, the log of compute about the middle of the ladder, where
it is well conditioned whatever the unit and size of the ladder.  Fitting, weights and covariance
stand in `fitting`, once for all laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cod_harness.engine.arrays import Floats
from cod_harness.engine.settings import UNIT

_FULL = ("d", "b", "c", "g")
_LOWER = {"d": -40.0, "b": 0.0, "c": 0.0, "g": 0.0}
# The paper bounds b below only; b = 10 is from 0.1 to 0.9 within a factor 1.4 of compute, a jump
# for any ladder.  The bounds on d leave every place of emergence within and around a ladder.
_UPPER = {"d": 40.0, "b": 10.0, "c": 20.0, "g": 0.99}


class Law(Protocol):
    """What `fitting.fit` needs of a law.  P is any leading shape, p the number of parameters."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> tuple[str, ...]: ...

    @property
    def lower(self) -> Floats: ...

    @property
    def upper(self) -> Floats: ...

    def starts(self, x: Floats, y: Floats) -> Floats:
        """Starting points (problems, groups, starts, p) for curves y (problems, m) over x (m,).

        The fit goes on from the best start of every group, so groups should differ in kind.
        """

    def curve(self, theta: Floats, x: Floats) -> Floats:
        """Pass rates (P, m) in [0, 1] of parameters theta (P, p) at x (m,)."""

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        """Derivatives (P, m, p) of `curve` by the parameters."""


@dataclass(frozen=True)
class EmergenceLaw:
    """``y(C) = g + (1 - g) exp(-a C^-b - c)`` (Eq. 4) and its ablations (Table 4).

    Fitted as ``g + (1 - g) exp(-exp(d - b x) - c)`` with ``d = log a - b log C_ref``: of the four,
    d says where on the ladder the questions emerge, b how fast, g the guess floor, c the loss that
    stays.  Parameters not in ``parameters`` are 0.  ``b_bound`` bounds b from above.
    """

    name: str
    parameters: tuple[str, ...]
    b_bound: float = _UPPER["b"]

    @property
    def lower(self) -> Floats:
        return np.array([_LOWER[name] for name in self.parameters])

    @property
    def upper(self) -> Floats:
        upper = {**_UPPER, "b": min(self.b_bound, _UPPER["b"])}
        return np.array([upper[name] for name in self.parameters])

    def starts(self, x: Floats, y: Floats) -> Floats:
        """One group per steepness b; in it, every place of emergence, floor and ceiling."""
        low = y.min(axis=1).clip(0.0, 0.9)
        high = y.max(axis=1).clip(0.05, 1.0)
        span = float(x.max() - x.min()) or 1.0
        steepness = np.array([0.5, 1.5, 4.0, 10.0, 25.0]) / span
        places = x.min() + span * np.linspace(-0.5, 1.5, 9)
        floors = np.stack([np.zeros_like(low), 0.95 * low], axis=1)
        ceilings = np.stack([np.zeros_like(high), -np.log(high)], axis=1)
        shape = (len(y), len(steepness), len(places), 2, 2)
        b = np.broadcast_to(steepness[None, :, None, None, None], shape)
        values = {
            "b": b,
            "d": b * places[None, None, :, None, None],
            "c": np.broadcast_to(ceilings[:, None, None, :, None], shape),
            "g": np.broadcast_to(floors[:, None, None, None, :], shape),
        }
        grid = np.stack([values[name] for name in self.parameters], axis=-1)
        grid = grid.reshape(len(y), len(steepness), 4 * len(places), len(self.parameters))
        return np.asarray(np.clip(grid, self.lower, self.upper))

    def ridge_penalty(self, b_scale: float, c_scale: float = np.inf) -> Floats:
        """(p,) for `fitting.fit`: (b / b_scale)^2 on b, (c / c_scale)^2 on c, else nothing."""
        scales = {"b": b_scale, "c": c_scale}
        return np.array([scales.get(name, np.inf) ** -2.0 for name in self.parameters])

    def curve(self, theta: Floats, x: Floats) -> Floats:
        d, b, c, g = self._full(theta)
        with np.errstate(over="ignore"):
            return g + (1.0 - g) * np.exp(-np.exp(d - b * x) - c)

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        d, b, c, g = self._full(theta)
        # Beyond e^50 the answer loss has left nothing of y; the cap keeps 0 x inf out.
        loss = np.exp(np.minimum(d - b * x, 50.0))
        kept = np.exp(-loss - c)
        rise = (1.0 - g) * kept
        slope = rise * loss
        columns = {"d": -slope, "b": slope * x, "c": -rise, "g": 1.0 - kept}
        return np.stack([columns[name] for name in self.parameters], axis=-1)

    def published(self, theta: Floats, log_reference: float) -> dict[str, float]:
        """a (for C in 1e18 FLOP), b, c, g of one theta (p,) fitted about this log C_ref."""
        d, b, c, g = (float(part[0]) for part in self._full(theta))
        return {"a": _exp(d + b * (log_reference - np.log(UNIT))), "b": b, "c": c, "g": g}

    def _full(self, theta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """d, b, c, g as (P, 1) columns, those not fitted being 0."""
        zero = np.zeros((*theta.shape[:-1], 1))
        d, b, c, g = (
            theta[..., [self.parameters.index(name)]] if name in self.parameters else zero
            for name in _FULL
        )
        return d, b, c, g


def _exp(value: float) -> float:
    """exp without overflow: the largest double stands for everything above it."""
    return float(np.exp(min(value, 709.0)))


EQ4 = EmergenceLaw("eq4", ("d", "b", "c", "g"))
F1 = EmergenceLaw("f1", ("d", "b", "c"))  # without the guess floor g
F2 = EmergenceLaw("f2", ("d", "b", "g"))  # without the remaining loss c
F3 = EmergenceLaw("f3", ("d", "b"))  # direct power law

_LAWS: Sequence[EmergenceLaw] = (EQ4, F1, F2, F3)
LAWS = {law.name: law for law in _LAWS}
