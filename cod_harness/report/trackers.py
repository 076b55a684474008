"""Forecasts into the experiment tracker's run that the harness has open, if it has one.

Nothing is imported that the harness has not imported: without `--wandb_args` or `--trackio_args`
no tracker is loaded, and none is needed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.messages import say
from cod_harness.report.text.sentences import VERDICTS, percent

_COLUMNS = ("task", "target", "method", "forecast", "low", "high", "measured", "verdict", "reasons")
_CHARTED = 20  # benchmarks whose main chart is logged


def open_runs() -> list[str]:
    """The trackers with an open run in this process: "wandb", "trackio"."""
    found = []
    if getattr(sys.modules.get("wandb"), "run", None) is not None:
        found.append("wandb")
    if _trackio_run() is not None:
        found.append("trackio")
    return found


def log(document: Forecasts, page: Path | None) -> None:
    """Log forecasts, table, charts and page; a tracker's fault is told and costs nothing else."""
    for name in open_runs():
        try:
            _LOGGERS[name](document, page)
            say(f"forecast logged to the run of {name}")
        except Exception as error:  # whatever a tracker raises, the run has its results
            say(f"WARNING: {name} did not take the forecast: {type(error).__name__}: {error}")


def numbers(document: Forecasts) -> dict[str, float]:
    """Every forecast's numbers by a name: `cod/<task>/<target>/<method>/mean` and so on."""
    found = {}
    for entry in document.forecasts:
        start = f"cod/{entry.task}/{entry.target}/{entry.method}"
        for key in ("mean", "low", "high", "observed"):
            value = getattr(entry, key)
            if value is not None:
                found[f"{start}/{key}"] = value
    return found


def rows(document: Forecasts) -> list[list[Any]]:
    """The forecasts as rows of a table; its columns are `_COLUMNS`."""
    return [
        [
            entry.task, entry.target, entry.method, entry.mean, entry.low,
            entry.high, entry.observed, entry.verdict, "; ".join(entry.reasons),
        ]
        for entry in document.forecasts
    ]  # fmt: skip


def caption(document: Forecasts, task: str) -> str:
    """What is under a benchmark's picture: its forecasts by the first method."""
    method = document.settings.methods[0]
    told = []
    for entry in document.of(task):
        if entry.method != method:
            continue
        said = f"{entry.target}: {percent(entry.mean)} %" if entry.mean is not None else ""
        if said and entry.low is not None:
            said += f" ({percent(entry.low)} to {percent(entry.high)})"
        told.append(f"{said or entry.target}, {VERDICTS[entry.verdict]}")
    return f"{task} by {method}; {'; '.join(told)}"


def _to_wandb(document: Forecasts, page: Path | None) -> None:
    wandb = sys.modules["wandb"]
    data: dict[str, Any] = dict(numbers(document))
    data["cod/forecasts"] = wandb.Table(columns=list(_COLUMNS), data=rows(document))
    with tempfile.TemporaryDirectory() as folder:
        for task, path in _pictures(document, Path(folder)).items():
            data[f"cod/charts/{task}"] = wandb.Image(str(path), caption=caption(document, task))
        if page:
            data["cod/report"] = wandb.Html(str(page))
        wandb.run.log(data)


def _to_trackio(document: Forecasts, page: Path | None) -> None:
    import pandas as pd

    trackio = sys.modules["trackio"]
    data: dict[str, Any] = dict(numbers(document))
    table = pd.DataFrame(rows(document), columns=list(_COLUMNS))
    data["cod/forecasts"] = trackio.Table(dataframe=table)
    with tempfile.TemporaryDirectory() as folder:
        for task, path in _pictures(document, Path(folder)).items():
            data[f"cod/charts/{task}"] = trackio.Image(str(path), caption=caption(document, task))
        trackio.log(data)


def _pictures(document: Forecasts, folder: Path) -> dict[str, Path]:
    """The chart of accuracy over compute of each benchmark, as PNG; none without the packages."""
    from cod_harness.errors import InputError
    from cod_harness.report.page.page import charts_of

    try:
        charts = charts_of(document)
    except InputError as refusal:
        say(f"no charts logged: {refusal}")
        return {}
    from cod_harness.report.charts.files import picture

    found = {}
    for place, (task, named) in enumerate(list(charts.items())[:_CHARTED]):
        if "accuracy" in named:
            path = folder / f"{place}.png"
            path.write_bytes(bytes(picture(named["accuracy"], "png")))  # type: ignore[arg-type]
            found[task] = path
    return found


def _trackio_run() -> Any:
    trackio = sys.modules.get("trackio")
    current = getattr(getattr(trackio, "context_vars", None), "current_run", None)
    return current.get(None) if current is not None else None


_LOGGERS: dict[str, Callable[[Forecasts, Path | None], None]] = {
    "wandb": _to_wandb,
    "trackio": _to_trackio,
}
