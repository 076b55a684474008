"""A forecast in words: what its verdict means, and how far to trust it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from cod_harness.evaluation.records.forecast import TaskForecast, TaskSummary

VERDICTS = {
    "ok": "usable",
    "weak": "weak",
    "abstain": "no forecast",
}


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage, without the sign; a dash for none."""
    return "–" if value is None else f"{100 * value:.{digits}f}"  # noqa: RUF001


def amount(compute: float) -> str:
    """Training compute, as people write it."""
    return f"{compute:.3g} FLOP".replace("e+", "e")


def command_text(words: Sequence[str] | None) -> str:
    """A command as it was typed; '' where it is unknown."""
    return shlex.join(words or ())


def distance(entry: TaskForecast, task: TaskSummary) -> float | None:
    """How many times the compute of the largest rung with data the target has."""
    rungs = [rung.compute for rung in task.rungs]
    return entry.compute / max(rungs) if rungs else None


def trust(entry: TaskForecast, brief: bool = True) -> str:
    """How far to trust a forecast: its verdict and first reason; not `brief`: all its reasons."""
    if entry.verdict == "ok":
        width = "" if entry.width is None else f", {entry.width:.0f} points wide"
        return f"To be used with its interval{width}."
    said = "No number" if entry.verdict == "abstain" else "A direction, not a number"
    first, *others = entry.reasons
    told = [f"{said}: {first}"]
    if not brief:
        told += [f"{other[:1].upper()}{other[1:]}" for other in others]
    elif others:
        told.append(f"{_plural(len(others), 'more reason')} below")
    return " ".join(f"{one.rstrip('.')}." for one in told)


def against_measured(entry: TaskForecast) -> str:
    """How the measured value compares; '' where there is none."""
    if entry.observed is None:
        return ""
    if entry.error is None:
        return f"Measured {percent(entry.observed)}."
    said = f"{abs(entry.error):.1f} points {'too high' if entry.error > 0 else 'too low'}"
    if entry.held is None:
        return f"{said}."
    return f"{said}, {'inside' if entry.held else 'outside'} the interval."


def summary(entries: Sequence[TaskForecast]) -> str:
    """One method's forecasts of one target in a sentence or two."""
    made = [entry for entry in entries if entry.mean is not None]
    usable = sum(entry.verdict == "ok" for entry in made)
    count = len(entries)
    said = f"{_plural(count, 'benchmark')}: {usable} usable, {len(made) - usable} weak"
    said += f", {count - len(made)} not forecast." if len(made) < count else "."
    measured = sum(entry.observed is not None for entry in entries)
    errors = [abs(entry.error) for entry in made if entry.error is not None]
    if not measured:
        return said
    said += f" Measured by now: {measured}"
    if not errors:
        return f"{said}."
    if len(errors) < measured:
        said += f", of which {len(errors)} were forecast"
    inside = sum(bool(entry.held) for entry in made)
    return (
        f"{said}; mean error {sum(errors) / len(errors):.1f} points, largest {max(errors):.1f}, "
        f"{inside} of {len(errors)} inside the {100 * made[0].level:g} % intervals."
    )


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
