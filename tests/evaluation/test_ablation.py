"""Ablations: what is held out, what no fit may see, and what the numbers are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pandas as pd
import pytest
from ladders import simulated
from on_disk import Document, ablation_document, forecast_document

from cod_harness.documents.schemas import schema
from cod_harness.errors import InputError
from cod_harness.evaluation.ablation import axes
from cod_harness.evaluation.ablation_bench import BASES
from cod_harness.evaluation.records.ablation import Ablation
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.report.text.ablation_table import ablation_table

RUNGS = ("r1", "r2", "r3", "r4", "r5", "r6")
# Columns of the simulated ladder: six rungs, an anchor beyond them, a target.
COLUMNS = {**{name: place for place, name in enumerate(RUNGS)}, "other": 7, "big": 8}
COMPUTE = dict(
    zip((*RUNGS, "big"), [4e19, 1.2e20, 3e20, 7e20, 1.4e21, 4.6e21, 1.4e23], strict=True)
)
LADDER = Ladder(
    "simulated",
    tuple(Model(name, "rung", compute=COMPUTE[name]) for name in RUNGS),
    (Model("other", "anchor"),),
    (Model("big", "target", compute=COMPUTE["big"]), Model("bigger", "target", compute=1e25)),
)


def table(tasks: int = 2) -> pd.DataFrame:
    parts = []
    for task in range(tasks):
        rates = simulated(task, per_kind=24, draws=50, spread=0.2)
        for model, column in COLUMNS.items():
            names = [f"q{i}" for i in range(len(rates))]
            correct = (50 * rates[:, column]).round()
            columns = {"question": names, "n_correct": correct, "n_samples": 50}
            parts.append(pd.DataFrame({"task": f"t{task}", "model": model, **columns}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def rates() -> PassRates:
    return PassRates(table())


@pytest.fixture(scope="module")
def document(rates: PassRates) -> Document:
    return ablation_document(rates, LADDER)


def without_scores(document: Document) -> list[dict[str, Any]]:
    """The forecasts of a document, less what the held-out model's own rates decide."""
    kept = json.loads(json.dumps([axis["forecasts"] for axis in document["axes"].values()]))
    for one in (entry for entries in kept for entry in entries):
        del one["observed"], one["fe"], one["ee"], one["subset"]["observed"]
    return kept


def test_a_table_per_axis_and_a_row_per_variant(document: Document) -> None:
    assert document["schema"] == "cod-ablation/1"
    jsonschema.validate(document, schema(Ablation), format_checker=jsonschema.FormatChecker())
    variants = {
        name: [row["variant"] for row in axis["rows"]] for name, axis in document["axes"].items()
    }
    assert variants == {
        "clustering": ["K-Means", "DBSCAN", "MeanShift", "Improved-KMeans", "Improved-MeanShift"],
        "law": ["f", "f1", "f2", "f3"],
        "thresholds": ["published", "a > 0.5", "b > 0.05", "c < 0.5", "none"],
        "map": ["T = 0.0025", "T = 0.005", "T = 0.01", "T = 0.02"],
        "anchors": ["without anchors", "with anchors"],
    }
    for axis in document["axes"].values():
        assert axis["reference"] in [row["variant"] for row in axis["rows"]]
        assert len(axis["forecasts"]) == 2 * len(axis["rows"])
        for row in axis["rows"]:
            own = [one for one in axis["forecasts"] if one["variant"] == row["variant"]]
            made = [one for one in own if one["verdict"] != "abstain"]
            assert (row["forecasts"], row["abstentions"]) == (len(made), len(own) - len(made))
            if made:
                assert row["fe"] == pytest.approx(np.mean([abs(one["fe"]) for one in made]))
                assert row["ee_max"] == pytest.approx(max(abs(one["ee"]) for one in made))


def test_errors_are_against_the_models_own_rates(document: Document, rates: PassRates) -> None:
    for axis in document["axes"].values():
        for one in axis["forecasts"]:
            column = rates.matrix(one["task"], ["big"]).rates[:, 0]
            assert one["target"] == "big" and one["role"] == "target"
            assert one["observed"] == pytest.approx(column.mean())
            assert one["fe"] == pytest.approx(100 * (one["forecast"] - one["observed"]))
            subset = one["subset"]
            assert one["ee"] == pytest.approx(100 * (subset["forecast"] - subset["observed"]))
            assert one["tr"] == pytest.approx(100 * subset["share"])


@pytest.mark.parametrize("base", BASES)
def test_the_reference_is_the_recipe_itself(rates: PassRates, base: str) -> None:
    ablated = ablation_document(rates, LADDER, ["law"], base=base)
    whole = forecast_document(rates, LADDER, [base], targets=["big"])
    for one, other in zip(
        [one for one in ablated["axes"]["law"]["forecasts"] if one["variant"] == "f"],
        whole["forecasts"],
        strict=True,
    ):
        assert one["forecast"] == other["mean"]
        assert one["subset"]["forecast"] == other["subset"]["mean"]
        assert one["observed"] == other["observed"]


