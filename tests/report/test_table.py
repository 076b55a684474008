from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.report.text.forecast_table import forecast_table


def entry(task: str, **changes: Any) -> TaskForecast:
    values = {
        "task": task, "target": "70b", "compute": 3.807e24, "method": "cod",
        "mean": 0.6543, "low": 0.61, "high": 0.7, "level": 0.9, "verdict": "ok", "reasons": [],
        "subset": {"mean": 0.7, "share": 0.53}, "observed": 0.64,
    } | changes  # fmt: skip
    return msgspec.convert(values, TaskForecast)


ABSTAIN = entry(
    "math", mean=None, low=None, high=None, verdict="abstain", observed=None,
    reasons=["no cluster rises with compute", "the rungs are out of order"],
    subset={"mean": None, "share": None},
)  # fmt: skip


def test_the_whole_text() -> None:
    weak = entry("bbh", mean=0.05, observed=0.1, verdict="weak", reasons=["the subset is small"])
    text = forecast_table([entry("gsm8k_cot"), weak, ABSTAIN])
    assert (
        text
        == """\
Forecast for 70b (3.81e+24 FLOP) by cod, in percent, 90 % interval

|Task     |Forecast|   Interval|Measured|Error|Verdict|Predictable|
|---------|-------:|----------:|-------:|----:|-------|----------:|
|gsm8k_cot|    65.4|61.0 - 70.0|    64.0| +1.4|ok     |       53.0|
|bbh      |     5.0|61.0 - 70.0|    10.0| -5.0|weak   |       53.0|
|math     |       -|          -|       -|    -|abstain|          -|

bbh: A direction, not a number: the subset is small.
math: No number: no cluster rises with compute. The rungs are out of order.

Absolute error over 2 tasks: mean 3.2 points, largest 5.0 (bbh)"""
    )


def test_a_block_per_target_and_method() -> None:
    others = [entry("a", method="exp"), entry("a", target="1e+25 FLOP", compute=1e25)]
    text = forecast_table([entry("a"), entry("b"), *others])
    titles = [line for line in text.splitlines() if line.startswith("Forecast for")]
    assert titles == [
        "Forecast for 70b (3.81e+24 FLOP) by cod, in percent, 90 % interval",
        "Forecast for 70b (3.81e+24 FLOP) by exp, in percent, 90 % interval",
        "Forecast for 1e+25 FLOP by cod, in percent, 90 % interval",
    ]


def test_no_error_is_no_negative_zero() -> None:
    text = forecast_table([entry("a", mean=0.99999, observed=1.0)])
    assert "| +0.0|" in text


def test_nothing_measured_no_error_line() -> None:
    assert "Absolute error" not in forecast_table([ABSTAIN])


@pytest.mark.parametrize("width", [80, 100, 72])
def test_fits_the_width(width: int) -> None:
    names = ["a_very_long_task_name_of_a_benchmark_" + end for end in ("with_tail_1", "tail_2")]
    reason = ["a reason that is far longer than one line of a terminal can be, said twice"] * 2
    entries = [entry(name, verdict="weak", reasons=reason) for name in names]
    text = forecast_table(entries, width=width)
    assert max(map(len, text.splitlines())) <= width
    cells = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|a_")]
    assert len(set(cells)) == 2 and all(".." in cell for cell in cells)
    assert cells[0].endswith("tail_1")


def test_the_same_wherever_it_is_not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    document = [entry("x" * 60)]
    first = forecast_table(document)
    monkeypatch.setenv("COLUMNS", "300")
    assert forecast_table(document) == first == forecast_table(document, width=80)


def test_what_a_forecast_was_made_from() -> None:
    both = {"clusters": {"mean": 0.5, "weight": 0.75}, "trend": {"mean": 0.7, "weight": 0.25}}
    alone = {"trend": {"mean": 0.25, "weight": 1.0}}
    entries = [entry("a", parts=both), entry("b", parts=alone), entry("c")]
    text = forecast_table(entries)
    assert (
        "|Made from|Clusters|Weight|Trend|Weight |\n"
        "|---------|-------:|-----:|----:|------:|\n"
        "|a        |    50.0|  0.75| 70.0|   0.25|\n"
        "|b        |       -|     -| 25.0|   1.00|"
    ) in text


def test_pictures_for_trackers_have_captions() -> None:
    from made_documents import abstained, made_entry, made_forecasts

    from cod_harness.report.trackers import caption

    entries = [made_entry("gsm8k"), made_entry("gsm8k", "exp"), abstained("math")]
    record = made_forecasts(forecasts=entries)
    assert caption(record, "gsm8k") == "gsm8k by cod; big: 62.0 % (55.0 to 70.0), usable"
    assert caption(record, "math") == "math by cod; big, no forecast"


def test_a_value_outside_its_interval_is_marked() -> None:
    from cod_harness.report.text.forecast_table import forecast_lines

    spans = [
        span
        for line in forecast_lines([entry("a"), entry("b", observed=0.9)], 80)
        for span in line
        if span.style == "outside"
    ]
    assert [span.text.strip() for span in spans] == ["90.0"]
