"""A forecast in words: what its verdict means, and one sentence on how far to trust it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from cod_harness.evaluation.records.forecast import TaskForecast, TaskSummary

VERDICTS = {
    "ok": "usable",
    "weak": "weak",
    "abstain": "no forecast",
}
_TELLS_THE_WIDTH = "wide_interval"  # code of a reason


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
    """One sentence on how far to trust a forecast; not `brief`: with all its reasons."""
    because = _because(entry.reasons, brief)
    if entry.verdict == "abstain":
        return f"No number, because {because}." if entry.reasons else "No number."
    width = "" if entry.width is None else f"{entry.width:.0f} points wide"
    if entry.verdict == "weak":
        said = entry.codes[:1] if brief else entry.codes
        if _TELLS_THE_WIDTH in said or not width:
            return f"A direction, not a number: {because}."
        return f"A direction, not a number: {because} (interval {width})."
    share = entry.subset.share
    carried = "" if share is None else f"; {100 * share:.0f} % of the questions carry it"
    held = f", {width}" if width else ""
    return f"To be used with its interval{held}{carried}."


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
    errors = [abs(entry.error) for entry in made if entry.error is not None]
    if errors:
        inside = sum(bool(entry.held) for entry in made)
        said += (
            f" Measured values are known for {len(errors)}: mean error "
            f"{sum(errors) / len(errors):.1f} points, largest {max(errors):.1f}, "
            f"{inside} of {len(errors)} inside the {100 * made[0].level:g} % intervals."
        )
    return said


def _because(reasons: Sequence[str], brief: bool) -> str:
    if not brief:
        return "; ".join(reasons)
    more = len(reasons) - 1
    first = reasons[0].rstrip(".") if reasons else "its reasons are not told"
    return first + (f", and {more} more reason{'s' * (more > 1)} below" if more > 0 else "")


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
