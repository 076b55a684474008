"""`cod-harness report`: the page of a forecast or a backtest, its charts, a summary."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError
from cod_harness.messages import say

_ABOUT = """\
Write the page of a forecast or a backtest: one HTML file, no network needed to read it.
Without -o it goes beside the JSON as cod_report_<date>.html."""


def parser() -> ArgumentParser:
    """The parser of `cod-harness report`."""
    made = ArgumentParser(
        prog="cod-harness report",
        examples=(
            "cod-harness report out",
            "cod-harness report out --markdown summary.md --png charts",
        ),
        allow_abbrev=False,
        description=_ABOUT,
    )
    made.add_argument(
        "document", metavar="FORECAST.json", help="forecast, backtest, or a folder with a forecast"
    )
    made.add_argument("-o", "--output", metavar="FILE.html", help="the page; never overwritten")
    made.add_argument("--png", metavar="DIR", help="also each chart as a PNG file")
    made.add_argument("--svg", metavar="DIR", help="also each chart as an SVG file")
    made.add_argument(
        "--markdown",
        metavar="FILE",
        nargs="?",
        const="-",
        help="a summary for a pull request or model card, instead of the page; - or nothing is "
        "standard output",
    )
    made.add_argument(
        "--with-questions",
        metavar="SAMPLES",
        nargs="+",
        help="show texts of example questions, out of lm-eval's samples_*.jsonl (files, folders)",
    )
    made.add_argument(
        "--plan", metavar="PLAN.json", help="show what to measure next, by `plan --json`"
    )
    return made


def main(words: Sequence[str]) -> int:
    """Parse, draw and write. Returns the exit status."""
    asked = parser().parse_args(words)

    from cod_harness.documents.reading import found, read_document, targets_of
    from cod_harness.evaluation.records.forecast import Forecasts
    from cod_harness.evaluation.records.plan import Plan
    from cod_harness.ladder.files import check_file, check_folder, write_whole

    path = found(asked.document)
    document = read_document(path).record
    if isinstance(document, Forecasts):
        say(f"reporting {path}: forecasts for {targets_of(document)}")
    for file in (asked.output, asked.markdown):
        check_file(file)
    beside = [] if asked.output or asked.markdown else [path.parent]
    for folder in filter(None, (*beside, asked.png, asked.svg)):
        check_folder(folder)
    if asked.markdown:
        from cod_harness.report.text.markdown import markdown

        if not isinstance(document, Forecasts):
            raise _no_forecast("--markdown", asked.document)
        if asked.markdown == "-":
            sys.stdout.write(markdown(document))
        else:
            _told(write_whole(asked.markdown, markdown(document)))
    for kind in ("png", "svg"):
        if folder := getattr(asked, kind):
            from cod_harness.report.charts.files import write_charts

            count = len(write_charts(document, folder, kind))
            _told(f"{count} charts as {kind.upper()} into {folder}", "")
    if asked.markdown and not asked.output:
        return 0

    from cod_harness.report.page.page import page, write_page

    texts = None
    if asked.with_questions:
        from cod_harness.report.page.question_texts import question_texts

        if not isinstance(document, Forecasts):
            raise _no_forecast("--with-questions", asked.document)
        texts = question_texts(document, asked.with_questions)
    plan = None
    if asked.plan:
        if not isinstance(document, Forecasts):
            raise _no_forecast("--plan", asked.document)
        plan = read_document(asked.plan, Plan).record
    if asked.output:
        _told(write_whole(asked.output, page(document, texts, plan)))
    else:
        _told(write_page(document, path.parent, texts, plan))
    return 0


def _no_forecast(flag: str, path: str) -> InputError:
    return InputError(f"{flag}: {path} is a backtest; give a forecast")


def _told(what: str | Path, verb: str = "written to ") -> None:
    say(f"{verb}{what}")
