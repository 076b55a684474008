"""The page: a forecast or backtest as one HTML file that needs no network."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.evaluation.records.forecast import Forecasts, TaskForecast, TaskSummary
from cod_harness.ladder.files import write_dated
from cod_harness.report.charts.theme import CLASSES, config, variables
from cod_harness.report.text import sentences as reading

REPORT_PREFIX = "cod_report_"
REFUSED_SHOWN = 25  # rows of a benchmark's table of refused clusters
_REMEDY = "pip install 'altair>=5.5' 'vl-convert-python>=1.7' 'jinja2>=3.1'"

Document = Forecasts | Backtest
Texts = Mapping[str, Mapping[str, str]]  # task -> question name -> text


def page(document: Document, texts: Texts | None = None) -> str:
    """The HTML of a forecast or a backtest.

    Args:
        document: the record; nothing is forecast again.
        texts: texts of questions, per task and name; without them questions are only named.

    Raises:
        InputError: a package that the page needs is not installed.
    """
    if isinstance(document, Backtest):
        from cod_harness.report.page.backtest import TEMPLATE, backtest_content

        return _rendered(TEMPLATE, backtest_content(document), charts_of(document))
    content = _forecast_content(document, texts or {})
    return _rendered("forecast.html.j2", content, charts_of(document, texts))


def write_page(document: Document, out: str | os.PathLike[str], texts: Texts | None = None) -> Path:
    """Write `OUT/cod_report_<date>.html`, whole or not at all; returns its path."""
    out = Path(out)
    return write_dated(out, REPORT_PREFIX, ".html", page(document, texts), out)


def charts_of(document: Document, texts: Texts | None = None) -> dict[str, dict[str, Any]]:
    """The Altair charts of a document: group (a task, or "backtest") -> name -> chart."""
    with _packages():
        from altair.utils.schemapi import debug_mode

    # Altair's own checks take longer than the drawing; the tests draw with them.
    with debug_mode(False):
        if isinstance(document, Backtest):
            from cod_harness.report.charts.backtest import backtest_charts

            return {"backtest": backtest_charts(document)}
        from cod_harness.report.charts.forecast import task_charts

        return {
            name: task_charts(task, list(document.of(name)), (texts or {}).get(name))
            for name, task in document.tasks.items()
        }


class _packages:
    """Names the packages to install where one of them is missing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModuleNotFoundError) and error.name in (
            "altair", "vl_convert", "jinja2",
        ):  # fmt: skip
            raise InputError(f"the page needs {error.name}: {_REMEDY}") from None


def _forecast_content(document: Forecasts, texts: Texts) -> dict[str, Any]:
    methods = document.settings.methods
    targets = document.targets
    return {
        "title": f"Forecast: {document.ladder.name}",
        "document": document,
        "method": methods[0],
        "others": methods[1:],
        "heading": _heading(document),
        "targets": [_target(document, target, methods) for target in targets],
        "benchmarks": [
            _benchmark(document, name, task, methods[0]) for name, task in document.tasks.items()
        ],
        "level": f"{100 * document.settings.level:g} %",
        "has_texts": bool(texts),
        "command": reading.command_text(document.settings.command),
    }


def _heading(document: Forecasts) -> str:
    targets = document.targets
    if len(targets) == 1:
        return f"What {targets[0]} will score"
    named = any(entry.named for entry in document.forecasts)
    return f"Forecasts for {len(targets)} {'models' if named else 'amounts of compute'}"


def _target(document: Forecasts, target: str, methods: Sequence[str]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for task in document.tasks:
        entries = {entry.method: entry for entry in document.of(task) if entry.target == target}
        first = entries.get(methods[0])
        if first is None:
            continue
        rows.append(
            {
                "task": task,
                "entry": first,
                "others": [entries[name] for name in methods[1:] if name in entries],
                "trust": reading.trust(first),
                "compared": reading.against_measured(first),
                "verdict": reading.VERDICTS[first.verdict],
            }
        )
    every: list[TaskForecast] = [row["entry"] for row in rows]
    times = [
        found
        for row in rows
        if (found := reading.distance(row["entry"], document.tasks[row["task"]])) is not None
    ]
    return {
        "name": target,
        "amount": reading.amount(every[0].compute) if every and every[0].named else "",
        "times": f"{min(times):.3g}" if times else "",
        "rows": rows,
        "summary": reading.summary(every),
        "measured": any(entry.observed is not None for entry in every),
        "errors": [
            {"method": name, "summary": _mean_error(document, target, name)} for name in methods
        ],
    }


def _mean_error(document: Forecasts, target: str, method: str) -> str:
    errors = [
        abs(entry.error)
        for entry in document.forecasts
        if (entry.target, entry.method) == (target, method) and entry.error is not None
    ]
    return f"{sum(errors) / len(errors):.1f} over {len(errors)}" if errors else ""


def _benchmark(document: Forecasts, name: str, task: TaskSummary, method: str) -> dict[str, Any]:
    refused = sorted(
        (cluster for cluster in task.clusters if not cluster.predictable),
        key=lambda cluster: -cluster.size,
    )
    total = max(task.questions, 1)
    return {
        "name": name,
        "task": task,
        "entries": [entry for entry in document.of(name) if entry.method == method],
        "others": [entry for entry in document.of(name) if entry.method != method],
        "classes": [
            {"words": words, "colour": colour, "count": getattr(task.classes, key),
             "share": 100 * getattr(task.classes, key) / total}
            for key, (words, colour) in CLASSES.items()
        ],
        "refused": refused[:REFUSED_SHOWN],
        "refused_more": max(len(refused) - REFUSED_SHOWN, 0),
        "kept": sum(cluster.predictable for cluster in task.clusters),
        "picks": sorted(task.clusters, key=lambda cluster: -cluster.size)[:40],
    }  # fmt: skip


def _rendered(template: str, content: Mapping[str, Any], charts: Mapping[str, Any]) -> str:
    with _packages():
        import jinja2

        from cod_harness.report.charts.bundle import bundle

        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("cod_harness.report.page"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        environment.filters["percent"] = reading.percent
        environment.filters["amount"] = reading.amount
        return environment.get_template(template).render(
            **content,
            light=variables(False),
            dark=variables(True),
            vega=bundle().replace("</script", "<\\/script"),
            specs={group: _packed(named) for group, named in charts.items()},
            chart_config=json.dumps(config()).replace("<", "\\u003c"),
        )


def _packed(charts: Mapping[str, Any]) -> str:
    """The charts of a group, compressed: a page of many benchmarks stays small."""
    specs = {}
    for name, chart in charts.items():
        spec = chart.to_dict(validate=False)
        specs[name] = {key: spec[key] for key in spec if key not in ("config", "$schema")}
    data = json.dumps(specs, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()