def test_what_an_axis_leaves_alone_stays(document: Document) -> None:
    for name in ("map", "anchors"):
        rows = document["axes"][name]["rows"]
        # Anchors decide the order in which questions are summed, hence the last bit.
        assert [row["ee"] for row in rows] == pytest.approx([rows[0]["ee"]] * len(rows))
    for name in ("law", "thresholds", "map"):
        rows = document["axes"][name]["rows"]
        assert len({(row["iad"], row["or"], row["clusters"]) for row in rows}) == 1
    shares = {row["variant"]: row["tr"] for row in document["axes"]["thresholds"]["rows"]}
    assert shares["c < 0.5"] <= shares["published"] <= shares["b > 0.05"] <= shares["none"]


def test_no_fit_sees_a_target(document: Document) -> None:
    spoilt = table()
    spoilt.loc[spoilt["model"] == "big", "n_correct"] = 3
    after = ablation_document(PassRates(spoilt), LADDER)
    assert without_scores(after) == without_scores(document)
    for axis in after["axes"].values():
        assert [one["observed"] for one in axis["forecasts"]] == pytest.approx(
            [0.06] * len(axis["forecasts"])
        )


def test_the_largest_rung_is_held_out_where_no_target_is_measured() -> None:
    frame = table(1)
    frame = frame[frame["model"] != "big"]
    document = ablation_document(PassRates(frame), LADDER, ["thresholds"])
    (first, *_) = document["axes"]["thresholds"]["forecasts"]
    assert (first["target"], first["role"], first["compute"]) == ("r6", "rung", COMPUTE["r6"])
    spoilt = frame.copy()
    spoilt.loc[spoilt["model"] == "r6", "n_correct"] = 50
    after = ablation_document(PassRates(spoilt), LADDER, ["thresholds"])
    assert without_scores(after) == without_scores(document)
    # As if the rung had always been a target.
    rungs = LADDER.rungs[:-1]
    target = replace(LADDER.rungs[-1], role="target")
    moved = replace(LADDER, rungs=rungs, targets=(target,))
    whole = forecast_document(PassRates(frame), moved, ["cod-paper"])
    assert first["forecast"] == whole["forecasts"][0]["mean"]


def test_a_target_that_lacks_questions_is_told_and_not_scored() -> None:
    frame = table(1)
    frame = frame[(frame["model"] != "big") | (frame["question"] != "q0")]
    document = ablation_document(PassRates(frame), LADDER, ["law"])
    assert {one["target"] for one in document["axes"]["law"]["forecasts"]} == {"r6"}
    assert (
        "t0: no measured value for big, it lacks 1 of 120 questions"
        in document["settings"]["notes"]
    )


def test_abstentions_are_counted_and_means_compared_on_common_forecasts() -> None:
    frame = table(2)
    # Nothing rises in the second task: only without thresholds is anything forecast.
    random = np.random.default_rng(0)
    flat = frame["task"] == "t1"
    frame.loc[flat, "n_correct"] = random.binomial(50, 0.4, flat.sum())
    document = ablation_document(PassRates(frame), LADDER, ["thresholds"])
    rows = {row["variant"]: row for row in document["axes"]["thresholds"]["rows"]}
    published, none = rows["published"], rows["none"]
    assert (published["forecasts"], published["abstentions"]) == (1, 1)
    assert (none["forecasts"], none["abstentions"]) == (2, 0)
    assert {row["common"] for row in rows.values()} == {1}
    first = [one for one in document["axes"]["thresholds"]["forecasts"] if one["task"] == "t0"]
    assert none["fe_common"] == pytest.approx(abs(first[-1]["fe"]))
    assert none["fe"] != pytest.approx(none["fe_common"])
    text = ablation_table(msgspec.convert(document, Ablation), width=200)
    assert "FE same" in text and "same: over the forecasts" in text and "1/2" in text


def test_axes_come_in_the_papers_order(rates: PassRates) -> None:
    document = ablation_document(rates, LADDER, ["map", "law"])
    assert list(document["axes"]) == ["law", "map"]
    assert document["settings"]["what"] == ["law", "map"]
    assert list(axes()) == ["clustering", "law", "thresholds", "map", "anchors"]


def test_progress_names_every_task(rates: PassRates) -> None:
    said: list[str] = []
    ablation_document(rates, LADDER, ["map"], progress=said.append)
    assert said == ["[1/2] t0", "[2/2] t1"]


