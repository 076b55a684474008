"""The page: a forecast or backtest as one HTML file that needs no network."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.evaluation.records.plan import Plan
from cod_harness.ladder.files import write_dated
from cod_harness.report.charts.theme import config, variables
from cod_harness.report.text import sentences as reading

REPORT_PREFIX = "cod_report_"
_REMEDY = "pip install 'altair>=5.5' 'vl-convert-python>=1.7' 'jinja2>=3.1'"

Document = Forecasts | Backtest
Texts = Mapping[str, Mapping[str, str]]  # task -> question name -> text


def page(document: Document, texts: Texts | None = None, plan: Plan | None = None) -> str:
    """The HTML of a forecast or a backtest.

    Args:
        document: the record; nothing is forecast again.
        texts: texts of questions, per task and name; without them questions are only named.
        plan: what to measure next, to be shown with a forecast.

    Raises:
        InputError: a package that the page needs is not installed.
    """
    if isinstance(document, Backtest):
        from cod_harness.report.page.backtest import TEMPLATE, backtest_content

        return _rendered(TEMPLATE, backtest_content(document), charts_of(document))
    from cod_harness.report.page.forecast import TEMPLATE as FORECAST
    from cod_harness.report.page.forecast import forecast_content

    content = forecast_content(document, texts or {}, plan)
    return _rendered(FORECAST, content, charts_of(document, texts))


def write_page(
    document: Document,
    out: str | os.PathLike[str],
    texts: Texts | None = None,
    plan: Plan | None = None,
) -> Path:
    """Write `OUT/cod_report_<date>.html`, whole or not at all; returns its path."""
    out = Path(out)
    return write_dated(out, REPORT_PREFIX, ".html", page(document, texts, plan), out)


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
