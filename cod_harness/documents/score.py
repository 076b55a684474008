"""Registered forecasts against what was measured, `cod-score/1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cod_harness.documents.measured import Results, measured
from cod_harness.documents.register import SCORE, forecasts_of
from cod_harness.documents.writing import provenance
from cod_harness.errors import InputError
from cod_harness.report.text.grid import UNKNOWN, grid

SCHEMA = "cod-score/1"
_KEY = ("entry", "task", "target", "method")

Row = Mapping[str, Any]
Entry = Mapping[str, Any]


def score_rows(
    entries: Sequence[Entry], results: Sequence[Results], target: str | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
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
    targets = list(dict.fromkeys(forecast["target"] for _, forecast in registered))
    if target is not None and target not in targets:
        raise InputError(
            f"--target {target}: no forecast of it is registered; there are {', '.join(targets)}"
        )
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    notes: list[str] = []
    others = [one for one in results if one.model not in (None, *targets)]
    if others:
        models = ", ".join(dict.fromkeys(str(one.model) for one in others))
        notes.append(f"{len(others)} results not used, of no registered target: {models}")
    for one in results:
        whose = _whose(one, targets, target)
        for entry, forecast in registered if whose else ():
            if forecast["target"] != whose:
                continue
            found = measured(one, forecast["task"], entry["tasks"][forecast["task"]])
            if isinstance(found, str):
                notes.append(found)
                continue
            row = _row(entry, forecast, one, found.value, found.kind, found.differs)
            rows[tuple(row[key] for key in _KEY)] = row
    return list(rows.values()), list(dict.fromkeys(notes))


def all_rows(entries: Sequence[Entry], fresh: Sequence[Row]) -> list[Row]:
    """The latest score of every forecast: those in the register, then the fresh ones."""
    latest: dict[tuple[Any, ...], Row] = {}
    earlier = [row for entry in entries if entry["kind"] == SCORE for row in entry["scores"]]
    for row in [*earlier, *fresh]:
        latest[tuple(row[key] for key in _KEY)] = row
    return list(latest.values())


def calibration(rows: Sequence[Row], as_is: bool = False) -> dict[str, dict[str, Any]]:
    """Per method: n forecasts scored, mean, max and bias of their errors in points, share inside
    their intervals and the level promised, number abstained, number registered too late.

    Rows whose forecast was of another quantity than what was measured count only `as_is`.
    """
    found: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method and (as_is or not row["differs"])]
        made = [row for row in mine if row["error"] is not None]
        errors = [row["error"] for row in made]
        held = [row["inside"] for row in made if row["inside"] is not None]
        found[method] = {
            "n": len(made),
            "mean": _mean([abs(error) for error in errors]),
            "max": max((abs(error) for error in errors), default=None),
            "bias": _mean(errors),
            "inside": _mean([float(one) for one in held]),
            "level": _mean([row["level"] for row in made]),
            "abstained": len(mine) - len(made),
            "late": sum(row["late"] for row in mine),
            "left_out": sum(row["method"] == method for row in rows) - len(mine),
        }
    return found


def score_document(
    register: str, rows: Sequence[Row], every: Sequence[Row], notes: Sequence[str], as_is: bool
) -> dict[str, Any]:
    """The scores of now, and the calibration of all so far."""
    return {
        "schema": SCHEMA,
        "register": register,
        "rows": list(rows),
        "calibration": calibration(every, as_is),
        "notes": list(notes),
        **provenance(),
    }


def score_table(document: Mapping[str, Any], width: int) -> str:
    """A score document as text for a terminal."""
    rows = document["rows"]
    headers = ["Task", "Target", "Entry", "Method", "Forecast", "Interval", "Measured", "Error"]
    headers += ["Inside"]
    cells = [
        [
            row["task"], row["target"], str(row["entry"]), row["method"], _percent(row["forecast"]),
            UNKNOWN if row["low"] is None else f"{_percent(row['low'])} - {_percent(row['high'])}",
            _percent(row["observed"]) + "*" * bool(row["differs"]),
            UNKNOWN if row["error"] is None else f"{round(row['error'], 1) + 0.0:+.1f}",
            {None: UNKNOWN, True: "yes", False: "no"}[row["inside"]],
        ]
        for row in rows
    ]  # fmt: skip
    lines = ["Registered forecasts against measured values, in percent", ""]
    lines += grid(headers, cells, width, ("Target", "Method"))
    about = [
        [
            method, str(one["n"]), _points(one["mean"]), _points(one["max"]),
            UNKNOWN if one["bias"] is None else f"{one['bias']:+.1f}", _share(one["inside"]),
            _share(one["level"]), str(one["abstained"]), str(one["late"]),
        ]
        for method, one in document["calibration"].items()
    ]  # fmt: skip
    heads = ["Method", "Scored", "Mean", "Max", "Bias", "Inside", "Promised", "Abstained", "Late"]
    lines += ["", "Calibration over all entries so far, errors in points", ""]
    lines += grid(heads, about, width)
    if any(row["differs"] for row in rows):
        kinds = dict.fromkeys(f"{row['task']}: {row['differs']}" for row in rows if row["differs"])
        lines += ["", "* another quantity than the forecast's; left out of the calibration", *kinds]
    if any(one["late"] for one in document["calibration"].values()):
        lines += ["", "Late: registered after the evaluation began; such a forecast shows nothing."]
    return "\n".join(lines)


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


def _row(
    entry: Entry,
    forecast: Mapping[str, Any],
    results: Results,
    value: float,
    kind: str,
    differs: str,
) -> dict[str, Any]:
    made = forecast["mean"] is not None
    low, high = forecast["low"], forecast["high"]
    inside = None
    if made and low is not None and high is not None:
        inside = low - 1e-9 <= value <= high + 1e-9
    return {
        "entry": entry["entry"],
        "registered": entry["date"],
        "task": forecast["task"],
        "target": forecast["target"],
        "method": forecast["method"],
        "forecast": forecast["mean"],
        "low": low,
        "high": high,
        "level": forecast["level"],
        "verdict": forecast["verdict"],
        "observed": value,
        "error": 100 * (forecast["mean"] - value) if made else None,
        "inside": inside,
        "kind": kind,
        "differs": differs,
        "late": results.date is not None and results.date < datetime.fromisoformat(entry["date"]),
        "results": results.path.name,
        "sha256": results.sha256,
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f}"


def _points(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}"


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.0f} %"
