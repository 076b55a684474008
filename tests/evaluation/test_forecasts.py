from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pandas as pd
import pytest
from made_ladders import QUESTIONS, RUNGS, Seen, made_ladder, made_table
from on_disk import Document, forecast_document, on_disk

from cod_harness.documents.reading import read_document
from cod_harness.documents.schemas import schema
from cod_harness.documents.writing import json_text, write_record
from cod_harness.engine import METHODS
from cod_harness.errors import InputError
from cod_harness.evaluation.evidence import fitted, task_evidence
from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.report.text.forecast_table import forecast_table

SHARED = Path(os.environ.get("COD_SHARED", Path(__file__).parents[2] / ".." / "shared")).resolve()


CODES = ["small_subset", "no_rise"]
SAID = [
    "few questions rise steadily, and the others are guessed from them (10 % are predictable)",
    "the ladder does not rise, so the method carries its level on",
]
SCHEMA = schema(Forecasts)


def validated(document: Document) -> Document:
    jsonschema.validate(document, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert on_disk(msgspec.convert(document, Forecasts)) == document
    for about in document["tasks"].values():
        assert sum(about["classes"].values()) == about["questions"]
        sizes = sum(cluster["size"] for cluster in about["clusters"])
        assert sizes == about["classes"]["predictable"] + about["classes"][
            "non_extrapolatable"
        ] or (not about["clusters"])
    return document


def test_a_whole_document(rates: PassRates, ladder: Ladder, engine: Seen) -> None:
    document = validated(forecast_document(rates, ladder, ["cod", "exp"]))
    assert list(document) == [
        "schema", "forecasts", "tasks", "ladder", "settings", "versions", "created",
    ]  # fmt: skip
    found = [(one["target"], one["method"], one["compute"]) for one in document["forecasts"]]
    assert found == [
        ("big", "cod", 1e24), ("big", "exp", 1e24), ("huge", "cod", 1e25), ("huge", "exp", 1e25),
    ]  # fmt: skip
    first = document["forecasts"][0]
    accuracy = 0.75 * 10 / 20  # of the last rung
    assert first == {
        "task": "t", "target": "big", "compute": 1e24, "method": "cod",
        "mean": pytest.approx(accuracy), "low": pytest.approx(accuracy - 0.1),
        "high": pytest.approx(accuracy + 0.1), "level": 0.9, "verdict": "weak",
        "reasons": SAID, "codes": CODES,
        "subset": {"mean": 0.5, "share": 0.75}, "parts": {},
        "observed": pytest.approx(0.75 * 14 / 20),
    }  # fmt: skip
    assert document["forecasts"][1]["subset"] == {"mean": None, "share": None}
    assert document["forecasts"][2]["observed"] is None  # not measured
    task = document["tasks"]["t"]
    assert task["questions"] == QUESTIONS and task["samples"] == 20
    assert (task["filter"], task["metric"]) == ("strict", "exact_match")
    assert task["classes"]["zero"] == QUESTIONS // 4
    assert task["clusters"][0]["c"] is None
    assert task["clusters"][0]["reason"] == "a is on its upper bound"
    assert [point[2] for point in task["mapping"]["points"]] == [*RUNGS, "anchor"]
    column = np.where(np.arange(QUESTIONS) < QUESTIONS // 4, 0, 0.1)
    assert task["rungs"][0] == {
        "name": "r1", "compute": 1e18, "accuracy": pytest.approx(0.075),
        "stderr": pytest.approx(column.std(ddof=1) / QUESTIONS**0.5),
    }  # fmt: skip


def test_a_fit_never_sees_a_target(
    rates: PassRates, table: pd.DataFrame, ladder: Ladder, engine: Seen
) -> None:
    before = forecast_document(rates, ladder)
    spoilt = table.copy()
    spoilt.loc[spoilt["model"] == "big", "n_correct"] = 0
    after = forecast_document(PassRates(spoilt), ladder)
    without = forecast_document(PassRates(table[table["model"] != "big"]), ladder)
    assert [one["observed"] for one in after["forecasts"]] == [0, None]
    for document in (before, after, without):
        for one in document["forecasts"]:
            one["observed"] = None
        del document["created"], document["settings"]["rates_hash"]
    assert before == after == without
    for call in engine:
        assert call.rates.shape == call.n_samples.shape == (QUESTIONS, len(RUNGS))
        assert call.compute.tolist() == [1e18, 1e19, 1e20, 1e21, 1e22]
        assert call.anchors.shape == (QUESTIONS, 1)


def test_the_clusters_are_those_of_a_clustering_method(
    rates: PassRates, ladder: Ladder, engine: Seen
) -> None:
    document = validated(forecast_document(rates, ladder, ["exp"]))
    assert document["settings"]["clusters_of"] == "cod"
    assert len(document["tasks"]["t"]["clusters"]) == 1
    document = forecast_document(rates, ladder, ["exp", "cod-paper", "cod"])
    assert document["settings"]["clusters_of"] == "cod-paper"


def test_targets_by_name_and_by_compute(rates: PassRates, ladder: Ladder, engine: Seen) -> None:
    def targets(**chosen: Any) -> list[tuple[str, float]]:
        document = validated(forecast_document(rates, ladder, **chosen))
        return [(one["target"], one["compute"]) for one in document["forecasts"]]

    assert targets(targets=["huge"]) == [("huge", 1e25)]
    assert targets(compute=3.8e24) == [("3.8e+24 FLOP", 3.8e24)]
    assert targets(targets=["big"], compute=1e26) == [("big", 1e24), ("1e+26 FLOP", 1e26)]
    no_targets = Ladder("bare", ladder.rungs, ladder.anchors, ())
    faults: list[tuple[Ladder, dict[str, Any], str]] = [
        (ladder, {"targets": ["none"]}, "no model 'none' in the ladder"),
        (ladder, {"targets": ["r5"]}, "'r5' is listed as a rung, not as a target"),
        (ladder, {"targets": ["anchor"]}, "'anchor' is listed as an anchor"),
        (ladder, {"compute": -1.0}, "-1 is no amount of FLOP"),
        (ladder, {"compute": float("nan")}, "nan is no amount of FLOP"),
        (ladder, {"methods": ["codd"]}, "no method 'codd'; there are cod, cod-paper, exp"),
        (ladder, {"methods": []}, "no method given"),
        (ladder, {"level": 90}, "the level 90 is not between 0 and 1"),
    ]
    for where, chosen, message in faults:
        with pytest.raises(InputError, match=message):
            forecast_document(rates, where, **chosen)
    small = PassRates(rates.frame[rates.frame["model"] != "big"])
    bare = small.frame["model"].isin([model.name for model in no_targets.models])
    with pytest.raises(InputError, match="has no targets"):
        forecast_document(PassRates(small.frame[bare]), no_targets)


def test_too_few_rungs(table: pd.DataFrame, ladder: Ladder, engine: Seen) -> None:
    few = PassRates(table[table["model"].isin(["r1", "r3", "r5", "big"])])
    with pytest.raises(InputError) as caught:
        forecast_document(few, ladder)
    assert "pass rates for 3 rungs (r1, r3, r5); none for r2, r4; a forecast needs 4" in str(
        caught.value
    )


def test_a_task_with_too_few_rungs_abstains(ladder: Ladder, engine: Seen) -> None:
    second = made_table("u")
    second = second[second["model"].isin(["r1", "r2", "r4", "big"])]
    third = made_table("v")
    third = third[third["model"] == "big"]
    rates = PassRates(pd.concat([made_table(), second, third]))
    document = validated(forecast_document(rates, ladder, ["cod", "exp"], targets=["big"]))
    verdicts = {(one["task"], one["method"]): one for one in document["forecasts"]}
    assert len(verdicts) == 6
    entry = verdicts["u", "exp"]
    assert entry["verdict"] == "abstain" and entry["mean"] is None
    assert entry["reasons"] == [
        "too few rungs have been evaluated to forecast from; 4 are needed (3 with data: r1, r2, r4)"
    ]
    assert entry["observed"] == pytest.approx(0.525)
    task = document["tasks"]["u"]
    assert task["classes"] == {
        "predictable": 0, "non_extrapolatable": 30, "outlier": 0, "zero": 10,
    }  # fmt: skip
    assert task["clusters"] == [] and task["mapping"] is None and task["bandwidth"] is None
    assert document["tasks"]["v"]["rungs"] == []
    assert verdicts["v", "cod"]["reasons"] == [
        "too few rungs have been evaluated to forecast from; 4 are needed (0 with data: none)"
    ]
    assert "u: left out, no data: r3, r5" in document["settings"]["notes"]
    assert "u: anchors left out, no data: anchor" in document["settings"]["notes"]


def test_questions_not_asked_of_all_are_left_out_and_told(
    table: pd.DataFrame, ladder: Ladder, engine: Seen
) -> None:
    lost = (table["question"] == "q39") & (table["model"] == "r2")
    lost |= (table["question"].isin(["q37", "q38"])) & (table["model"] == "anchor")
    lost |= (table["question"] == "q36") & (table["model"] == "big")
    document = validated(forecast_document(PassRates(table[~lost]), ladder))
    assert document["tasks"]["t"]["questions"] == 37
    assert engine[0].rates.shape == (37, 5)
    first, second = document["settings"]["notes"]
    assert first == (
        "t: 3 of 40 questions left out, not asked of every model (r2 lacks 1, anchor lacks 2)"
    )
    assert second == "t: no measured value for big, it lacks 1 of 37 questions"
    assert document["forecasts"][0]["observed"] is None


def test_rungs_of_equal_compute(rates: PassRates, ladder: Ladder, engine: Seen) -> None:
    alike = tuple(replace(model, compute=min(model.compute or 0, 1e20)) for model in ladder.rungs)
    document = validated(forecast_document(rates, replace(ladder, rungs=alike)))
    assert document["forecasts"][0]["reasons"] == [
        "the rungs are of too few sizes to show a trend; 4 different amounts of compute are "
        "needed (3 among 5 rungs)"
    ]


def test_no_common_question(table: pd.DataFrame, ladder: Ladder, engine: Seen) -> None:
    odd = table["question"].str[1:].astype(int) % 2 == 1
    rates = PassRates(table[odd == (table["model"] == "r2")])
    document = validated(forecast_document(rates, ladder, targets=["big"]))
    (entry,) = document["forecasts"]
    assert entry["codes"] == ["no_common_question"]
    assert document["tasks"]["t"]["rungs"][0]["accuracy"] is None


def test_differing_runs_are_refused(table: pd.DataFrame, ladder: Ladder, engine: Seen) -> None:
    runs = [{"rung": name, "tasks": {"t": {"version": int(name == "r5")}}} for name in RUNGS]
    rates = PassRates(table, runs)
    with pytest.raises(InputError, match=r"the runs differ: t: version is 0 on r1, .* 1 on r5"):
        forecast_document(rates, ladder)
    document = validated(forecast_document(rates, ladder, allow_mismatch=True))
    assert any("version is 0" in note for note in document["settings"]["notes"])
    assert document["settings"]["tasks"] == {"t": {"version": 0}}


def test_one_question(ladder: Ladder, engine: Seen) -> None:
    rates = PassRates(made_table(questions=1))
    document = validated(forecast_document(rates, ladder))
    assert document["tasks"]["t"]["rungs"][0]["stderr"] is None


def test_writing(rates: PassRates, ladder: Ladder, engine: Seen, tmp_path: Path) -> None:
    made = forecast_ladder(rates, ladder)
    for record in (made.record, made.with_curves()):
        path = write_record(record, tmp_path / "out")
        assert path.parent == tmp_path / "out"
        assert path.name.startswith("cod_forecast_2") and ":" not in path.name
        assert path.read_text("utf-8") == json_text(record)
        # What is read back is what was written, to the last digit.
        assert read_document(path).record == record
        assert json_text(read_document(path).record) == json_text(record)
        path.unlink()
    path = write_record(made.record, tmp_path / "out")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d["forecasts"][0].update(mean=1.5),
        lambda d: d["forecasts"][0].update(verdict="fine"),
        lambda d: d["forecasts"][0].update(extra=1),
        lambda d: d["forecasts"][0].update(verdict="ok", mean=None),
        lambda d: d["forecasts"][0].update(verdict="weak", reasons=[]),
        lambda d: d["forecasts"][0].pop("observed"),
        lambda d: d["tasks"]["t"]["classes"].update(zero=1.5),
        lambda d: d["tasks"]["t"]["mapping"]["points"][0].pop(),
        lambda d: d["tasks"]["t"].pop("mapping"),
        lambda d: d.update(schema="cod-forecast/2"),
        lambda d: d.update(forecasts=[]),
    ],
)
def test_the_schema_refuses(rates: PassRates, ladder: Ladder, engine: Seen, spoil: Any) -> None:
    document = forecast_document(rates, ladder)
    spoil(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
    with pytest.raises(msgspec.ValidationError):  # and so does reading it
        msgspec.convert(document, Forecasts)


LADDERS = sorted(path.parent for path in SHARED.glob("data/ladders/*/ladder.yaml"))


def test_there_are_shared_ladders() -> None:
    if not LADDERS:
        pytest.skip(
            f"no ladders under {SHARED}; set COD_SHARED to the folder that has data/ladders"
        )


@pytest.mark.parametrize("folder", LADDERS, ids=lambda folder: folder.name)
def test_shared_ladders_with_the_engine(folder: Path) -> None:
    ladder = read_ladder(folder / "ladder.yaml")
    whole = read_passrates(folder / "rates.parquet", ladder)
    rates = whole.only(whole.tasks[:2])  # two tasks: the others differ in size only
    last = ladder.targets[-1].name
    made = forecast_ladder(rates, ladder, ForecastOptions(["cod-paper"], targets=[last]))
    document = validated(on_disk(made.record))
    for entry in document["forecasts"]:
        assert entry["observed"] is not None
        assert (entry["mean"] is None) == (entry["verdict"] == "abstain")
    assert forecast_table(made.record.forecasts).count("\n|") >= 3


def test_one_question_with_the_engine(ladder: Ladder) -> None:
    document = validated(forecast_document(PassRates(made_table(questions=1)), ladder))
    # Its trend is followed; nothing clusters.
    assert {entry["verdict"] for entry in document["forecasts"]} <= {"weak", "abstain"}
    assert document["tasks"]["t"]["mapping"] is None


def test_what_was_fitted_for_one_target_serves_the_others() -> None:
    evidence = task_evidence(PassRates(made_table()), made_ladder(), "t")
    for name, method in METHODS.items():
        model, other = fitted(method(), evidence), fitted(method(), evidence)
        model.forecast(1e23, 0.9)
        # As text, where NaN equals NaN.
        assert repr(model.forecast(1e24, 0.8)) == repr(other.forecast(1e24, 0.8)), name
