"""Predictable share by difficulty decile."""

from __future__ import annotations

import jsonschema
import msgspec
import numpy as np
import pandas as pd
import pytest
from made_ladders import Seen
from on_disk import forecast_document
from test_forecasts import SCHEMA, validated

from cod_harness.evaluation.deciles import difficulty_deciles
from cod_harness.evaluation.records.forecast import CLASSES, ClassShares, Forecasts
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates


def test_deciles_by_hand() -> None:
    # Question i passes i times in 40 on each of two rungs; every second one is predictable.
    rates = np.repeat(np.arange(40)[:, None], 2, axis=1) / 40
    classes = np.where(np.arange(40) % 2, "predictable", "outlier")
    deciles = difficulty_deciles(rates, classes)
    assert [one.questions for one in deciles] == [4] * 10
    assert deciles[0].difficulty == pytest.approx(1 - 1.5 / 40)
    assert deciles[9].difficulty == pytest.approx(1 - 37.5 / 40)
    for one in deciles:
        assert one.classes == ClassShares(
            predictable=0.5, non_extrapolatable=0.0, outlier=0.5, zero=0.0
        )


@pytest.mark.parametrize("count", [0, 1, 7, 10, 23])
def test_every_question_is_in_one_decile(count: int) -> None:
    rates = np.random.default_rng(0).random((count, 5))
    deciles = difficulty_deciles(rates, np.full(count, "zero"))
    counts = [one.questions for one in deciles]
    assert len(deciles) == 10 and sum(counts) == count
    assert max(counts) - min(counts) <= 1
    for one in deciles:
        assert (one.difficulty is None) == (one.questions == 0)
    known = [one.difficulty for one in deciles if one.difficulty is not None]
    assert known == sorted(known, reverse=True)


def test_ties_do_not_depend_on_the_order_of_questions() -> None:
    random = np.random.default_rng(1)
    rates = random.integers(0, 3, (95, 3)) / 2
    classes = random.choice(CLASSES, 95)
    deciles = difficulty_deciles(rates, classes)
    for _ in range(5):
        order = random.permutation(95)
        assert difficulty_deciles(rates[order], classes[order]) == deciles


def test_deciles_stand_in_the_document(rates: PassRates, ladder: Ladder, engine: Seen) -> None:
    document = validated(forecast_document(rates, ladder))
    quality = document["tasks"]["t"]["quality"]
    counts = {
        name: sum(round(one["questions"] * one["classes"][name]) for one in quality)
        for name in CLASSES
    }
    assert counts == document["tasks"]["t"]["classes"]
    assert quality[0]["classes"]["zero"] == 1.0 and quality[9]["classes"]["predictable"] == 1.0


def test_documents_written_before_there_were_deciles_stay_valid(
    rates: PassRates, ladder: Ladder, engine: Seen
) -> None:
    document = forecast_document(rates, ladder)
    del document["tasks"]["t"]["quality"], document["settings"]["clusters_from"]
    del document["tasks"]["t"]["map"], document["tasks"]["t"]["curve"]
    del document["settings"]["rates_hash"], document["settings"]["command"]
    for entry in document["forecasts"]:
        del entry["parts"], entry["codes"]
    jsonschema.validate(document, SCHEMA)
    read = msgspec.convert(document, Forecasts)
    assert read.tasks["t"].quality is None and not read.tasks["t"].curve


def test_a_task_that_was_not_clustered_has_no_deciles(
    table: pd.DataFrame, ladder: Ladder, engine: Seen
) -> None:
    few = table[table["model"].isin(["r1", "r2", "r3"])].assign(task="few")
    document = validated(forecast_document(PassRates(pd.concat([table, few])), ladder))
    assert document["tasks"]["few"]["quality"] is None
