"""Pass rates on a small ladder, methods that are known by heart, and processes without torch."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_ladders import Seen, made_ladder, made_table

from cod_harness.engine.verdicts import because
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates

# What `find_spec` answers where they are not installed.
WITHOUT = """from importlib.machinery import PathFinder

found = PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name in ("torch", "transformers") else found(name, path, target)


PathFinder.find_spec = find_spec
"""


@pytest.fixture(scope="session")
def light_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with which processes do without torch: loading it is most of a short run."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "sitecustomize.py").write_text(WITHOUT)
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(folder), *([before] if before else [])])


@pytest.fixture
def light(light_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that the test starts do without torch, which their models do not need."""
    monkeypatch.setenv("PYTHONPATH", light_path)


@pytest.fixture
def ladder() -> Ladder:
    return made_ladder()


@pytest.fixture
def table() -> pd.DataFrame:
    return made_table()


@pytest.fixture
def rates(table: pd.DataFrame) -> PassRates:
    return PassRates(table)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Replaces the engine's methods by two that forecast the last rung's accuracy."""
    seen = Seen()

    class LastRung:
        def fit(
            self, rates: Any, compute: Any, n_samples: Any, *, anchors: Any, losses: Any
        ) -> LastRung:
            self.mean = rates[:, -1].mean()
            seen.append(
                SimpleNamespace(
                    rates=rates, compute=compute, n_samples=n_samples, anchors=anchors,
                    losses=losses,
                )
            )  # fmt: skip
            return self

        def forecast(self, compute: float, level: float) -> SimpleNamespace:
            return SimpleNamespace(
                mean=self.mean, low=self.mean - 0.1, high=self.mean + 0.1, level=level,
                verdict="ok", reasons=(), compute=compute,
                subset=SimpleNamespace(mean=np.nan, share=np.nan), parts={},
            )  # fmt: skip

    class Clustered(LastRung):
        def fit(
            self, rates: Any, compute: Any, n_samples: Any, *, anchors: Any, losses: Any
        ) -> Clustered:
            super().fit(rates, compute, n_samples, anchors=anchors, losses=losses)
            zero = (rates == 0).all(axis=1)
            means = [*rates.mean(axis=0), *(anchors.mean(axis=0) if anchors is not None else [])]
            self.classes_ = np.where(zero, "zero", "predictable")
            self.labels_ = np.where(zero, -1, 0)
            self.bandwidth_ = np.float64(0.2)
            self.clusters_ = [
                SimpleNamespace(
                    id=np.int64(0), size=np.int64((~zero).sum()), rates=rates.mean(axis=0),
                    g=0.0, a=2.0, b=0.3, c=np.nan, predictable=np.bool_(True), reason=None,
                    notes=(because("on_bound", parameter="a", side="upper"),),
                )
            ]  # fmt: skip
            self.mapping_ = SimpleNamespace(
                knots=np.array([0.0, 1.0]), coefficients=np.ones((1, 4)), rmse=0.001,
                points=[(mean, mean) for mean in means],
            )  # fmt: skip
            return self

        def forecast(self, compute: float, level: float) -> SimpleNamespace:
            forecast = super().forecast(compute, level)
            forecast.verdict = "weak"
            forecast.reasons = (because("small_subset", share=0.1), because("no_rise"))
            forecast.subset = SimpleNamespace(mean=np.float64(0.5), share=0.75)
            return forecast

    methods = {"cod": Clustered, "cod-paper": Clustered, "exp": LastRung}
    monkeypatch.setattr("cod_harness.engine.METHODS", methods)
    return seen
