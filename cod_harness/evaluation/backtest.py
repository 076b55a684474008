"""The backtest document, `cod-backtest/1`: forecasts of known results, and their errors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cod_harness.documents.writing import plain, provenance
from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError
from cod_harness.evaluation.evidence import Evidence, fitted
from cod_harness.evaluation.forecasts import (
    Document,
    chosen_methods,
    document_text,
    mismatches,
)
from cod_harness.evaluation.rolling import Origin, rolling_origins
from cod_harness.ladder.files import date_stamp, write_whole
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates

if TYPE_CHECKING:
    from cod_harness.engine import Forecast

SCHEMA = "cod-backtest/1"
_REPLICATES = 2000  # of the bootstrap of means
_FEW = 8  # forecasts that other processes are not started for

Floats = npt.NDArray[np.float64]
Row = Mapping[str, Any]


def backtest_document(
    rates: PassRates,
    ladder: Ladder,
    methods: Sequence[str] | None = None,
    holdout: int | None = None,
    level: float = LEVEL,
    allow_mismatch: bool = False,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    command: Sequence[str] | None = None,
) -> Document:
    """Forecast what is known already, from what came before it, and score the forecasts.

    Args:
        rates: pass rates of rungs, anchors and measured targets.
        ladder: says which model is what, and the compute of each.
        methods: names out of `engine.METHODS`; None for all. The first is what the others are
            compared with.
        holdout: how many of the largest rungs to hide at most, one origin after the other; None
            for every rung that leaves enough below it.
        level: coverage of the intervals, in (0, 1).
        allow_mismatch: go on although runs differ; the differences then stand in the notes.
        processes: how many to share the work; 1 for this one alone.
        progress: called with the numbers of fits that are done and that there are.
        command: the words that made the document.

    Returns:
        The document, plain JSON values only; see `schema`.

    Raises:
        InputError: an unknown method, a wrong level or number, runs that differ, or nothing to
            score.
    """
    from cod_harness.engine import METHODS

    methods = chosen_methods(list(METHODS) if methods is None else methods, METHODS)
    if not 0 < level < 1:
        raise InputError(f"the level {level:g} is not between 0 and 1; write 0.9 for 90 %")
    if holdout is not None and holdout < 0:
        raise InputError(f"{holdout} rungs cannot be held out; give 0 or more")
    notes = [*rates.notes, *mismatches(rates, allow_mismatch)]
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
    jobs = [
        _Job(method, origin.evidence, tuple(one.compute for one in origin.hidden), level)
        for origin in origins
        for method in methods
    ]
    forecasts = _forecasts(jobs, processes, progress)
    rows = [
        row
        for origin in origins
        for method in methods
        for row in _rows(origin, ladder, method, next(forecasts))
    ]
    document = {
        "schema": SCHEMA,
        "rows": rows,
        "summary": summaries(rows, methods),
        "ladder": ladder.name,
        "settings": {
            "methods": list(methods),
            "holdout": holdout,
            "level": level,
            "allow_mismatch": allow_mismatch,
            "notes": list(dict.fromkeys(notes)),
            "command": None if command is None else list(command),
        },
        **provenance(),
    }
    written: Document = plain(document)
    return written


def summaries(rows: Sequence[Row], methods: Sequence[str]) -> dict[str, Any]:
    """What the rows say of each method, errors in points; None where there is no number.

    Per method: mean, median, max of the absolute error, bias (mean of the signed error), coverage
    (share of the measured values inside the interval), width (median, points), naive_width (of one
    interval alike around every forecast that holds as many, points), n (forecasts made),
    abstained (share of the points without one), mean_low and mean_high (90 % bootstrap interval of
    the mean), verdicts (mean and n of the forecasts called ok and weak), versus (the difference of
    the absolute error to the first method's where both forecast, with its interval).
    """
    tables = {method: _Errors.of(rows, method) for method in methods}
    first = tables[methods[0]]
    return {
        method: {**tables[method].summary(), "versus": tables[method].versus(first, methods[0])}
        for method in methods
    }


def write_backtest(document: Mapping[str, Any], out: str | os.PathLike[str]) -> Path:
    """Write `OUT/cod_backtest_<date>.json`, whole or not at all; returns its path."""
    return write_whole(Path(out) / f"cod_backtest_{date_stamp()}.json", document_text(document))


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    text = (
        resources.files("cod_harness.documents")
        .joinpath("cod-backtest-1.schema.json")
        .read_text("utf-8")
    )
    loaded: dict[str, Any] = json.loads(text)
    return loaded


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
    # Started afresh: a fork of a process with threads can hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done, result in enumerate(pool.map(_done, jobs), start=1):
            progress(done, len(jobs))
            yield result


def _done(job: _Job) -> list[Forecast]:
    from cod_harness.engine import METHODS

    model = fitted(METHODS[job.method](), job.evidence)
    return [model.forecast(compute, job.level) for compute in job.compute]


def _rows(
    origin: Origin, ladder: Ladder, method: str, forecasts: Sequence[Forecast]
) -> Iterator[dict[str, Any]]:
    evidence = origin.evidence
    for hidden, forecast in zip(origin.hidden, forecasts, strict=True):
        made = forecast.verdict != "abstain"
        yield {
            "task": evidence.task,
            "target": hidden.model.name,
            "method": method,
            "forecast": forecast.mean,
            "low": forecast.low,
            "high": forecast.high,
            "observed": hidden.observed,
            "error": 100 * (forecast.mean - hidden.observed) if made else None,
            "verdict": forecast.verdict,
            "reasons": [str(reason) for reason in forecast.reasons],
            "codes": [reason.code for reason in forecast.reasons],
            "role": hidden.model.role,
            "compute": hidden.compute,
            # How far beyond: times the compute of the largest rung that the forecast saw.
            "distance": hidden.compute / float(max(evidence.compute)),
            "rungs": len(evidence.rungs),
            "questions": len(evidence.questions),
        }


@dataclass(frozen=True, eq=False)
class _Errors:
    """The rows of one method as arrays over (point,), points alike for all methods.

    error in points, NaN where the method abstained; tasks and models: codes of each point's task
    and hidden model.
    """

    error: Floats
    inside: npt.NDArray[np.bool_]
    width: Floats
    verdicts: npt.NDArray[np.str_]
    tasks: npt.NDArray[np.intp]
    models: npt.NDArray[np.intp]

    @classmethod
    def of(cls, rows: Sequence[Row], method: str) -> _Errors:
        mine = [row for row in rows if row["method"] == method]
        error = np.array([np.nan if row["error"] is None else row["error"] for row in mine])
        low, high, seen = (
            np.array([row[key] for row in mine], dtype=float) for key in ("low", "high", "observed")
        )
        # A measured value on the edge of an interval is in it, whatever the last bit says.
        return cls(
            error=error,
            inside=(low - 1e-9 <= seen) & (seen <= high + 1e-9),
            width=100 * (high - low),
            verdicts=np.array([row["verdict"] for row in mine]),
            tasks=np.unique([row["task"] for row in mine], return_inverse=True)[1],
            models=np.unique([row["target"] for row in mine], return_inverse=True)[1],
        )

    def summary(self) -> dict[str, Any]:
        made = ~np.isnan(self.error)
        size = np.abs(self.error[made])
        low, high = self._of_mean(np.abs(self.error))
        inside = self.inside[made]
        return {
            "mean": _if_any(np.mean, size),
            "max": _if_any(np.max, size),
            "coverage": _if_any(np.mean, inside.astype(float)),
            "n": int(made.sum()),
            "median": _if_any(np.median, size),
            "bias": _if_any(np.mean, self.error[made]),
            "width": _if_any(np.median, self.width[made]),
            "naive_width": float(2 * np.sort(size)[inside.sum() - 1]) if inside.any() else None,
            "abstained": float(1.0 - made.mean()),
            "mean_low": low,
            "mean_high": high,
            "verdicts": {verdict: self._of_verdict(verdict) for verdict in ("ok", "weak")},
        }

    def _of_verdict(self, verdict: str) -> dict[str, Any]:
        size = np.abs(self.error[self.verdicts == verdict])
        return {"mean": _if_any(np.mean, size), "n": len(size)}

    def versus(self, other: _Errors, name: str) -> dict[str, Any] | None:
        """By how much this method errs more than another, where both forecast."""
        if other is self:
            return None
        difference = np.abs(self.error) - np.abs(other.error)
        both = difference[~np.isnan(difference)]
        low, high = self._of_mean(difference)
        mean = _if_any(np.mean, both)
        return {"method": name, "mean": mean, "low": low, "high": high, "n": len(both)}

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
        for codes in (self.tasks, self.models):
            number = int(codes.max()) + 1
            drawn = random.multinomial(number, np.full(number, 1 / number), size=_REPLICATES)
            weight *= drawn[:, codes[made]]
        total = weight.sum(axis=1)
        means = (weight @ values[made])[total > 0] / total[total > 0]
        low, high = np.percentile(means, [5, 95])
        return float(low), float(high)


def _if_any(statistic: Callable[[Floats], Any], values: Floats) -> float | None:
    return float(statistic(values)) if len(values) else None
