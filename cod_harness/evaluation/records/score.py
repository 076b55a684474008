"""Registered forecasts against what was measured: `cod-score/1`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from cod_harness.engine.verdicts import Verdict
from cod_harness.evaluation.records.base import (
    Count,
    Fraction,
    Level,
    Moment,
    Name,
    NoteCodes,
    Positive,
    Record,
    Size,
    Versions,
)


class ScoreRow(Record, frozen=True, kw_only=True):
    """One registered forecast, and the measured value that decided it."""

    entry: Annotated[int, Meta(ge=1, description="Of the register.")]
    registered: Annotated[str, Meta(description="When the forecast was registered.")]
    task: Name
    target: Name
    method: Name
    forecast: Fraction | None
    low: Fraction | None
    high: Fraction | None
    level: Level
    verdict: Verdict
    observed: Fraction
    error: Annotated[float | None, Meta(description="Forecast minus observed, points.")]
    inside: bool | None
    kind: Annotated[str, Meta(description="What was measured.")]
    differs: Annotated[
        str, Meta(description="Why the forecast was of another quantity; empty if it was not.")
    ]
    late: Annotated[bool, Meta(description="Registered after the evaluation began.")]
    results: Annotated[str, Meta(description="Name of the results file.")]
    sha256: str

    @property
    def key(self) -> tuple[int, str, str, str]:
        """Which forecast it is about."""
        return self.entry, self.task, self.target, self.method


class Calibration(Record, frozen=True, kw_only=True):
    """What all scores so far say of a method; errors in points."""

    n: Annotated[Count, Meta(description="Forecasts scored.")]
    mean: Annotated[Size | None, Meta(description="Of the absolute error.")]
    max: Size | None
    bias: Annotated[float | None, Meta(description="Mean of the signed error.")]
    inside: Annotated[Fraction | None, Meta(description="Share inside their intervals.")]
    level: Annotated[Positive | None, Meta(description="The share that was promised.")]
    abstained: Count
    late: Annotated[Count, Meta(description="Registered after the evaluation began.")]
    left_out: Annotated[Count, Meta(description="Rows of another quantity.")]


class Scores(Record, frozen=True, kw_only=True, tag_field="schema", tag="cod-score/1"):
    """The scores of now, and the calibration of all so far; null is a number that is unknown."""

    register: Annotated[str, Meta(description="The file.")]
    rows: tuple[ScoreRow, ...]
    calibration: Annotated[dict[str, Calibration], Meta(description="By method.")]
    notes: tuple[Name, ...]
    note_codes: NoteCodes = ()
    versions: Versions
    created: Moment
