"""A forecast in words: what its verdict means, and one sentence on how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]

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


def distance(entry: Entry, task: Mapping[str, Any]) -> float | None:
    """How many times the compute of the largest rung with data the target has."""
    rungs = [rung["compute"] for rung in task["rungs"]]
    return entry["compute"] / max(rungs) if rungs else None


def trust(entry: Entry, brief: bool = True) -> str:
    """One sentence on how far to trust a forecast; not `brief`: with all its reasons."""
    reasons = entry["reasons"]
    if entry["verdict"] == "abstain":
        return f"No number, because {_reason(reasons, brief)}." if reasons else "No number."
    width = ""
    if entry["low"] is not None and entry["high"] is not None:
        width = f"{100 * (entry['high'] - entry['low']):.0f} points wide"
    if entry["verdict"] == "weak":
        said = f"A direction, not a number: {_reason(reasons, brief)}."
        return said if "points wide" in said or not width else f"{said[:-1]} (interval {width})."
    share = entry["subset"]["share"]
    carried = "" if share is None else f"; {100 * share:.0f} % of the questions carry it"
    held = f", {width}" if width else ""
    return f"To be used with its interval{held}{carried}."


def against_measured(entry: Entry) -> str:
    """How the measured value compares; '' where there is none."""
    if entry["observed"] is None:
        return ""
    if entry["mean"] is None:
        return f"Measured {percent(entry['observed'])}."
    error = 100 * (entry["mean"] - entry["observed"])
    side = "too high" if error > 0 else "too low"
    if entry["low"] is None or entry["high"] is None:
        return f"{abs(error):.1f} points {side}."
    inside = entry["low"] - 1e-9 <= entry["observed"] <= entry["high"] + 1e-9
    return f"{abs(error):.1f} points {side}, {'inside' if inside else 'outside'} the interval."


def summary(entries: Sequence[Entry]) -> str:
    """One method's forecasts of one target in a sentence or two."""
    made = [entry for entry in entries if entry["mean"] is not None]
    usable = sum(entry["verdict"] == "ok" for entry in made)
    count = len(entries)
    said = f"{_plural(count, 'benchmark')}: {usable} usable, {len(made) - usable} weak"
    said += f", {count - len(made)} not forecast." if len(made) < count else "."
    known = [entry for entry in made if entry["observed"] is not None]
    if known:
        errors = [100 * abs(entry["mean"] - entry["observed"]) for entry in known]
        inside = sum(
            entry["low"] is not None
            and entry["low"] - 1e-9 <= entry["observed"] <= entry["high"] + 1e-9
            for entry in known
        )
        said += (
            f" Measured values are known for {len(known)}: mean error "
            f"{sum(errors) / len(errors):.1f} points, largest {max(errors):.1f}, "
            f"{inside} of {len(known)} inside the {100 * known[0]['level']:g} % intervals."
        )
    return said


def _reason(reasons: Sequence[str], brief: bool) -> str:
    if not brief:
        return "; ".join(reasons)
    more = len(reasons) - 1
    first = reasons[0].rstrip(".") if reasons else "its reasons are not told"
    return first + (f", and {more} more reason{'s' * (more > 1)} below" if more > 0 else "")


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
