"""Forecasting methods by name, all used alike, ours and those of other packages.

A method is an entry point of the group `cod_harness.methods`: its name, and where something stands
that is called without arguments and gives a `Forecaster`.  Nothing is loaded before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol

from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cod_harness.engine.forecast import Forecast

GROUP = "cod_harness.methods"
DEFAULT_METHOD = "cod"
PAPER_METHOD = "cod-paper"
CLUSTERING = (DEFAULT_METHOD, PAPER_METHOD)  # methods whose `fit` takes labels

_BASELINES = "cod_harness.engine.baselines"
# As in pyproject.toml, so that a checkout that was never installed has them too.
OURS: Mapping[str, str] = {
    DEFAULT_METHOD: "cod_harness.engine.cod:COD",
    PAPER_METHOD: "cod_harness.engine.cod:COD.paper",
    "exp": f"{_BASELINES}:exp",
    "powerlaw": f"{_BASELINES}:powerlaw",
    "passrate": f"{_BASELINES}:passrate",
    "neglog": f"{_BASELINES}:neglog",
    "bnsl": f"{_BASELINES}:bnsl",
    "logistic": f"{_BASELINES}:logistic",
    "irt": f"{_BASELINES}:irt",
    "loss": f"{_BASELINES}:loss",
    "two-step": f"{_BASELINES}:two_step",
    "cod-kmeans": f"{_BASELINES}:cod_kmeans",
    "last": f"{_BASELINES}:last",
}


class Forecaster(Protocol):
    """One way to forecast a benchmark from a ladder: fit once, forecast at any compute."""

    def fit(
        self,
        rates: ArrayLike,
        compute: ArrayLike,
        n_samples: ArrayLike = 100,
        *,
        anchors: ArrayLike | None = None,
        losses: ArrayLike | None = None,
    ) -> Forecaster:
        """rates (n, m) in [0, 1]; compute (m,) FLOP; n_samples, draws behind each rate, a number
        or (n, m), 0 for analytic rates; anchors (n, k), rates of finished models; losses (m,) of
        the rungs, NaN where unknown.  A method uses what it can.  Raises InputError on bad input.
        """

    def forecast(self, compute: float, level: float = LEVEL) -> Forecast:
        """Accuracy at ``compute`` FLOP with an interval at ``level``, or an abstention."""


class Methods(Mapping[str, Callable[[], Forecaster]]):
    """Makers of forecasters by name: ours in their order, then those found, by name.

    Raises InputError where a package registers a name of ours or of another package, or where what
    it registers cannot be loaded.
    """

    def __getitem__(self, name: str) -> Callable[[], Forecaster]:
        point = _found()[name]
        try:
            made: Callable[[], Forecaster] = point.load()
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"method {name!r} cannot be loaded from {point.value}: {error}; repair or "
                f"uninstall {_package(point)}"
            ) from error
        return made

    def __contains__(self, name: object) -> bool:  # the Mapping's own would load it
        return name in _found()

    def __iter__(self) -> Iterator[str]:
        return iter(_found())

    def __len__(self) -> int:
        return len(_found())


@cache
def _found() -> dict[str, EntryPoint]:
    found = {name: EntryPoint(name, value, GROUP) for name, value in OURS.items()}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        known = found.setdefault(point.name, point)
        if known.value != point.value:
            raise InputError(
                f"method {point.name!r} is registered twice, as {known.value} and as "
                f"{point.value}: uninstall {_package(point)}, or have it choose another name"
            )
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "its package"


METHODS = Methods()
