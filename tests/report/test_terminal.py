from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence

import pytest
from made_documents import abstained, made_entry, made_forecasts

from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.report.text.forecast_table import forecast_table
from cod_harness.report.text.terminal import print_forecast

CODES = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def document() -> Sequence[TaskForecast]:
    weak = made_entry("math", verdict="weak", reasons=["few rungs: only five"])
    return made_forecasts(
        forecasts=[made_entry("gsm8k", observed=0.6), weak, abstained("drop")]
    ).forecasts


def printed(document: Sequence[TaskForecast], monkeypatch: pytest.MonkeyPatch) -> str:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    print_forecast(document)
    return screen.getvalue()


def test_colours_change_no_letter(
    document: Sequence[TaskForecast], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = printed(document, monkeypatch)
    assert "\x1b[32m" in text and "\x1b[33m" in text
    assert CODES.sub("", text).rstrip("\n") == forecast_table(document, width=100)


def test_no_color(document: Sequence[TaskForecast], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", printed(document, monkeypatch))


def test_plain_where_it_is_no_terminal(
    document: Sequence[TaskForecast], capsys: pytest.CaptureFixture[str]
) -> None:
    print_forecast(document)
    assert capsys.readouterr().out == forecast_table(document, width=80) + "\n"
