"""Forecasts, and what they were made from: `cod-forecast/1`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

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
    held,
    points_off,
)

if TYPE_CHECKING:
    import pandas as pd

Source = Literal["questions", "accuracies"]
CLASSES = ("predictable", "non_extrapolatable", "outlier", "zero")  # of questions


def compute_name(compute: float) -> str:
    """What a target is called that is only an amount of compute, in FLOP."""
    return f"{compute:.4g} FLOP"


class Subset(Record, frozen=True, kw_only=True):
    """Forecast on the predictable questions, and their share."""

    mean: Fraction | None
    share: Fraction | None


class Part(Record, frozen=True, kw_only=True):
    """What one view of the target forecasts, and its weight in the whole."""

    mean: Fraction | None
    weight: Fraction | None


class TaskForecast(Record, frozen=True, kw_only=True):
    """One method's forecast of one target on one task."""

    task: Name
    target: Name
    compute: Positive
    method: Name
    mean: Fraction | None
    low: Fraction | None
    high: Fraction | None
    level: Level
    verdict: Verdict
    reasons: Annotated[Names, Meta(description="Why it is not ok, in sentences.")]
    codes: Annotated[Names, Meta(description="The reasons as fixed words, in order.")] = ()
    subset: Subset
    parts: Annotated[
        dict[str, Part],
        Meta(
            description="The views of the target that the mean was made from, weights summing to "
            "1; empty where it is of one piece."
        ),
    ] = msgspec.field(default_factory=dict)
    observed: Fraction | None

    def __post_init__(self) -> None:
        if self.verdict == "ok" and self.mean is None:
            raise ValueError("the verdict is ok, and there is no mean")
        if self.verdict != "ok" and not self.reasons:
            raise ValueError(f"the verdict is {self.verdict}, and no reason is given")

    @property
    def named(self) -> bool:
        """Whether the target is more than an amount of compute."""
        return self.target != compute_name(self.compute)

    @property
    def error(self) -> float | None:
        """Forecast minus observed, points."""
        return points_off(self.mean, self.observed)

    @property
    def width(self) -> float | None:
        """Of the interval, points."""
        return points_off(self.high, self.low)

    @property
    def held(self) -> bool | None:
        """Whether the observed value is inside the interval."""
        return held(self.low, self.observed, self.high)


# What `TaskForecast.__post_init__` demands, for whoever checks a file by the schema.
_DEMANDS: dict[str, Any] = {
    "allOf": [
        {
            "if": {"properties": {"verdict": {"const": "ok"}}},
            "then": {"properties": {"mean": {"type": "number"}}},
            "else": {"properties": {"reasons": {"minItems": 1}}},
        }
    ]
}


class ClassCounts(Record, frozen=True, kw_only=True):
    """Number of questions per class; they add up to all questions."""

    predictable: Count
    non_extrapolatable: Count
    outlier: Count
    zero: Count


class ClassShares(Record, frozen=True, kw_only=True):
    """Share of a decile's questions per class."""

    predictable: Fraction
    non_extrapolatable: Fraction
    outlier: Fraction
    zero: Fraction


class ClusterSummary(Record, frozen=True, kw_only=True):
    """Mean pass rates at the rungs and the law g + (1 - g) exp(-a C^-b - c), C in 1e18 FLOP."""

    id: int
    size: Count
    rates: tuple[Fraction, ...]
    g: Fraction | None
    a: float | None
    b: float | None
    c: float | None
    predictable: bool
    reason: Annotated[
        str, Meta(description="Why it is not predictable, or what to know of it; may be empty.")
    ]
    codes: Annotated[Names, Meta(description="Of what the reason says, fixed words.")] = ()
    examples: Annotated[Names, Meta(description="Names of the questions nearest to the mean.")] = ()

    @property
    def law(self) -> tuple[float, float, float, float] | None:
        """g, a, b and c; None where the cluster has no law."""
        if self.g is None or self.a is None or self.b is None or self.c is None:
            return None
        return self.g, self.a, self.b, self.c


class MapSummary(Record, frozen=True, kw_only=True):
    """Monotone piecewise cubic from accuracy on the predictable subset to that on all questions."""

    knots: Annotated[tuple[float, ...], Meta(min_length=2)]
    coefficients: tuple[tuple[float, ...], ...]
    rmse: float | None
    points: Annotated[
        tuple[tuple[Fraction, Fraction, Name], ...],
        Meta(description="[subset accuracy, full accuracy, model], rungs first, then anchors."),
    ]


class Decile(Record, frozen=True, kw_only=True):
    """A tenth of the questions; difficulty is 1 minus the mean pass rate over the rungs."""

    questions: Count
    difficulty: Fraction | None
    classes: ClassShares


class QuestionMap(Record, frozen=True, kw_only=True):
    """Questions counted on a grid.

    [across, up, cluster, questions], each cell from number * step to (number + 1) * step. Across is
    the mean pass rate over the rungs; up is the mean on the upper half of the rungs minus that on
    the lower half. Cluster -1: outliers; -2: never solved.
    """

    step: Positive
    cells: tuple[tuple[int, int, int, int], ...]


