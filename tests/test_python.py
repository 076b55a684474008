"""What the README's Python section needs: the names, and what they give."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from ladders import simulated
from made_ladders import Seen

import cod_harness
from cod_harness import COD, InputError, Ladder, LadderForecast, PassRates, forecast
from cod_harness.documents.writing import plain
from cod_harness.report.text.forecast_table import forecast_table


@pytest.fixture
def made(rates: PassRates, ladder: Ladder, engine: Seen) -> LadderForecast:
    return forecast(rates, ladder, methods=["cod", "exp"], targets=["big"])


def test_every_public_name_is_there() -> None:
    for name in cod_harness.__all__:
        assert getattr(cod_harness, name) is not None
    assert set(cod_harness.__all__) <= set(dir(cod_harness))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cod_harness.nothing  # noqa: B018


def test_forecasts_as_objects(made: LadderForecast) -> None:
    assert len(made) == 2 and [one.method for one in made] == ["cod", "exp"]
    first = made[0]
    assert (first.task, first.target, first.compute) == ("t", "big", 1e24)
    assert first.error == pytest.approx(-15.0) and first.held is False
    assert first.codes == ("small_subset", "no_rise") and len(first.reasons) == 2
    assert repr(made) == forecast_table(made.record.forecasts)
    assert list(made.models) == ["t"] and made.models["t"].labels_.shape == (40,)
    assert made.clusters().tasks == ["t"]


def test_one_method_may_be_a_word(rates: PassRates, ladder: Ladder, engine: Seen) -> None:
    assert [one.method for one in forecast(rates, ladder, methods="exp", compute=1e23)] == ["exp"]
    with pytest.raises(InputError, match="no method 'magic'"):
        forecast(rates, ladder, methods="magic")


def test_as_a_frame(made: LadderForecast) -> None:
    frame = made.to_frame()
    assert frame["method"].tolist() == ["cod", "exp"]
    assert frame["mean"].tolist() == [made[0].mean, made[1].mean]
    assert frame["share"].tolist()[0] == 0.75 and np.isnan(frame["subset"][1])
    assert frame["codes"][0] == ["small_subset", "no_rise"]


def test_as_json(made: LadderForecast) -> None:
    document = json.loads(made.to_json())
    assert len(document["tasks"]["t"].pop("curve")["points"]) > 10
    assert document == json.loads(json.dumps(plain(made.record)))


def test_charts(made: LadderForecast) -> None:
    pytest.importorskip("altair")
    text = json.dumps(made.plot().to_dict())
    assert "var(--" not in text and '"title": "t"' in text
    assert made.plot("t", "deciles").to_dict()["title"] == "t"
    with pytest.raises(InputError, match="no task 'x'; there are t"):
        made.plot("x")
    with pytest.raises(InputError, match="no chart 'x' of t; there are accuracy, clusters"):
        made.plot("t", "x")


def test_charts_of_several_tasks(table: pd.DataFrame, ladder: Ladder, engine: Seen) -> None:
    pytest.importorskip("altair")
    both = PassRates(pd.concat([table, table.assign(task="u")]))
    made = forecast(both, ladder)
    drawn = made.plot().to_dict()
    assert [part["title"] for part in drawn["vconcat"]] == ["t", "u"]
    with pytest.raises(InputError, match="name the task to draw mapping of: t, u"):
        made.plot(chart="mapping")


def test_the_curve_is_made_only_where_it_is_drawn(
    made: LadderForecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise AssertionError("a curve was made")

    monkeypatch.setattr("cod_harness.evaluation.forecasts.curve", none)
    assert repr(made) and len(made.to_frame()) == 2 and not made.record.tasks["t"].curve
    with pytest.raises(AssertionError, match="a curve was made"):
        made.to_json()


def test_a_fitted_model_has_a_table_and_a_picture() -> None:
    compute = np.geomspace(4e19, 1e22, 6)
    rates = simulated(0, per_kind=24, draws=50, spread=0.2)[:, :6]
    model = COD(n_replicates=0).fit(rates, compute, 50)
    summary = model.summary
    assert summary.index.tolist() == [one.id for one in model.clusters_]
    assert summary["size"].sum() == (model.labels_ >= 0).sum()
    assert summary["b"].tolist() == [one.b for one in model.clusters_]
    refused = summary[~summary["predictable"]]
    assert (refused["reason"] != "").all() and (
        summary[summary["predictable"]]["reason"] == ""
    ).all()
    pytest.importorskip("altair")
    drawn = model.plot(1e24).to_dict()
    lines, points = (drawn["datasets"][layer["data"]["name"]] for layer in drawn["layer"])
    assert len(points) == 6 * len(summary)
    assert max(row["compute"] for row in lines) == pytest.approx(1e24)
    first = [row["rate"] for row in points if row["cluster"] == 0]
    assert first == pytest.approx(model.clusters_[0].rates.tolist())
