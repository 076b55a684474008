"""Registered forecasts held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cod_harness.documents.measured import Measured, Results, measured
from cod_harness.documents.register import (
    Entry,
    RegisteredForecast,
    RegisteredScores,
    forecasts_of,
)
from cod_harness.errors import InputError, did_you_mean
from cod_harness.evaluation.records.base import held, mean, points_off
from cod_harness.evaluation.records.score import Calibration, ScoreRow
from cod_harness.notes import Note, note

Key = tuple[int, str, str, str]  # of a row


def score_rows(
    entries: Sequence[Entry], results: Sequence[Results], target: str | None = None
) -> tuple[list[ScoreRow], list[Note]]:
    """Every registered forecast that the results decide, and notes on what they do not.

    Of several results of one model and task the latest counts.

    Args:
        entries: of the register.
        results: files, oldest first.
        target: whose results they are; else the ladder entry a captured run names, or the only
            target there is.

    Raises:
        InputError: it can't be told whose the results are, or the target is not registered.
    """
    registered = list(forecasts_of(entries))
    targets = list(dict.fromkeys(forecast.target for _, _, forecast in registered))
    if target is not None and target not in targets:
        raise InputError(
            f"--target {target}: no forecast of it is registered; there are {', '.join(targets)}"
            f"{did_you_mean(target, targets)}"
        )
    rows: dict[Key, ScoreRow] = {}
    notes: list[Note] = []
    others = [one for one in results if one.model not in (None, *targets)]
    if others:
        models = ", ".join(dict.fromkeys(str(one.model) for one in others))
        notes.append(note("not_registered", results=len(others), models=models))
    for one in results:
        whose = _whose(one, targets, target)
        for entry, body, forecast in registered if whose else ():
            if forecast.target != whose:
                continue
            found = measured(one, forecast.task, body.tasks[forecast.task])
            if isinstance(found, Note):
                notes.append(found)
                continue
            row = _row(entry, forecast, one, found)
            rows[row.key] = row
    return list(rows.values()), list(dict.fromkeys(notes))


def all_rows(entries: Sequence[Entry], fresh: Sequence[ScoreRow]) -> list[ScoreRow]:
    """The latest score of every forecast: those in the register, then the fresh ones."""
    earlier = [
        row
        for entry in entries
        if isinstance(entry.body, RegisteredScores)
        for row in entry.body.scores
    ]
    return list({row.key: row for row in [*earlier, *fresh]}.values())


def calibration(rows: Sequence[ScoreRow], as_is: bool = False) -> dict[str, Calibration]:
    """What the rows say of each method.

    Rows whose forecast was of another quantity than what was measured count only `as_is`.
    """
    methods = dict.fromkeys(row.method for row in rows)
    return {
        method: _calibration([row for row in rows if row.method == method], as_is)
        for method in methods
    }


def _calibration(rows: Sequence[ScoreRow], as_is: bool) -> Calibration:
    counted = [row for row in rows if as_is or not row.differs]
    errors = [row.error for row in counted if row.error is not None]
    made = [row for row in counted if row.error is not None]
    return Calibration(
        n=len(made),
        mean=mean([abs(error) for error in errors]),
        max=max((abs(error) for error in errors), default=None),
        bias=mean(errors),
        inside=mean([float(row.inside) for row in made if row.inside is not None]),
        level=mean([row.level for row in made]),
        abstained=len(counted) - len(made),
        late=sum(row.late for row in counted),
        left_out=len(rows) - len(counted),
    )


def _whose(results: Results, targets: Sequence[str], target: str | None) -> str | None:
    if results.model is not None and results.model not in targets:
        return None
    if target is not None:
        # A captured run knows its model better than a flag meant for all files.
        return target if results.model in (None, target) else None
    if results.model is not None:
        return results.model
    if len(targets) != 1:
        raise InputError(
            f"{results.path}: does not say which target it measures ({', '.join(targets)} are "
            "registered); add --target NAME"
        )
    return targets[0]


def _row(entry: Entry, forecast: RegisteredForecast, results: Results, found: Measured) -> ScoreRow:
    made = forecast.mean is not None
    return ScoreRow(
        entry=entry.number,
        registered=entry.date,
        task=forecast.task,
        target=forecast.target,
        method=forecast.method,
        forecast=forecast.mean,
        low=forecast.low,
        high=forecast.high,
        level=forecast.level,
        verdict=forecast.verdict,
        observed=found.value,
        error=points_off(forecast.mean, found.value),
        inside=held(forecast.low, found.value, forecast.high) if made else None,
        kind=found.kind,
        differs=found.differs,
        late=results.date is not None and results.date < datetime.fromisoformat(entry.date),
        results=results.path.name,
        sha256=results.sha256,
    )
