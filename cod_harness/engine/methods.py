"""Forecasting methods by name, all called alike."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import ArrayLike

from .cod import COD
from .forecast import Forecast


class Method(Protocol):
    """One way to forecast a benchmark from a ladder's pass rates.

    rates (n, m), compute (m,) FLOP, n_samples a number or (n, m), anchors (n, k) or None, target
    in FLOP, level in (0, 1).  Returns the forecast, and the fitted `COD` where the method has one.
    Raises InputError as `COD.fit` and `COD.forecast` do.
    """

    def __call__(
        self,
        rates: ArrayLike,
        compute: ArrayLike,
        n_samples: ArrayLike,
        anchors: ArrayLike | None,
        target: float,
        level: float,
    ) -> tuple[Forecast, COD | None]: ...


def cod(
    rates: ArrayLike,
    compute: ArrayLike,
    n_samples: ArrayLike,
    anchors: ArrayLike | None,
    target: float,
    level: float,
) -> tuple[Forecast, COD | None]:
    """COD with the default settings."""
    model = COD().fit(rates, compute, n_samples, anchors=anchors)
    return model.forecast(target, level), model


def cod_paper(
    rates: ArrayLike,
    compute: ArrayLike,
    n_samples: ArrayLike,
    anchors: ArrayLike | None,
    target: float,
    level: float,
) -> tuple[Forecast, COD | None]:
    """COD with the published recipe and settings."""
    model = COD.paper().fit(rates, compute, n_samples, anchors=anchors)
    return model.forecast(target, level), model


METHODS: dict[str, Method] = {"cod": cod, "cod-paper": cod_paper}
