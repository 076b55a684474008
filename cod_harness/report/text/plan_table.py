"""What to measure next, as tables for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from cod_harness.evaluation.records.plan import Option, Plan
from cod_harness.report.text.forecast_table import level_text
from cod_harness.report.text.grid import UNKNOWN, grid, short_amount, terminal_width


def plan_table(plan: Plan, width: int | None = None) -> str:
    """The options of a plan, narrowest first; the best by benchmark; where nothing helps, and why.

    Args:
        plan: the record.
        width: columns to fit; that of the terminal if None, and 80 where there is none.

    Returns:
        Lines without a newline at the end.
    """
    width = terminal_width() if width is None else width
    blocks = [
        _wrapped(heading(plan), width),
        "\n".join(grid(OPTION_COLUMNS, [option_cells(one) for one in shown(plan)], width)),
        *(_wrapped(line, width) for line in advice(plan)),
        "\n".join(grid(forecast_columns(plan), forecast_rows(plan), width, ("By",))),
        *(_wrapped(line, width) for line in hopeless(plan)),
    ]
    return "\n\n".join(block for block in blocks if block)


def plan_content(plan: Plan) -> dict[str, Any]:
    """What a page shows of a plan: the same words and tables."""
    return {
        "heading": heading(plan),
        "options": (OPTION_COLUMNS, [option_cells(one) for one in shown(plan)]),
        "advice": list(advice(plan)),
        "forecasts": (forecast_columns(plan), forecast_rows(plan)),
        "hopeless": list(hopeless(plan)),
    }


OPTION_COLUMNS = ("What", "FLOP", "Answers", "Tokens", "Width")


def heading(plan: Plan) -> str:
    """What the widths are."""
    return (
        f"What to measure next on {plan.ladder}: {level_text(plan.settings.level)}s of "
        f"{', '.join(plan.settings.targets)}, mean width over {len(plan.now)} "
        f"forecast{'s' * (len(plan.now) != 1)} in points, as expected after each option"
    )


def shown(plan: Plan) -> list[Option]:
    """The options that a table lists: of draws of single tasks only those that are among the best.

    Each of them changes the mean by little; by forecast they are all looked at.
    """
    best = set(plan.best)
    return [
        one
        for place, one in enumerate(plan.options)
        if place in best or not (one.kind == "draws" and one.task)
    ]


def option_cells(one: Option) -> tuple[str, ...]:
    """The cells of `OPTION_COLUMNS`."""
    return (
        in_words(one),
        f"{one.flop:.2g}" if one.flop else "0",
        short_amount(one.answers),
        UNKNOWN if one.tokens is None else short_amount(one.tokens),
        f"{100 * one.mean_width:.1f}" + ("" if one.affordable else " (over budget)"),
    )


def in_words(one: Option) -> str:
    """An option, with its size where it is a rung."""
    return f"{one.what}, {short_amount(one.params)}" if one.params else one.what


def advice(plan: Plan) -> Iterator[str]:
    """The best few within the budgets, in sentences."""
    now = next(one.mean_width for one in plan.options if one.kind == "nothing")
    if not plan.best:
        within = " within the budget" if any(not one.affordable for one in plan.options) else ""
        yield f"Nothing{within} narrows the mean width of {100 * now:.1f} points by much."
        return
    for place, number in enumerate(plan.best, 1):
        one = plan.options[number]
        cost = f"{one.flop:.3g} FLOP" if one.flop else "no training"
        count = short_amount(one.answers)
        yield (
            f"{place}. {in_words(one)}: {100 * now:.1f} to {100 * one.mean_width:.1f} points, for "
            f"{cost} and {count} answers."
        )


def hopeless(plan: Plan) -> Iterator[str]:
    """Where nothing helps and why, those of one reason together."""
    reasons = dict.fromkeys(one.reason for one in plan.hopeless)
    for reason in reasons:
        rows = [one for one in plan.hopeless if one.reason == reason]
        names = ", ".join(dict.fromkeys(one.task for one in rows))
        yield f"Nothing on offer narrows {names}: {reason}."


def forecast_columns(plan: Plan) -> tuple[str, ...]:
    """Of the table by forecast: its width now, after each of the best, and the least by any."""
    target = ("Target",) if len(plan.settings.targets) > 1 else ()
    after = (f"{number}." for number in range(1, len(plan.best) + 1))
    return ("Task", *target, "Now", *after, "Least", "By")


def forecast_rows(plan: Plan) -> list[tuple[str, ...]]:
    """The cells of `forecast_columns`; of the options within the budgets."""
    several = len(plan.settings.targets) > 1
    rows = []
    for place, now in enumerate(plan.now):

        def after(one: Option, place: int = place) -> float:
            return one.widths[place].width

        least = min((one for one in plan.options if one.affordable), key=after)
        widths = (now.width, *(after(plan.options[number]) for number in plan.best), after(least))
        target = (now.target,) if several else ()
        points = (f"{100 * width:.1f}" for width in widths)
        rows.append((now.task, *target, *points, in_brief(least)))
    return rows


def in_brief(one: Option) -> str:
    """An option in two words or three."""
    if one.kind == "rung":
        size = short_amount(one.params) if one.params else f"{one.compute or 0:.2g} FLOP"
        return f"rung of {size}"
    if one.kind == "checkpoints":
        return f"more of {one.rung}"
    if one.kind == "draws":
        return f"{one.draws} draws" + ("" if one.task else " of all")
    return one.kind


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width))
