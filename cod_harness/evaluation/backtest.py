"""Backtests: forecasts of known results, each from what is below it, and their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError
from cod_harness.evaluation.evidence import Evidence, Floats, fitted, reasons_of
from cod_harness.evaluation.forecasts import (
    Progress,
    check_level,
    chosen_methods,
    mismatches,
)
from cod_harness.evaluation.records.backtest import (
    Backtest,
    BacktestRow,
    BacktestSettings,
    Difference,
    MeanError,
    MethodSummary,
    VerdictErrors,
)
from cod_harness.evaluation.records.base import (
    codes,
    inside,
    known,
    noted,
    points_off,
    provenance,
    sentences,
)
from cod_harness.evaluation.rolling import Hidden, Origin, rolling_origins
from cod_harness.evaluation.siblings import origins_beside_each_other
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.parent import pool

if TYPE_CHECKING:
    from cod_harness.engine import Forecast

_REPLICATES = 2000  # of the bootstrap of means
_FEW = 8  # forecasts that other processes are not started for


@dataclass(frozen=True)
class BacktestOptions:
    """What to forecast again, and how.

    Attributes:
        methods: names out of `engine.METHODS`; None for all. The first is what the others are
            compared with.
        holdout: how many of the largest rungs to hide at most, one origin after the other; None
            for every rung that leaves enough below it.
        level: coverage of the intervals, in (0, 1).
        allow_mismatch: go on although runs differ; the differences then stand in the notes.
    """

    methods: Sequence[str] | None = None
    holdout: int | None = None
    level: float = LEVEL
    allow_mismatch: bool = False


def backtest_ladder(
    rates: PassRates,
    ladder: Ladder,
    options: BacktestOptions | None = None,
    processes: int = 1,
    command: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Backtest:
    """Forecast what is known already, from what came before it, and score the forecasts.

    Args:
        rates: pass rates of rungs, anchors and measured targets.
        ladder: says which model is what, and the compute of each.
        options: what to forecast again, and how; None for everything by all methods.
        processes: how many to share the work; 1 for this one alone.
        command: the words that asked for it.
        progress: called with the numbers of fits that are done and that there are.

    Raises:
        InputError: an unknown method, a wrong level or number, runs that differ, or nothing to
            score.
    """
    from cod_harness.engine import METHODS

    options = options or BacktestOptions()
    asked = list(METHODS) if options.methods is None else options.methods
    methods = chosen_methods(asked, METHODS)
    check_level(options.level)
    holdout = options.holdout
    if holdout is not None and holdout < 0:
        raise InputError(f"{holdout} rungs cannot be held out; give 0 or more")
    notes = [*rates.notes, *mismatches(rates, options.allow_mismatch)]
    origins: list[Origin] = []
    for task in rates.tasks:
        found, remarks = rolling_origins(rates, ladder, task, holdout)
        origins += found
        notes += remarks
    if not origins:
        raise InputError(
            f"{ladder.path or ladder.name}: nothing to score; a backtest needs four rungs below a "
            "measured target, or (without --holdout 0) a fifth rung"
            + (f" ({notes[0]})" if notes else "")
        )
    origins = origins_beside_each_other(origins)
    jobs = [
        _Job(method, origin.evidence, tuple(one.compute for one in origin.hidden), options.level)
        for origin in origins
        for method in methods
    ]
    forecasts = _forecasts(jobs, processes, progress)
    rows = [
        _row(origin.evidence, hidden, method, forecast)
        for origin in origins
        for method in methods
        for hidden, forecast in zip(origin.hidden, next(forecasts), strict=True)
    ]
    return Backtest(
        rows=tuple(rows),
        summary=summaries(rows, methods, options.level),
        ladder=ladder.name,
        settings=BacktestSettings(
            methods=methods,
            holdout=holdout,
            level=options.level,
            allow_mismatch=options.allow_mismatch,
            **noted(notes),
            command=None if command is None else tuple(command),
        ),
        **provenance(),
    )


def summaries(
    rows: Sequence[BacktestRow], methods: Sequence[str], level: float = LEVEL
) -> dict[str, MethodSummary]:
    """What the rows say of each method, the first of which the others are compared with."""
    tables = {method: _Errors.of(rows, method, level) for method in methods}
    first = tables[methods[0]]
    return {method: table.summary(first, methods[0]) for method, table in tables.items()}


@dataclass(frozen=True, eq=False)
class _Job:
    """One fit and the forecasts from it; holds nothing of what is hidden but its compute."""

    method: str
    evidence: Evidence
    compute: tuple[float, ...]
    level: float


def _forecasts(
    jobs: Sequence[_Job], processes: int, progress: Callable[[int, int], None]
) -> Iterator[list[Forecast]]:
    """The forecasts of each job, in order."""
    processes = min(processes, len(jobs))
    if processes < 2 or len(jobs) <= _FEW:
        for done, job in enumerate(jobs, start=1):
            result = _done(job)
            progress(done, len(jobs))
            yield result
        return
    with pool(processes, "spawn") as workers:  # a notebook, for one, has threads
        for done, result in enumerate(workers.map(_done, jobs), start=1):
            progress(done, len(jobs))
            yield result


def _done(job: _Job) -> list[Forecast]:
    from cod_harness.engine import METHODS

    model = fitted(METHODS[job.method](), job.evidence)
    return [model.forecast(compute, job.level) for compute in job.compute]


def _row(evidence: Evidence, hidden: Hidden, method: str, forecast: Forecast) -> BacktestRow:
    made = forecast.verdict != "abstain"
    mean = known(forecast.mean)
    reasons = reasons_of(forecast, evidence)
    return BacktestRow(
        task=evidence.task,
        target=hidden.model.name,
        method=method,
        forecast=mean,
        low=known(forecast.low),
        high=known(forecast.high),
        observed=hidden.observed,
        error=points_off(mean, hidden.observed) if made else None,
        verdict=forecast.verdict,
        reasons=sentences(reasons),
        codes=codes(reasons),
        role=hidden.role,
        compute=hidden.compute,
        # How far beyond: times the compute of the largest rung that the forecast saw.
        distance=hidden.compute / float(max(evidence.compute)),
        rungs=len(evidence.rungs),
        questions=evidence.size,
    )


@dataclass(frozen=True, eq=False)
class _Errors:
    """The rows of one method as arrays over (point,), points alike for all methods.

    error, width and scores (Winkler's) in points, NaN where the method abstained; tasks and models:
    codes of each point's task and hidden model.
    """

    error: Floats
    inside: npt.NDArray[np.bool_]
    width: Floats
    scores: Floats
    verdicts: npt.NDArray[np.str_]
    tasks: npt.NDArray[np.intp]
    models: npt.NDArray[np.intp]

    @classmethod
    def of(cls, rows: Sequence[BacktestRow], method: str, level: float) -> _Errors:
        mine = [row for row in rows if row.method == method]
        low = np.array([row.low for row in mine], dtype=float)
        high = np.array([row.high for row in mine], dtype=float)
        seen = np.array([row.observed for row in mine], dtype=float)
        missed = np.maximum(low - seen, 0.0) + np.maximum(seen - high, 0.0)
        return cls(
            error=np.array([row.error for row in mine], dtype=float),
            inside=inside(low, seen, high),
            width=100 * (high - low),
            scores=100 * (high - low + 2.0 / (1.0 - level) * missed),
            verdicts=np.array([row.verdict for row in mine]),
            tasks=np.unique([row.task for row in mine], return_inverse=True)[1],
            models=np.unique([row.target for row in mine], return_inverse=True)[1],
        )

    def summary(self, first: _Errors, name: str) -> MethodSummary:
        """The method in a line; `first`, of this name, is what it is compared with."""
        made = ~np.isnan(self.error)
        size = np.abs(self.error[made])
        low, high = self._of_mean(np.abs(self.error))
        held = self.inside[made]
        return MethodSummary(
            mean=_if_any(np.mean, size),
            max=_if_any(np.max, size),
            coverage=_if_any(np.mean, held.astype(float)),
            n=int(made.sum()),
            median=_if_any(np.median, size),
            bias=_if_any(np.mean, self.error[made]),
            width=_if_any(np.median, self.width[made]),
            interval_score=_if_any(np.mean, self.scores[made]),
            naive_width=float(2 * np.sort(size)[held.sum() - 1]) if held.any() else None,
            abstained=float(1.0 - made.mean()),
            mean_low=low,
            mean_high=high,
            verdicts=VerdictErrors(ok=self._of_verdict("ok"), weak=self._of_verdict("weak")),
            versus=self._versus(first, name),
        )

    def _of_verdict(self, verdict: str) -> MeanError:
        size = np.abs(self.error[self.verdicts == verdict])
        return MeanError(mean=_if_any(np.mean, size), n=len(size))

    def _versus(self, other: _Errors, name: str) -> Difference | None:
        """By how much this method errs more than another, where both forecast."""
        if other is self:
            return None
        difference = np.abs(self.error) - np.abs(other.error)
        both = difference[~np.isnan(difference)]
        low, high = self._of_mean(difference)
        mean = _if_any(np.mean, both)
        return Difference(method=name, mean=mean, low=low, high=high, n=len(both))

    def _of_mean(self, values: Floats) -> tuple[float | None, float | None]:
        """90 % bootstrap interval of the mean of the values that are not NaN.

        Tasks and hidden models are redrawn, each as a whole: errors on one task, and errors on one
        model, have much in common, and counting them as independent would find differences where
        there are none.
        """
        made = ~np.isnan(values)
        if made.sum() < 2:
            return None, None
        random = np.random.default_rng(0)
        weight = np.ones((_REPLICATES, int(made.sum())))
        for members in (self.tasks, self.models):
            number = int(members.max()) + 1
            drawn = random.multinomial(number, np.full(number, 1 / number), size=_REPLICATES)
            weight *= drawn[:, members[made]]
        total = weight.sum(axis=1)
        means = (weight @ values[made])[total > 0] / total[total > 0]
        low, high = np.percentile(means, [5, 95])
        return float(low), float(high)


def _if_any(statistic: Callable[[Floats], Any], values: Floats) -> float | None:
    return float(statistic(values)) if len(values) else None
