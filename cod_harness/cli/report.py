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


def main(words: Sequence[str]) -> int:
    """Parse, draw and write. Returns the exit status."""
    parser = ArgumentParser(prog="cod-harness report", allow_abbrev=False, description=_ABOUT)
    parser.add_argument(
        "document", metavar="FORECAST.json", help="forecast, backtest, or a folder with a forecast"
    )
    parser.add_argument("-o", "--output", metavar="FILE.html", help="the page; never overwritten")
    parser.add_argument("--png", metavar="DIR", help="also each chart as a PNG file")
    parser.add_argument("--svg", metavar="DIR", help="also each chart as an SVG file")
    parser.add_argument(
        "--markdown",
        metavar="FILE",
        nargs="?",
        const="-",
        help="a summary for a pull request or model card, instead of the page; - or nothing is "
        "standard output",
    )
    parser.add_argument(
        "--with-questions",
        metavar="SAMPLES",
        nargs="+",
        help="show texts of example questions, out of lm-eval's samples_*.jsonl (files, folders)",
    )
    asked = parser.parse_args(words)

    from cod_harness.documents.reading import BACKTEST, found, read_document
    from cod_harness.ladder.files import write_whole

    document = read_document(asked.document)
    if document["schema"] == BACKTEST and (asked.markdown or asked.with_questions):
        flag = "--markdown" if asked.markdown else "--with-questions"
        raise InputError(f"{flag}: {asked.document} is a backtest; give a forecast")
    if asked.markdown:
        from cod_harness.report.text.markdown import markdown

        if asked.markdown == "-":
            sys.stdout.write(markdown(document))
        else:
            _told(write_whole(asked.markdown, markdown(document)))
    for kind in ("png", "svg"):
        folder = getattr(asked, kind)
        if folder:
            from cod_harness.report.charts.files import write_charts

            count = len(write_charts(document, folder, kind))
            _told(f"{count} charts as {kind.upper()} into {folder}", "")
    if asked.markdown and not asked.output:
        return 0

    from cod_harness.report.page.page import page, write_page

    texts = None
    if asked.with_questions:
        from cod_harness.report.page.question_texts import question_texts

        texts = question_texts(document, asked.with_questions)
    if asked.output:
        _told(write_whole(asked.output, page(document, texts)))
    else:
        _told(write_page(document, found(asked.document).parent, texts))
    return 0


def _told(what: str | Path, verb: str = "written to ") -> None:
    say(f"{verb}{what}")
