"""Forecasts with one thing about the recipe changed at a time: `cod-ablation/1`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from cod_harness.engine.verdicts import Verdict
from cod_harness.evaluation.records.backtest import Role
from cod_harness.evaluation.records.base import (
    Count,
    Fraction,
    Moment,
    Name,
    Names,
    NoteCodes,
    Positive,
    Record,
    Versions,
)

Number = float | None


class SubsetScore(Record, frozen=True, kw_only=True):
    """Forecast and measured accuracy on the predictable questions, and their share."""

    forecast: Fraction | None
    observed: Fraction | None
    share: Fraction | None


class Outcome(Record, frozen=True, kw_only=True):
    """How one variant of the recipe forecasts a hidden model. Errors in points, signed."""

    task: Name
    target: Name
    role: Role
    compute: Positive
    variant: Name
    verdict: Verdict
    reasons: Names
    codes: Annotated[Names, Meta(description="The reasons as fixed words, in order.")] = ()
    forecast: Fraction | None
    observed: Fraction
    fe: Annotated[Number, Meta(description="Error on the whole benchmark.")]
    subset: SubsetScore
    ee: Annotated[Number, Meta(description="Error on the predictable questions.")]
    tr: Annotated[Number, Meta(description="Share of the predictable questions, percent.")]
    iad: Annotated[
        Number, Meta(description="Mean distance of a question to the centre of its cluster.")
    ]
    outliers: Annotated[
        Number, Meta(description="Share of outliers among questions ever answered, percent.")
    ] = msgspec.field(name="or")
    clusters: Count
    map_rmse: Number
    map_pieces: Count

    @property
    def made(self) -> bool:
        """Whether there is a forecast."""
        return self.verdict != "abstain"


class AblationRow(Record, frozen=True, kw_only=True):
    """Means of one variant over its forecasts; `_common`: over those that every variant makes.

    Errors are absolute here.
    """

    variant: Name
    forecasts: Count
    abstentions: Count
    ee: Number
    ee_max: Number
    ee_common: Number
    fe: Number
    fe_max: Number
    fe_common: Number
    common: Count
    iad: Number
    outliers: Number = msgspec.field(name="or")
    tr: Number
    clusters: Number
    map_rmse: Number
    map_pieces: Number


class AblationAxis(Record, frozen=True, kw_only=True):
    """One table of the paper; `reference` is the variant that it recommends."""

    table: Name
    title: Name
    reference: Name
    rows: tuple[AblationRow, ...]
    forecasts: tuple[Outcome, ...]


class AblationSettings(Record, frozen=True, kw_only=True):
    """What was asked for, and what was left out."""

    what: Names
    allow_mismatch: bool
    notes: Names
    note_codes: NoteCodes = ()


class Ablation(Record, frozen=True, kw_only=True, tag_field="schema", tag="cod-ablation/1"):
    """The paper's ablations on a user's own ladder; null is a number that does not exist."""

    base: Name
    ladder: Name
    axes: dict[str, AblationAxis]
    settings: AblationSettings
    versions: Versions
    created: Moment
