"""Forecasts, backtests and ablations of results without samples."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from on_disk import backtest_document, forecast_document
from results_files import SIZES, ladder_of, of_0_3, stderr

from cod_harness.documents.schemas import schema
from cod_harness.engine.methods import METHODS
from cod_harness.errors import InputError
from cod_harness.evaluation.ablation import ablate_ladder
from cod_harness.evaluation.forecasts import forecast_ladder
from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.report.page.page import page
from cod_harness.report.text.forecast_table import forecast_table

TASKS = {"arc": (2376, -1.0, 0.3), "piqa": (1838, 0.2, 0.25), "sciq": (1000, 0.5, 0.35)}
NEED_QUESTIONS = {"cod-paper", "cod-kmeans", "irt"}
NEED_LOSSES = {"loss", "two-step"}


def accuracy(task: str, place: int) -> float:
    n, height, slope = TASKS[task]
    return round(n * math.exp(-math.exp(-(height + slope * (place - 4))))) / n


@pytest.fixture
def ladder() -> Ladder:
    return ladder_of()


@pytest.fixture
def rates(tmp_path: Path, ladder: Ladder) -> PassRates:
    for place, size in enumerate(SIZES):
        scores = {task: (accuracy(task, place), TASKS[task][0]) for task in TASKS}
        of_0_3(tmp_path / f"{size}.json", f"pretrained=m-{size}", scores)
    return read_passrates(tmp_path, ladder)


def test_the_trend_alone(rates: PassRates, ladder: Ladder) -> None:
    document = forecast_document(rates, ladder)
    jsonschema.validate(document, schema(Forecasts))
    for entry in document["forecasts"]:
        assert entry["observed"] == pytest.approx(accuracy(entry["task"], 7))
        assert abs(entry["mean"] - entry["observed"]) < 0.05
        assert entry["low"] < entry["observed"] < entry["high"]
        assert list(entry["parts"]) == ["trend"]
        assert entry["subset"] == {"mean": None, "share": None}
        assert entry["verdict"] == "ok" and entry["reasons"] == []
    for name, task in document["tasks"].items():
        n = TASKS[name][0]
        assert (task["source"], task["questions"], task["samples"]) == ("accuracies", n, 1)
        assert task["clusters"] == [] and task["mapping"] is None and task["bandwidth"] is None
        assert sum(task["classes"].values()) == n
        for place, rung in enumerate(task["rungs"]):
            p = accuracy(name, place)
            assert rung["accuracy"] == pytest.approx(p)
            assert rung["stderr"] == pytest.approx(stderr(p, n))
        assert task["metric"] == "acc" and len(task["curve"]["points"]) > 5


def test_it_is_said_in_table_and_page(rates: PassRates, ladder: Ladder) -> None:
    made = forecast_ladder(rates, ladder)
    table = forecast_table(made.record.forecasts, 100)
    assert "Of results without samples, their trend alone; nothing is clustered\n" in table
    assert "Made from" not in table
    pytest.importorskip("altair")
    html = page(made.with_curves())
    assert html.count("from results without samples: accuracies alone, nothing to cluster") == 3
    assert 'data-chart="accuracy"' in html and 'data-chart="clusters"' not in html
    assert "0</b> clusters" not in html
    with pytest.raises(InputError, match="no clusters to save"):
        made.clusters()


def test_a_weak_forecast_says_where_it_comes_from(rates: PassRates, ladder: Ladder) -> None:
    few = replace(ladder, rungs=ladder.rungs[:4])
    for entry in forecast_document(rates, few)["forecasts"]:
        assert entry["verdict"] == "weak"
        assert entry["codes"][-1] == "results_alone" and "no_questions" not in entry["codes"]


def test_every_method_forecasts_or_says_why_not(rates: PassRates, ladder: Ladder) -> None:
    document = backtest_document(rates, ladder, list(METHODS), holdout=0)
    jsonschema.validate(document, schema(Backtest))
    for row in document["rows"]:
        assert row["questions"] == TASKS[row["task"]][0]
        if row["method"] in NEED_QUESTIONS:
            assert row["codes"] == ["no_questions"]
        elif row["method"] in NEED_LOSSES:
            assert row["codes"] == ["no_losses"]
        else:
            assert row["forecast"] is not None
    assert document["summary"]["cod"]["n"] == 3
    assert document["summary"]["cod"]["mean"] < 3


def test_losses_serve_the_methods_that_go_by_them(rates: PassRates, ladder: Ladder) -> None:
    losses = [replace(rung, loss=3.5 - 0.2 * place) for place, rung in enumerate(ladder.rungs)]
    told = replace(ladder, rungs=tuple(losses))
    for row in backtest_document(rates, told, ["loss", "two-step"], holdout=0)["rows"]:
        assert row["forecast"] is not None


def test_some_tasks_by_their_questions(rates: PassRates, ladder: Ladder) -> None:
    rows = [
        ("new", f"q{question}", size, int(100 * accuracy("arc", place)), 100)
        for place, size in enumerate(SIZES)
        for question in range(40)
    ]
    columns = ["task", "question", "model", "n_correct", "n_samples"]
    frame = pd.concat([rates.frame, pd.DataFrame(rows, columns=columns)])
    both = PassRates(frame.fillna({"rate": pd.NA}), rates.settings)
    document = forecast_document(both, ladder)
    sources = {name: task["source"] for name, task in document["tasks"].items()}
    assert sources == dict.fromkeys(TASKS, "accuracies") | {"new": "questions"}
    assert document["tasks"]["new"]["clusters"]
    # With the others beside it, each is forecast as from all benchmarks of the ladder.
    assert all(entry["mean"] is not None for entry in document["forecasts"])
    made = forecast_ladder(both, ladder)
    table = forecast_table(made.record.forecasts, 100)
    assert "nothing is clustered: arc, piqa, sciq" in table and "Made from" in table
    assert made.clusters().tasks == ["new"]
    ablated = ablate_ladder(both, ladder, ["clustering"])
    assert {one.task for one in ablated.axes["clustering"].forecasts} == {"new"}
    assert sum("not ablated" in note for note in ablated.settings.notes) == 3


def test_nothing_to_ablate(rates: PassRates, ladder: Ladder) -> None:
    with pytest.raises(InputError):
        ablate_ladder(rates, ladder, ["law"])


def test_runs_that_differ_are_refused(tmp_path: Path, ladder: Ladder) -> None:
    for place, size in enumerate(SIZES):
        path = tmp_path / f"{size}.json"
        scores = {"arc": (accuracy("arc", place), 2376)}
        of_0_3(path, f"pretrained=m-{size}", scores, shots=5 * (size == "1b"))
    differing = read_passrates(tmp_path, ladder)
    with pytest.raises(InputError, match=r"the runs differ: arc: num_fewshot is 0 on .* 5 on 1b"):
        forecast_ladder(differing, ladder)


def test_what_nobody_tells_is_not_made_up(ladder: Ladder) -> None:
    rows = [("arc", size, accuracy("arc", place)) for place, size in enumerate(SIZES)]
    frame = pd.DataFrame(rows, columns=["task", "model", "rate"])
    rates = PassRates(frame.assign(question="(whole benchmark)", n_samples=0))
    document = forecast_document(rates, ladder, ["cod", "passrate", "neglog"])
    jsonschema.validate(document, schema(Forecasts))
    task = document["tasks"]["arc"]
    assert task["questions"] == 0 and task["rungs"][0]["stderr"] is None
    for entry in document["forecasts"]:
        assert abs(entry["mean"] - entry["observed"]) < 0.1, entry["method"]


def test_no_method_is_ok_on_a_ladder_that_jumps(ladder: Ladder) -> None:
    """One benchmark of three is smooth; the others jump at the last rungs."""
    rows = []
    for place, size in enumerate(SIZES):
        smooth = accuracy("arc", place)
        jumpy = 0.15 + 0.02 * place + 0.4 * (place >= 5)
        rows += [("smooth", size, smooth), ("one", size, jumpy), ("two", size, jumpy + 0.05)]
    frame = pd.DataFrame(rows, columns=["task", "model", "rate"])
    rates = PassRates(frame.assign(question="(whole benchmark)", n_samples=2000))
    methods = ["cod", "exp", "powerlaw", "passrate", "logistic"]
    made = forecast_document(rates, ladder, methods)["forecasts"]
    mine = [entry for entry in made if entry["task"] == "smooth"]
    assert [entry["method"] for entry in mine] == methods
    for entry in mine:
        assert entry["verdict"] == "weak" and "jumpy_ladder" in entry["codes"], entry["method"]
    # Alone it would be fine.
    for entry in forecast_document(rates.only(["smooth"]), ladder, ["powerlaw"])["forecasts"]:
        assert entry["verdict"] == "ok"