def test_what_cannot_be_ablated(rates: PassRates) -> None:
    no_anchor = PassRates(rates.frame[rates.frame["model"] != "other"])
    document = ablation_document(no_anchor.only(["t0"]), LADDER, None)
    assert "anchors" not in document["axes"]
    assert "no Table A3 (anchors): no anchor was measured" in document["settings"]["notes"]
    four = PassRates(rates.frame[rates.frame["model"].isin(RUNGS[:4])])
    faults: list[tuple[PassRates, dict[str, Any], str]] = [
        (rates, {"what": ["lwa"]}, "no ablation 'lwa'; there are clustering, law"),
        (rates, {"what": []}, "no ablation given"),
        (rates, {"base": "exp"}, "no recipe 'exp' to ablate; there are cod-paper, cod"),
        (no_anchor, {"what": ["anchors"]}, "no anchor was measured, so nothing to ablate"),
        (four, {}, "simulated: nothing to score: no measured target, and no rung more"),
    ]
    for given, chosen, message in faults:
        with pytest.raises(InputError, match=message):
            ablation_document(given, LADDER, **chosen)


def test_differing_runs_are_refused(rates: PassRates) -> None:
    runs = [{"rung": name, "tasks": {"t0": {"version": int(name == "r5")}}} for name in RUNGS]
    differing = PassRates(rates.frame, runs)
    with pytest.raises(InputError, match="the runs differ: t0: version"):
        ablation_document(differing, LADDER)
    document = ablation_document(differing, LADDER, ["map"], allow_mismatch=True)
    assert any("version" in note for note in document["settings"]["notes"])


def test_the_whole_text() -> None:
    def row(variant: str, **changes: Any) -> dict[str, Any]:
        return {
            "variant": variant, "forecasts": 2, "abstentions": 0, "ee": 1.234, "ee_max": 2.0,
            "ee_common": 1.5, "fe": 2.345, "fe_max": 4.0, "fe_common": 3.0, "common": 2,
            "iad": 0.1234, "or": 12.34, "tr": 50.0, "clusters": 7.5, "map_rmse": 0.00412,
            "map_pieces": 2.0,
        } | changes  # fmt: skip

    def one(task: str, variant: str, error: float | None) -> dict[str, Any]:
        return {
            "task": task, "target": "70b", "role": "target", "compute": 1e24, "variant": variant,
            "verdict": "abstain" if error is None else "ok", "reasons": [], "forecast": None,
            "observed": 0.5, "fe": error,
            "subset": dict.fromkeys(["forecast", "observed", "share"]),
            "clusters": 7, "map_pieces": 2,
            **dict.fromkeys(["ee", "tr", "iad", "or", "map_rmse"]),
        }  # fmt: skip

    none = row("DBSCAN", forecasts=0, abstentions=2, ee=None, fe=None, fe_max=None, common=0)
    names = ("K-Means", "DBSCAN")
    clustering = {
        "table": "Table 3", "title": "how questions are clustered", "reference": "K-Means",
        "rows": [row("K-Means", common=0), none],
        "forecasts": [one(t, v, -0.04 if v == "K-Means" else None) for t in "ab" for v in names],
    }  # fmt: skip
    rung = {**one("a", "T = 0.005", 1.0), "target": "12b", "role": "rung"}
    figure = {
        "table": "Figure A1", "title": "how near the map passes its points",
        "reference": "T = 0.005", "rows": [row("T = 0.005")],
        "forecasts": [one("b", "T = 0.005", -3.25), rung],
    }  # fmt: skip
    document = {
        "schema": "cod-ablation/1", "base": "cod-paper", "ladder": "made",
        "axes": {"clustering": clustering, "map": figure},
        "settings": {"what": ["clustering", "map"], "allow_mismatch": False, "notes": []},
        "versions": {"python": "3"}, "created": "2026",
    }  # fmt: skip
    text = ablation_table(msgspec.convert(document, Ablation), by_task=True)
    assert (
        text
        == """\
Table 3: how questions are clustered, by cod-paper, 2 tasks, 70b measured

|Variant  |  k|  IAD|  OR|  EE|  FE|FE max|Made|
|---------|--:|----:|---:|---:|---:|-----:|---:|
|K-Means *|7.5|0.123|12.3|1.23|2.35|  4.00| 2/2|
|DBSCAN   |7.5|0.123|12.3|   -|   -|     -| 0/2|

Forecast of 70b minus measured, points
|Task|K-Means|DBSCAN|
|----|------:|-----:|
|a   |   +0.0|     -|
|b   |   +0.0|     -|

Figure A1: how near the map passes its points, by cod-paper, 2 tasks, 70b
measured, 12b held out

|Variant    |Pieces|  RMSE|  FE|FE max|Made|
|-----------|-----:|-----:|---:|-----:|---:|
|T = 0.005 *|   2.0|0.0041|2.35|  4.00| 2/2|

Forecast of 70b minus measured, points
|Task|T = 0.005|
|----|--------:|
|b   |     -3.2|

Forecast of 12b minus measured, points
|Task|T = 0.005|
|----|--------:|
|a   |     +1.0|

k: clusters; IAD: mean distance of a clustered question to the centre of its
cluster; OR: share of questions that are outliers, of those ever answered,
percent; RMSE: of the map at the (subset, full) points, accuracy; EE: absolute
error on the predictable subset, points; FE: absolute error on the whole
benchmark, points; Made: forecasts made, of those asked for; the others abstain.
*: the paper's choice."""
    )
