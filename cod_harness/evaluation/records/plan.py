"""What to measure next to narrow forecasts, and what it costs: `cod-plan/1`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

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

Kind = Literal["nothing", "rung", "checkpoints", "draws", "anchor"]


class Width(Record, frozen=True, kw_only=True):
    """Width of one forecast's interval, now or as expected."""

    task: Name
    target: Name
    width: Annotated[Fraction, Meta(description="Upper end less lower end, accuracy.")]


class Option(Record, frozen=True, kw_only=True):
    """Something that could be measured next."""

    kind: Kind
    what: Annotated[Name, Meta(description="In words.")]
    compute: Annotated[
        Positive | None, Meta(description="Training compute of the rung it is about, FLOP.")
    ] = None
    params: Annotated[
        Positive | None, Meta(description="Of a new rung, from the sizes of the others.")
    ] = None
    rung: Annotated[Name | None, Meta(description="The rung that gets more checkpoints.")] = None
    task: Annotated[Name | None, Meta(description="The task that gets more draws.")] = None
    draws: Annotated[Count | None, Meta(description="Draws a question on every rung then.")] = None
    flop: Annotated[Size, Meta(description="Training compute it costs, FLOP.")]
    answers: Annotated[Count, Meta(description="Answers to be generated.")]
    tokens: Annotated[
        Size | None, Meta(description="Their tokens; null where their length is unknown.")
    ]
    affordable: Annotated[bool, Meta(description="Whether it is within the budgets.")]
    widths: Annotated[
        tuple[Width, ...], Meta(description="Expected afterwards, in the order of `now`.")
    ]
    mean_width: Annotated[Fraction, Meta(description="Mean of `widths`, accuracy.")]


class Hopeless(Record, frozen=True, kw_only=True):
    """A forecast that none of the options narrows by much, and why."""

    task: Name
    target: Name
    best: Annotated[Fraction, Meta(description="The least width that is expected of any option.")]
    code: Annotated[Name, Meta(description="The reason as a fixed word.")]
    reason: Name


class PlanSettings(Record, frozen=True, kw_only=True):
    """What was asked for."""

    targets: Names
    level: Level
    budget_flop: Positive | None
    budget_tokens: Positive | None
    answer_tokens: Annotated[
        dict[str, Positive], Meta(description="Mean tokens of an answer, by task, where known.")
    ]
    notes: Names
    note_codes: NoteCodes = ()
    command: Command = None


class Plan(Record, frozen=True, kw_only=True, tag_field="schema", tag="cod-plan/1"):
    """What to measure next: options with their costs and the widths expected after each."""

    ladder: Name
    now: Annotated[tuple[Width, ...], Meta(description="Of the forecasts as they are.")]
    options: Annotated[
        tuple[Option, ...], Meta(description="Narrowest first, by the mean over all forecasts.")
    ]
    best: Annotated[
        tuple[Count, ...],
        Meta(description="Places in `options`: the best few within the budgets; empty: nothing."),
    ]
    hopeless: tuple[Hopeless, ...]
    settings: PlanSettings
    versions: Versions
    created: Moment
