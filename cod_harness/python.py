"""Forecasts in Python: what the command `forecast` makes, as an object with views of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from cod_harness.documents.writing import json_text
from cod_harness.engine.methods import DEFAULT_METHOD
from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError
from cod_harness.evaluation.forecasts import FittedForecasts, ForecastOptions, forecast_ladder
from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.evaluation.transfer import SavedClusters
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.report.text.forecast_table import forecast_table

if TYPE_CHECKING:
    import pandas as pd

    from cod_harness.engine import COD


@dataclass(frozen=True, eq=False, repr=False)
class LadderForecast(FittedForecasts):
    """The forecasts of a ladder's tasks: a sequence of `TaskForecast`, and views of them.

    >>> made = forecast(rates, ladder)                                          # doctest: +SKIP
    >>> made[0].mean, made[0].verdict, made[0].codes                            # doctest: +SKIP
    >>> made.models["gsm8k"].clusters_                                          # doctest: +SKIP

    Printed, it is the command's table. `record` holds everything that the forecasts say, `models`
    the fitted `COD` of each task, `clusters()` its clusters for another ladder.
    """

    def __len__(self) -> int:
        return len(self.record.forecasts)

    def __getitem__(self, place: int) -> TaskForecast:
        return self.record.forecasts[place]

    def __repr__(self) -> str:
        return forecast_table(self.record.forecasts)

    @property
    def models(self) -> Mapping[str, COD]:
        """By task, the fitted model whose clusters are shown; without tasks of no forecast."""
        return {task: fit.model for task, fit in self.fits.items()}

    def to_frame(self) -> pd.DataFrame:
        """One row per forecast; NaN for a number that doesn't exist."""
        return self.record.to_frame()

    def to_json(self) -> str:
        """The document that the command writes, `cod-forecast/1`."""
        return json_text(self.with_curves())

    def plot(self, task: str | None = None, chart: str = "accuracy") -> Any:
        """A chart of the page, as an Altair chart.

        Args:
            task: name of a task; None for all, one below the other, or for the only one.
            chart: "accuracy" (over compute), "clusters", "questions", "mapping" or "deciles".

        Raises:
            InputError: no such task or chart, several tasks where one must be named, or a package
                is missing.
        """
        from cod_harness.report.charts.standalone import standalone
        from cod_harness.report.page.page import charts_of

        tasks = list(self.record.tasks) if task is None else [task]
        if task is not None and task not in self.record.tasks:
            raise InputError(f"no task {task!r}; there are {', '.join(self.record.tasks)}")
        if len(tasks) > 1 and chart != "accuracy":
            raise InputError(f"name the task to draw {chart} of: {', '.join(tasks)}")
        drawn = charts_of(self.with_curves())
        found = {name: drawn[name][chart] for name in tasks if chart in drawn[name]}
        if not found:
            there = ", ".join(dict.fromkeys(name for one in tasks for name in drawn[one]))
            raise InputError(
                f"no chart {chart!r} of {', '.join(tasks)}; there are {there or 'none'}"
            )
        return standalone(found)


def forecast(
    rates: PassRates,
    ladder: Ladder,
    *,
    methods: str | Sequence[str] = DEFAULT_METHOD,
    targets: Sequence[str] | None = None,
    compute: float | Sequence[float] | None = None,
    level: float = LEVEL,
    allow_mismatch: bool = False,
    clusters: SavedClusters | None = None,
) -> LadderForecast:
    """Forecast every task of some pass rates for some targets.

    Args:
        rates: pass rates of the rungs, and of anchors and targets where measured; see
            `read_passrates`.
        ladder: says which model is what, and the compute of each; see `read_ladder`.
        methods: names of methods, as `cod-harness forecast --method` knows them.
        targets: names of targets of the ladder; all of them if None and no `compute` is given.
        compute: training compute in FLOP of one more target, or of several.
        level: coverage of the intervals, in (0, 1).
        allow_mismatch: forecast although runs differ in settings or content; the differences
            then stand in `record.settings.notes`.
        clusters: clusters learnt on another ladder, used instead of new ones.

    Raises:
        InputError: an unknown method or target, no target, too few rungs, runs that differ, or
            clusters of other questions.
    """
    options = ForecastOptions(
        methods=[methods] if isinstance(methods, str) else methods,
        targets=targets,
        compute=compute,
        level=level,
        allow_mismatch=allow_mismatch,
        clusters=clusters,
    )
    made = forecast_ladder(rates, ladder, options)
    return LadderForecast(**{one.name: getattr(made, one.name) for one in fields(made)})
