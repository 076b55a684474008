"""A ladder of five rungs, an anchor and a target, and methods that are known by heart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates

RUNGS = ("r1", "r2", "r3", "r4", "r5")
QUESTIONS = 40


def made_ladder(rungs: tuple[str, ...] = RUNGS) -> Ladder:
    models = [
        Model(
            name, "rung", compute=10.0 ** (18 + place), params=1e6, tokens=1e9, loss=3 - place / 9
        )
        for place, name in enumerate(rungs)
    ]
    return Ladder(
        "made",
        tuple(models),
        (Model("anchor", "anchor"),),
        (Model("big", "target", compute=1e24), Model("huge", "target", compute=1e25)),
    )


def made_table(task: str = "t", questions: int = QUESTIONS) -> pd.DataFrame:
    """Rates that rise from rung to rung; the first quarter of the questions stays at zero."""
    parts = []
    for place, model in enumerate((*RUNGS, "anchor", "big")):
        correct = np.full(questions, 2 * place + 2)
        correct[: questions // 4] = 0
        parts.append(
            pd.DataFrame(
                {
                    "task": task,
                    "question": [f"q{number}" for number in range(questions)],
                    "model": model,
                    "n_correct": correct,
                    "n_samples": 20,
                    "filter": "strict",
                    "metric": "exact_match",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def ladder() -> Ladder:
    return made_ladder()


@pytest.fixture
def table() -> pd.DataFrame:
    return made_table()


@pytest.fixture
def rates(table: pd.DataFrame) -> PassRates:
    return PassRates(table)


class Seen(list[SimpleNamespace]):
    """The calls a method got, in order."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Replaces the engine's methods by two that forecast the last rung's accuracy."""
    seen = Seen()

    def last_rung(
        rates: Any, compute: Any, n_samples: Any, anchors: Any, target: float, level: float
    ) -> tuple[SimpleNamespace, None]:
        call = SimpleNamespace(**locals())
        seen.append(call)
        mean = rates[:, -1].mean()
        forecast = SimpleNamespace(
            mean=mean, low=mean - 0.1, high=mean + 0.1, level=level, verdict="ok", reasons=[],
            subset=None, compute=target,
        )  # fmt: skip
        return forecast, None

    def clustered(*arguments: Any) -> tuple[SimpleNamespace, SimpleNamespace]:
        forecast, _ = last_rung(*arguments)
        rates, anchors = arguments[0], arguments[3]
        forecast.verdict, forecast.reasons = "weak", ["the subset is small", "few rungs"]
        forecast.subset = SimpleNamespace(mean=np.float64(0.5), share=0.75)
        zero = (rates == 0).all(axis=1)
        means = [*rates.mean(axis=0), *(anchors.mean(axis=0) if anchors is not None else [])]
        model = SimpleNamespace(
            classes_=np.where(zero, "zero", "predictable"),
            bandwidth_=np.float64(0.2),
            clusters_=[
                SimpleNamespace(
                    id=np.int64(0), size=np.int64((~zero).sum()), rates=rates.mean(axis=0),
                    g=0.0, a=2.0, b=0.3, c=np.nan, predictable=np.bool_(True), reason="",
                    notes=[],
                )
            ],
            mapping_=SimpleNamespace(
                knots=np.array([0.0, 1.0]), coefficients=np.ones((1, 4)), rmse=0.001,
                points=[(mean, mean) for mean in means],
            ),
        )  # fmt: skip
        return forecast, model

    methods = {"cod": clustered, "cod-paper": clustered, "exp": last_rung}
    monkeypatch.setattr("cod_harness.engine.METHODS", methods)
    return seen