class Curve(Record, frozen=True, kw_only=True):
    """The forecast of one method over compute: [FLOP, mean, low, high]."""

    method: Name
    points: tuple[tuple[float, float | None, float | None, float | None], ...]


class RungSummary(Record, frozen=True, kw_only=True):
    """A rung's accuracy; stderr is from the sampling of questions."""

    name: Name
    compute: Positive
    accuracy: Fraction | None
    stderr: Fraction | None


class TaskSummary(Record, frozen=True, kw_only=True):
    """What the forecasts of one task were made from."""

    questions: Count
    source: Annotated[
        Source,
        Meta(
            description="What was read: pass rates of questions, or the accuracies of results "
            "without samples, from which nothing can be clustered."
        ),
    ] = "questions"
    samples: Annotated[
        Count | Size,
        Meta(description="Median number of draws per question and rung; 0 for analytic rates."),
    ]
    metric: Annotated[str, Meta(description="Empty if unknown.")]
    filter: Annotated[str, Meta(description="Empty if unknown.")]
    bandwidth: Annotated[
        Size | None,
        Meta(
            description="R of the clustering; 0 where all rows are equal, null where nothing was "
            "clustered."
        ),
    ]
    classes: ClassCounts
    clusters: tuple[ClusterSummary, ...]
    mapping: MapSummary | None
    quality: Annotated[
        Annotated[tuple[Decile, ...], Meta(min_length=10, max_length=10)] | None,
        Meta(
            description="Ten groups of questions by mean pass rate over the rungs, hardest first; "
            "null where nothing was clustered."
        ),
    ] = None
    map: QuestionMap | None = None
    rungs: tuple[RungSummary, ...]
    curve: Annotated[
        Curve | UnsetType, Meta(description="In what a page is drawn from; else left out.")
    ] = UNSET


class ModelSummary(Record, frozen=True, kw_only=True):
    """A model of the ladder."""

    name: Name
    compute: Positive | None
    params: Positive | None
    tokens: Positive | None
    loss: Positive | None


class LadderSummary(Record, frozen=True, kw_only=True):
    """The ladder that was forecast from."""

    name: Name
    rungs: Annotated[tuple[ModelSummary, ...], Meta(min_length=4)]
    anchors: tuple[ModelSummary, ...]
    targets: tuple[ModelSummary, ...]


class ForecastSettings(Record, frozen=True, kw_only=True):
    """What was asked for, and what was left out."""

    methods: Names
    targets: Names
    level: Level
    allow_mismatch: bool
    clusters_of: Annotated[
        Name, Meta(description="The method whose clusters and mapping `tasks` shows.")
    ]
    clusters_from: Annotated[
        str | None,
        Meta(
            description="The file of clusters that were used, null if they were made here.",
        ),
    ] = None
    notes: Annotated[Names, Meta(description="What was left out or set aside, in sentences.")]
    note_codes: NoteCodes = ()
    tasks: Annotated[
        dict[str, dict[str, Any]], Meta(description="How each task was run, where known.")
    ]
    groups: Annotated[
        dict[Name, Names], Meta(description="Groups that are forecast as a whole: their tasks.")
    ] = msgspec.field(default_factory=dict)
    rates_hash: Annotated[str, Meta(description="Fingerprint of the pass rates.")] = ""
    command: Command = None


class Forecasts(Record, frozen=True, kw_only=True, tag_field="schema", tag="cod-forecast/1"):
    """Forecasts of benchmark accuracies for models not trained yet, and what they were made from.

    Accuracies are in [0, 1], compute is training compute in FLOP; null is a number that does not
    exist.
    """

    forecasts: Annotated[
        tuple[Annotated[TaskForecast, Meta(extra_json_schema=_DEMANDS)], ...], Meta(min_length=1)
    ]
    tasks: Annotated[dict[Name, TaskSummary], Meta(min_length=1)]
    ladder: LadderSummary
    settings: ForecastSettings
    versions: Versions
    created: Moment

    def of(self, task: str) -> Iterator[TaskForecast]:
        """The forecasts of one task."""
        return (one for one in self.forecasts if one.task == task)

    @property
    def targets(self) -> list[str]:
        """What is forecast, each once, in order."""
        return list(dict.fromkeys(one.target for one in self.forecasts))

    def to_frame(self) -> pd.DataFrame:
        """One row per forecast; NaN for a number that doesn't exist, reasons as one text."""
        import pandas as pd

        columns = [name for name in TaskForecast.__struct_fields__ if name != "parts"]
        rows = [
            {
                **{name: getattr(one, name) for name in columns},
                "reasons": "; ".join(one.reasons),
                "codes": list(one.codes),
                "subset": one.subset.mean,
                "share": one.subset.share,
            }
            for one in self.forecasts
        ]
        numbers = ["mean", "low", "high", "observed", "subset", "share"]
        return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))
