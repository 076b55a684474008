"""The demo's ending: forecasts beside measured values and the best other method."""

from __future__ import annotations

import msgspec
import pytest
from made_documents import abstained, made_entry

from cod_harness.evaluation.records.forecast import TaskForecast
from cod_harness.report.text.baselines_table import baselines_table


def forecasts(**means: tuple[float | None, float | None]) -> list[TaskForecast]:
    """By some methods, of two tasks that were measured at .50 and .30."""
    return [
        msgspec.convert(
            abstained(task, method) | {"observed": observed}
            if mean is None
            else made_entry(
                task, method, mean=mean, low=mean - 0.05, high=mean + 0.05, observed=observed
            ),
            TaskForecast,
        )
        for method, pair in means.items()
        for task, mean, observed in zip(("one", "two"), pair, (0.5, 0.3), strict=True)
    ]


def test_a_line_a_task_and_the_best_baseline_beside() -> None:
    text = baselines_table(
        forecasts(cod=(0.52, 0.2), bad=(0.9, 0.9), good=(0.47, 0.31)), "cod", width=99
    )
    table = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in table]
    assert cells[0][-1] == "good errs"
    assert cells[2] == ["one", "52.0", "47.0 - 57.0", "50.0", "+2.0", "ok", "-3.0"]
    assert cells[3] == ["two", "20.0", "15.0 - 25.0", "30.0", "-10.0", "ok", "+1.0"]
    assert [cells[4][4], cells[4][6]] == ["6.0", "2.0"]


def sentence(text: str) -> str:
    return " ".join(text[text.index("From the") :].split())


def test_the_sentence_says_what_came_out_good_or_bad() -> None:
    made = forecasts(cod=(0.52, 0.2), bad=(0.9, 0.9), good=(0.47, 0.31), fair=(0.55, 0.4))
    assert sentence(baselines_table(made, "cod")) == (
        "From the smaller models alone cod forecast 2 of 2 benchmarks with a mean error of 6.0 "
        "points, at most 10.0 (two); 1 of 2 intervals hold what was measured; 2 of 3 other methods "
        "err more on the same runs, the best of them in hindsight (good) by 2.0 points, the median "
        "one by 7.5, the worst (bad) by 50.0."
    )


def test_a_baseline_that_forecasts_less_is_not_the_best() -> None:
    made = forecasts(cod=(0.52, 0.2), shy=(0.5, None), bold=(0.6, 0.4))
    assert "bold errs" in baselines_table(made, "cod", width=99)


def test_methods_left_out_are_no_baselines() -> None:
    made = forecasts(cod=(0.52, 0.2), near=(0.5, 0.3), far=(0.6, 0.4))
    text = baselines_table(made, "cod", left_out=("near",), width=99)
    assert "far errs" in text
    assert "of 1 other methods" in sentence(text)


def test_what_was_not_forecast_is_said() -> None:
    text = baselines_table(forecasts(cod=(0.52, None), other=(0.5, 0.3)), "cod", width=99)
    assert "forecast 1 of 2 benchmarks" in text
    row = next(line for line in text.splitlines() if line.startswith("|two"))
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["-", "-"]


@pytest.mark.parametrize("alone", [True, False])
def test_nothing_forecast_or_nobody_beside(alone: bool) -> None:
    if alone:
        assert "hold what was measured." in baselines_table(
            forecasts(cod=(0.52, 0.2)), "cod", width=99
        )
    else:
        text = baselines_table(forecasts(cod=(None, None), other=(0.5, 0.3)), "cod")
        assert "cod forecast nothing that was measured." in text
