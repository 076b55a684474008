from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pandas as pd
import pytest
from made_ladders import RUNGS, Seen, made_ladder
from on_disk import Document, backtest_document, on_disk

from cod_harness.documents.reading import read_document
from cod_harness.documents.schemas import schema
from cod_harness.documents.writing import write_record
from cod_harness.engine import COD, METHODS
from cod_harness.errors import InputError
from cod_harness.evaluation.backtest import backtest_ladder, summaries
from cod_harness.evaluation.records.backtest import Backtest, BacktestRow
from cod_harness.evaluation.rolling import rolling_origins
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.report.text.backtest_table import backtest_table

LONG = ("r1", "r2", "r3", "r4", "r5", "r6", "r7")


CODES = ["small_subset", "no_rise"]
SAID = [
    "few questions rise steadily, and the others are guessed from them (10 % are predictable)",
    "the ladder does not rise, so the method carries its level on",
]
SCHEMA = schema(Backtest)


def validated(document: Document) -> Document:
    jsonschema.validate(document, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert on_disk(msgspec.convert(document, Backtest)) == document
    return document


def long_table(tasks: tuple[str, ...] = ("t", "u"), questions: int = 60) -> pd.DataFrame:
    """Noisy rates that rise along seven rungs to the target "big"."""
    random, rows = np.random.default_rng(0), []
    for task in tasks:
        ease = random.uniform(-1.0, 1.0, questions)
        for rank, model in enumerate((*LONG, "big")):
            chance = 1 / (1 + np.exp(2.5 - 0.6 * rank - ease))
            rows += [
                (task, f"q{number}", model, random.binomial(20, p), 20)
                for number, p in enumerate(chance)
            ]
    return pd.DataFrame(rows, columns=["task", "question", "model", "n_correct", "n_samples"])


def origins_of(rates: PassRates, ladder: Ladder, **options: Any) -> list[tuple[list[str], ...]]:
    found, _ = rolling_origins(rates, ladder, "t", **options)
    return [
        ([hidden.model.name for hidden in one.hidden], [rung.name for rung in one.evidence.rungs])
        for one in found
    ]


def test_measured_targets_first_then_rungs_from_those_below() -> None:
    rates, ladder = PassRates(long_table()), made_ladder(LONG)
    every = [
        (["big"], list(LONG)),
        (["r7"], list(LONG[:6])),
        (["r6"], list(LONG[:5])),
        (["r5"], list(LONG[:4])),
    ]
    assert origins_of(rates, ladder) == every  # "huge" is not measured
    assert origins_of(rates, ladder, holdout=1) == every[:2]
    assert origins_of(rates, ladder, holdout=0) == every[:1]
    assert origins_of(rates, ladder, holdout=9) == every
    assert origins_of(rates, replace(ladder, targets=())) == every[1:]


def test_a_rung_is_not_forecast_from_its_equals() -> None:
    ladder = made_ladder(LONG)
    rungs = list(ladder.rungs)
    rungs[5] = replace(rungs[5], compute=rungs[6].compute)  # r6 and r7 alike
    rungs[1] = replace(rungs[1], compute=rungs[0].compute)  # r1 and r2 alike
    ladder = replace(ladder, rungs=tuple(rungs))
    assert origins_of(PassRates(long_table()), ladder) == [
        (["big"], list(LONG)),
        (["r6", "r7"], list(LONG[:5])),
        # r5 has four rungs below it, but three amounts of compute.
    ]
    assert origins_of(PassRates(long_table()), ladder, holdout=1)[1] == (["r7"], list(LONG[:5]))


def test_whole_document(rates: PassRates, ladder: Ladder, engine: Seen) -> None:
    document = validated(backtest_document(rates, ladder, ["cod", "exp"]))
    assert list(document) == [
        "schema", "rows", "summary", "ladder", "settings", "versions", "created",
    ]  # fmt: skip
    first = document["rows"][0]
    assert first == {
        "task": "t", "target": "big", "method": "cod", "forecast": pytest.approx(0.375),
        "low": pytest.approx(0.275), "high": pytest.approx(0.475), "observed": pytest.approx(0.525),
        "error": pytest.approx(-15.0), "verdict": "weak",
        "reasons": SAID, "codes": CODES, "role": "target",
        "compute": 1e24,
        "distance": pytest.approx(100.0), "rungs": 5, "questions": 40,
    }  # fmt: skip
    found = [(row["target"], row["method"], row["rungs"]) for row in document["rows"]]
    assert found == [("big", "cod", 5), ("big", "exp", 5), ("r5", "cod", 4), ("r5", "exp", 4)]
    about = document["summary"]["exp"]
    assert about["mean"] == pytest.approx((15.0 + 7.5) / 2)
    assert about["bias"] == pytest.approx(-(15.0 + 7.5) / 2)
    assert about["max"] == pytest.approx(15.0) and about["n"] == 2
    assert about["coverage"] == 0.5 and about["width"] == pytest.approx(20.0)
    assert about["verdicts"] == {
        "ok": {"mean": about["mean"], "n": 2},
        "weak": {"mean": None, "n": 0},
    }
    assert about["versus"] == {"method": "cod", "mean": 0.0, "low": 0.0, "high": 0.0, "n": 2}
    assert document["summary"]["cod"]["versus"] is None
    # One fit an origin and method, on the rungs below alone.
    assert [call.rates.shape[1] for call in engine] == [5, 5, 4, 4]


# One of each kind; all methods get their data in the same way.
KINDS = {
    "cod": lambda: COD(n_replicates=0),
    **{name: METHODS[name] for name in ("powerlaw", "irt", "cod-kmeans", "loss", "last")},
}


@pytest.mark.parametrize("corrupted", ["big", "r7"])
def test_no_forecast_moves_when_what_it_is_scored_on_does(
    corrupted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that nothing leaks: whatever the hidden column holds, the forecasts stay."""
    monkeypatch.setattr("cod_harness.engine.METHODS", KINDS)
    ladder, table = made_ladder(LONG), long_table(("t",), questions=30)
    hidden = table["model"] == corrupted
    spoilt = table.copy()
    spoilt.loc[hidden, "n_correct"] = np.random.default_rng(1).integers(0, 4, hidden.sum())
    before, after = (
        backtest_document(PassRates(frame), ladder, holdout=2)["rows"] for frame in (table, spoilt)
    )
    seen_later = {"big": (), "r7": ("big",)}[corrupted]
    moved = False
    for one, other in zip(before, after, strict=True):
        if one["target"] in seen_later:
            moved |= one["forecast"] != other["forecast"]
            continue
        assert (one["target"] == corrupted) == (one["observed"] != other["observed"])
        for key in ("forecast", "low", "high", "verdict", "reasons"):
            assert one[key] == other[key], (one["method"], one["target"], key)
    assert moved == bool(seen_later)  # the column does count where it may


def test_every_method_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: METHODS[name] for name in ("powerlaw", "last", "loss", "two-step")}
    monkeypatch.setattr("cod_harness.engine.METHODS", few)
    ladder = made_ladder(LONG)
    ladder = replace(ladder, rungs=tuple(replace(rung, loss=None) for rung in ladder.rungs))
    document = validated(backtest_document(PassRates(long_table()), ladder, holdout=1))
    assert document["settings"]["methods"] == list(few)
    none = document["summary"]["loss"]
    assert none["abstained"] == 1.0 and none["n"] == 0 and none["mean"] is None
    assert none["versus"]["mean"] is None
    assert document["summary"]["powerlaw"]["mean"] < document["summary"]["last"]["mean"]
    assert document["summary"]["last"]["versus"]["mean"] > 0


def test_other_processes_say_the_same() -> None:
    rates, ladder, seen = PassRates(long_table()), made_ladder(LONG), []
    one, two = (
        backtest_document(
            rates, ladder, ["powerlaw", "last"], processes=number,
            progress=lambda done, total: seen.append((done, total)),
        )
        for number in (1, 2)
    )  # fmt: skip
    assert one["rows"] == two["rows"] and one["summary"] == two["summary"]
    assert seen == [(done, 16) for done in range(1, 17)] * 2


def test_chance_differences_are_told_from_others() -> None:
    random = np.random.default_rng(0)

    def rows(method: str, size: float) -> list[BacktestRow]:
        return [
            BacktestRow(
                task=f"t{task}", target=f"m{model}", method=method, verdict="ok", reasons=(),
                forecast=0.5, low=0.0, high=1.0, observed=0.5, error=size * random.normal(),
                role="rung", compute=1e20, distance=2.0, rungs=5, questions=9,
            )
            for task in range(8) for model in range(3)
        ]  # fmt: skip

    found = summaries([*rows("a", 2.0), *rows("b", 2.0), *rows("c", 12.0)], ["a", "b", "c"])
    assert found["b"].versus.low < 0 < found["b"].versus.high
    assert found["c"].versus.low > 1
    for about in found.values():
        assert about.mean_low < about.mean < about.mean_high


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["exponential"]}, "no method 'exponential'"),
        ({"methods": []}, "no method given"),
        ({"level": 1.0}, "not between 0 and 1"),
        ({"holdout": -1}, "cannot be held out"),
    ],
)
def test_wrong_input(
    rates: PassRates, ladder: Ladder, engine: Seen, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        backtest_document(rates, ladder, **options)


def test_nothing_to_score(table: pd.DataFrame, engine: Seen) -> None:
    four = PassRates(table[table["model"].isin(RUNGS[:4])])
    with pytest.raises(InputError, match="nothing to score"):
        backtest_document(four, made_ladder(RUNGS[:4]))


def test_a_target_that_lacks_questions_is_noted(table: pd.DataFrame, engine: Seen) -> None:
    short = table[(table["model"] != "big") | (table["question"] != "q3")]
    document = backtest_document(PassRates(short), made_ladder())
    assert {row["target"] for row in document["rows"]} == {"r5"}
    assert any("big" in note for note in document["settings"]["notes"])


def test_written_whole(rates: PassRates, ladder: Ladder, engine: Seen, tmp_path: Path) -> None:
    record = backtest_ladder(rates, ladder)
    path = write_record(record, tmp_path)
    assert path.name.startswith("cod_backtest_")
    assert read_document(path, Backtest).record == record


GOLDEN = """\
Backtest of made: 2 known results on 1 task (1 target and 1 rung), each forecast
from what is below it; absolute errors in points, 90 % intervals

|Method   |Mean| 90 % CI| Max|Inside|Width|Score|Abstain|Made|          vs cod|
|---------|---:|-------:|---:|-----:|----:|----:|------:|---:|---------------:|
|cod      |11.3|7.5-15.0|15.0|  50 %| 20.0| 70.0|    0 %|   2|               -|
|cod-paper|11.3|7.5-15.0|15.0|  50 %| 20.0| 70.0|    0 %|   2|+0.0 [+0.0,+0.0]|
|exp      |11.3|7.5-15.0|15.0|  50 %| 20.0| 70.0|    0 %|   2|+0.0 [+0.0,+0.0]|

|Error where|  ok|Made ok|weak|Made weak|Width|Naive|
|-----------|---:|------:|---:|--------:|----:|----:|
|cod        |   -|      0|11.3|        2| 20.0| 15.0|
|cod-paper  |   -|      0|11.3|        2| 20.0| 15.0|
|exp        |11.3|      2|   -|        0| 20.0| 15.0|

|Target| cod|cod-paper| exp|
|------|---:|--------:|---:|
|big   |15.0|     15.0|15.0|
|r5    | 7.5|      7.5| 7.5|"""


def test_table(rates: PassRates, ladder: Ladder, engine: Seen) -> None:
    record = backtest_ladder(rates, ladder)
    text = backtest_table(record, by=("target",), width=80)
    assert text == GOLDEN
