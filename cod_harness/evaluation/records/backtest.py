"""Forecasts of what is known, and how far they were off: `cod-backtest/1`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from cod_harness.engine.verdicts import Verdict
from cod_harness.evaluation.records.base import (
    Command,
    Count,
    Fraction,
    Level,
    Moment,
    Name,
    Names,
    NoteCodes,
    Positive,
    Record,
    Size,
    Versions,
)

Role = Literal["target", "rung"]


class BacktestRow(Record, frozen=True, kw_only=True):
    """One method's forecast of one hidden model on one task."""

    task: Name
    target: Annotated[Name, Meta(description="The hidden model.")]
    method: Name
    forecast: Fraction | None
    low: Fraction | None
    high: Fraction | None
    observed: Fraction
    error: float | None
    verdict: Verdict
    reasons: Names
    codes: Annotated[Names, Meta(description="The reasons as fixed words, in order.")] = ()
    role: Annotated[Role, Meta(description="What the hidden model is in the ladder.")]
    compute: Positive
    distance: Annotated[
        Positive,
        Meta(description="Compute over that of the largest rung that the forecast saw."),
    ]
    rungs: Annotated[int, Meta(ge=4, description="Rungs that the forecast saw.")]
    questions: Count

    def __post_init__(self) -> None:
        made = self.forecast is not None and self.error is not None
        if made == (self.verdict == "abstain"):
            raise ValueError(f"the verdict {self.verdict} does not go with the forecast")
        if self.verdict == "abstain" and not self.reasons:
            raise ValueError("the verdict is abstain, and no reason is given")


# What `BacktestRow.__post_init__` demands, for whoever checks a file by the schema.
_DEMANDS: dict[str, Any] = {
    "allOf": [
        {
            "if": {"properties": {"verdict": {"const": "abstain"}}},
            "then": {
                "properties": {
                    "forecast": {"type": "null"},
                    "error": {"type": "null"},
                    "reasons": {"minItems": 1},
                }
            },
            "else": {"properties": {"forecast": {"type": "number"}, "error": {"type": "number"}}},
        }
    ]
}


class MeanError(Record, frozen=True, kw_only=True):
    """Mean absolute error of n forecasts, points."""

    mean: Size | None
    n: Count


class VerdictErrors(Record, frozen=True, kw_only=True):
    """Errors of the forecasts called ok, and of those called weak."""

    ok: MeanError
    weak: MeanError


class Difference(Record, frozen=True, kw_only=True):
    """Mean difference of the absolute error to another method's, where both forecast, points."""

    method: Name
    mean: float | None
    low: float | None
    high: float | None
    n: Count


class MethodSummary(Record, frozen=True, kw_only=True):
    """What the rows say of a method, errors in points."""

    mean: Annotated[Size | None, Meta(description="Of the absolute error.")]
    max: Size | None
    coverage: Annotated[
        Fraction | None,
        Meta(description="Share of the measured values inside the intervals."),
    ]
    n: Annotated[Count, Meta(description="Forecasts made.")]
    median: Size | None
    bias: Annotated[float | None, Meta(description="Mean of the signed error.")]
    width: Annotated[Size | None, Meta(description="Median width of the intervals.")]
    interval_score: Annotated[
        Size | None,
        Meta(
            description="Mean of Winkler's score of the intervals at the level: width, and a "
            "miss 2 / (1 - level) times; the smaller the better."
        ),
    ]
    naive_width: Annotated[
        Size | None,
        Meta(
            description="Width of one interval alike around every forecast that holds as many "
            "measured values."
        ),
    ]
    abstained: Annotated[Fraction, Meta(description="Share of the points without a forecast.")]
    mean_low: Annotated[
        Size | None,
        Meta(description="90 % bootstrap interval of the mean, over tasks and hidden models."),
    ]
    mean_high: Size | None
    verdicts: VerdictErrors
    versus: Annotated[
        Difference | None, Meta(description="To the first method; null for that method itself.")
    ]


class BacktestSettings(Record, frozen=True, kw_only=True):
    """What was asked for, and what was left out."""

    methods: Annotated[Names, Meta(min_length=1)]
    holdout: Annotated[
        Count | None,
        Meta(description="Rungs hidden at most; null for every one that leaves enough below it."),
    ]
    level: Level
    allow_mismatch: bool
    notes: Names
    note_codes: NoteCodes = ()
    command: Command = None


class Backtest(Record, frozen=True, kw_only=True, tag_field="schema", tag="cod-backtest/1"):
    """Forecasts of accuracies that are known, from the rungs below, and how far they were off.

    Accuracies are in [0, 1], errors and widths in points, an error is forecast minus observed,
    compute is training compute in FLOP; null is a number that does not exist.
    """

    rows: Annotated[
        tuple[Annotated[BacktestRow, Meta(extra_json_schema=_DEMANDS)], ...], Meta(min_length=1)
    ]
    summary: Annotated[
        dict[str, MethodSummary],
        Meta(
            min_length=1,
            description="By method; the first is what the others are compared with.",
        ),
    ]
    ladder: Annotated[str, Meta(description="Name of the ladder.")]
    settings: BacktestSettings
    versions: Versions
    created: Moment

    @property
    def methods(self) -> list[str]:
        """The methods, the one that others are compared with first."""
        return list(self.summary)

    @property
    def speaking(self) -> list[str]:
        """The methods that made a forecast; the first one whatever it made."""
        first, *others = self.methods
        return [first, *(name for name in others if self.summary[name].n)]
