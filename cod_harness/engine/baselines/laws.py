"""The baselines' own laws, in the form that `fitting.fit` takes (see `engine.laws`).

As there, x = log(C / C_ref).  What a law's values are (accuracy, a loss, an ability) is the
business of who fits it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cod_harness.engine.arrays import Floats

# Per unit of log C.  A score that changes by e^10 within a factor e of compute is a jump.
_STEEPEST = 10.0


@dataclass(frozen=True)
class ConstantLaw:
    """``z(C) = d``."""

    name: str = "constant"
    parameters: tuple[str, ...] = ("d",)

    @property
    def lower(self) -> Floats:
        return np.array([-200.0])

    @property
    def upper(self) -> Floats:
        return np.array([200.0])

    def starts(self, x: Floats, y: Floats) -> Floats:
        return np.asarray(y[:, -1:, None, None])

    def curve(self, theta: Floats, x: Floats) -> Floats:
        return np.asarray(theta + 0.0 * x)

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        return np.ones((*theta.shape[:-1], len(x), 1))


@dataclass(frozen=True)
class StraightLaw:
    """``z(C) = d + b log C``, with b >= ``least`` (0: never falling)."""

    name: str = "straight"
    parameters: tuple[str, ...] = ("d", "b")
    least: float = 0.0

    @property
    def lower(self) -> Floats:
        return np.array([-200.0, self.least])

    @property
    def upper(self) -> Floats:
        return np.array([200.0, _STEEPEST])

    def starts(self, x: Floats, y: Floats) -> Floats:
        d, b = _line(x, y)
        return np.asarray(np.clip(np.stack([d, b], axis=-1), self.lower, self.upper))[:, None, None]

    def curve(self, theta: Floats, x: Floats) -> Floats:
        return np.asarray(theta[..., [0]] + theta[..., [1]] * x)

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        slope = np.broadcast_to(x, (*theta.shape[:-1], len(x)))
        return np.stack([np.ones_like(slope), slope], axis=-1)


@dataclass(frozen=True)
class PowerLaw:
    """``z(C) = A C^-b + e``, as ``exp(d - b x) + e``: a loss that falls to e >= 0.

    ``parameters`` without "e" is the law that falls to 0.
    """

    name: str = "power"
    parameters: tuple[str, ...] = ("d", "b", "e")

    @property
    def lower(self) -> Floats:
        return np.array([-40.0, 0.0, 0.0])[: len(self.parameters)]

    @property
    def upper(self) -> Floats:
        return np.array([40.0, _STEEPEST, 100.0])[: len(self.parameters)]

    def starts(self, x: Floats, y: Floats) -> Floats:
        """One group per floor e, as a share of the smallest value; the rest is a straight line."""
        shares = (0.0, 0.5, 0.9, 0.99) if "e" in self.parameters else (0.0,)
        grid = []
        for share in shares:
            floor = share * y.min(axis=1, keepdims=True).clip(0.0)
            d, b = _line(x, np.log(np.maximum(y - floor, 1e-9)))
            grid.append(np.stack([d, -b, floor[:, 0]], axis=-1)[:, : len(self.parameters)])
        return np.asarray(np.clip(np.stack(grid, axis=1)[:, :, None], self.lower, self.upper))

    def curve(self, theta: Floats, x: Floats) -> Floats:
        floor = theta[..., [2]] if "e" in self.parameters else 0.0
        return np.asarray(self._power(theta, x) + floor)

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        power = self._power(theta, x)
        columns = [power, -power * x, np.ones_like(power)]
        return np.stack(columns[: len(self.parameters)], axis=-1)

    def _power(self, theta: Floats, x: Floats) -> Floats:
        # Beyond e^50 no loss is told from another; the cap keeps inf out of the descent.
        return np.asarray(np.exp(np.minimum(theta[..., [0]] - theta[..., [1]] * x, 50.0)))


@dataclass(frozen=True)
class SigmoidLaw:
    """``y(z) = low + (high - low) / (1 + exp(-(d + b z)))``; "low" and "high" default to 0 and 1.

    Rises with b > 0, falls with b < 0; ``sign`` says which of them is meant.
    """

    name: str = "sigmoid"
    parameters: tuple[str, ...] = ("d", "b")
    sign: int = 1

    @property
    def lower(self) -> Floats:
        low = {"d": -200.0, "b": 0.0 if self.sign > 0 else -100.0, "low": 0.0, "high": 0.0}
        return np.array([low[name] for name in self.parameters])

    @property
    def upper(self) -> Floats:
        high = {"d": 200.0, "b": 100.0 if self.sign > 0 else 0.0, "low": 0.99, "high": 1.0}
        return np.array([high[name] for name in self.parameters])

    def starts(self, x: Floats, y: Floats) -> Floats:
        """One group per steepness; in it every place of the bend, floor and ceiling."""
        span = float(x.max() - x.min()) or 1.0
        steepness = self.sign * np.array([1.0, 3.0, 8.0, 20.0]) / span
        places = x.min() + span * np.linspace(-0.75, 1.75, 11)
        low = np.stack([np.zeros(len(y)), 0.95 * y.min(axis=1)], axis=1)
        high = np.stack([np.ones(len(y)), np.minimum(1.05 * y.max(axis=1), 1.0)], axis=1)
        shape = (len(y), len(steepness), len(places), 2, 2)
        b = np.broadcast_to(steepness[None, :, None, None, None], shape)
        values = {
            "d": -b * places[None, None, :, None, None],
            "b": b,
            "low": np.broadcast_to(low[:, None, None, :, None], shape),
            "high": np.broadcast_to(high[:, None, None, None, :], shape),
        }
        grid = np.stack([values[name] for name in self.parameters], axis=-1)
        grid = grid.reshape(len(y), len(steepness), -1, len(self.parameters))
        return np.asarray(np.clip(grid, self.lower, self.upper))

    def curve(self, theta: Floats, x: Floats) -> Floats:
        low, high, bend = self._parts(theta, x)
        return np.asarray(low + (high - low) * bend)

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        low, high, bend = self._parts(theta, x)
        slope = (high - low) * bend * (1.0 - bend)
        columns = {"d": slope, "b": slope * x, "low": 1.0 - bend, "high": bend}
        return np.stack([columns[name] for name in self.parameters], axis=-1)

    def _parts(self, theta: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
        part = {name: theta[..., [place]] for place, name in enumerate(self.parameters)}
        bend = _sigmoid(part["d"] + part["b"] * x)
        zero = np.zeros_like(part["d"])
        return part.get("low", zero), part.get("high", zero + 1.0), bend


@dataclass(frozen=True)
class BrokenPowerLaw:
    """``y(C) = 1 - a - B C^-c0 (1 + (C / C1)^(1/f))^(-c1 f)``: error as a power law with one break.

    BNSL with n = 1 (arXiv 2210.14891, Eq. 1) on the error rate: two straight pieces of log error
    over log C, of slopes -c0 and -(c0 + c1), joined over a width f about the break C1.  Fitted as
    ``log error = d - c0 x - c1 f log(1 + exp((x - s) / f))``, s the break.  c1 < 0, a flattening,
    is allowed; a rise of the error is not within reach of the data and left to a = error.
    """

    name: str = "bnsl"
    parameters: tuple[str, ...] = ("a", "d", "c0", "c1", "s", "f")

    @property
    def lower(self) -> Floats:
        return np.array([0.0, -40.0, 0.0, -2.0, -60.0, 0.05])

    @property
    def upper(self) -> Floats:
        return np.array([0.99, 10.0, _STEEPEST, _STEEPEST, 60.0, 10.0])

    def ridge_penalty(self, scale: float, rest: float) -> Floats:
        """(6,) for `fitting.fit`: (c / scale)^2 on both slopes, (a / rest)^2 on the error that
        stays, nothing on the others."""
        each = {"a": rest**-2, "c0": scale**-2, "c1": scale**-2}
        return np.array([each.get(name, 0.0) for name in self.parameters])

    def starts(self, x: Floats, y: Floats) -> Floats:
        """One group per bend c1; in it floors, first slopes, breaks and widths."""
        span = float(x.max() - x.min()) or 1.0
        error = np.maximum(1.0 - y, 1e-3)
        bends = np.array([-0.2, 0.5, 2.0, 6.0]) / span
        slopes = np.array([0.0, 0.3, 1.5]) / span
        breaks = x.min() + span * np.linspace(0.1, 1.1, 6)
        widths = np.array([0.05, 0.3]) * span
        groups = []
        for c1 in bends:
            group = []
            for share in (0.0, 0.6):
                floor = share * error.min(axis=1)
                logs = np.log(np.maximum(error - floor[:, None], 1e-3))
                for c0 in slopes:
                    for s in breaks:
                        for f in widths:
                            line = c0 * x + c1 * f * _softplus((x - s) / f)
                            d = (logs + line).mean(axis=1)
                            same = [np.full(len(y), value) for value in (c0, c1, s, f)]
                            group.append(np.stack([floor, d, *same], axis=-1))
            groups.append(np.stack(group, axis=1))
        return np.asarray(np.clip(np.stack(groups, axis=1), self.lower, self.upper))

    def curve(self, theta: Floats, x: Floats) -> Floats:
        return np.asarray(1.0 - theta[..., [0]] - self._error(theta, x)[0])

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        error, soft, place = self._error(theta, x)
        c1, f = theta[..., [3]], theta[..., [5]]
        past = _sigmoid(place)
        columns = [
            -np.ones_like(error),
            -error,
            error * x,
            error * f * soft,
            -error * c1 * past,
            error * c1 * (soft - place * past),
        ]
        return np.stack(columns, axis=-1)

    def _error(self, theta: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Error above a, log(1 + exp(u)) and u, the place relative to the break in widths."""
        _, d, c0, c1, s, f = (theta[..., [place]] for place in range(6))
        u = (x - s) / f
        soft = _softplus(u)
        return np.exp(np.clip(d - c0 * x - c1 * f * soft, -50.0, 50.0)), soft, u


CONSTANT = ConstantLaw()
STRAIGHT = StraightLaw()
POWER = PowerLaw()
POWER_TO_ZERO = PowerLaw("power-to-zero", ("d", "b"))
LOGISTIC = SigmoidLaw("logistic", ("d", "b"))
BNSL = BrokenPowerLaw()


def _line(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Intercepts and slopes (problems,) of least squares."""
    centred = x - x.mean()
    b = y @ centred / (centred @ centred)
    return np.asarray(y.mean(axis=1) - b * x.mean()), np.asarray(b)


def _sigmoid(u: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * u)))


def _softplus(u: Floats) -> Floats:
    return np.asarray(np.logaddexp(0.0, u))
