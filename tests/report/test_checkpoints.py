"""Neighbouring checkpoints (A.2), from the stores of their runs to the forecast."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cod_harness.cli import main
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import read_passrates
from cod_harness.ladder.store import write_passrates
from cod_harness.report.evidence import task_evidence

RUNGS = ("a", "b", "c", "d", "e")
DRAWS = {"before": 20, "itself": 40, "after": 20}
QUESTIONS = 60


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """One store per checkpoint, as runs leave them: `OUT/<model>/cod_passrates_<date>.parquet`."""
    random = np.random.default_rng(0)
    lines = ["ladder: smoothed", "rungs:"]
    for place, rung in enumerate(RUNGS):
        paths = ", ".join(f"{rung}/{checkpoint}" for checkpoint in DRAWS)
        lines.append(
            f"- {{name: {rung}, params: {2**place}e6, tokens: {2**place}e8, model: hf, "
            f"model_args: pretrained={rung}/itself, checkpoints: [{paths}]}}"
        )
        for number, (checkpoint, draws) in enumerate(DRAWS.items()):
            # The neighbours stand below and above: their mean is the trend.
            chance = 0.15 + 0.14 * place + 0.05 * (number - 1)
            frame = pd.DataFrame(
                {
                    "task": "t",
                    "question": [f"q{i}" for i in range(QUESTIONS)],
                    "model": rung,
                    "checkpoint": f"{rung}/{checkpoint}",
                    "n_correct": random.binomial(draws, chance, QUESTIONS),
                    "n_samples": draws,
                }
            )
            about = {"rung": rung, "checkpoint": f"{rung}/{checkpoint}", "ladder": "smoothed"}
            tasks = {"t": {"version": 1, "repeats": draws}}
            stamp = f"2026-01-0{number + 1}T00-00-0{place}.000000"
            write_passrates(
                tmp_path / "out" / f"{rung}__{checkpoint}" / f"cod_passrates_{stamp}.parquet",
                frame,
                {**about, "tasks": tasks},
            )
    lines += ["targets:", "- {name: big, params: 64e6, tokens: 64e8}"]
    (tmp_path / "ladder.yaml").write_text("\n".join(lines) + "\n")
    return tmp_path / "out"


def test_rates_are_averaged_and_draws_added_up(out: Path) -> None:
    ladder = Ladder.read(out.parent / "ladder.yaml")
    rates = read_passrates(out, ladder)
    assert len(rates.frame) == len(RUNGS) * len(DRAWS) * QUESTIONS
    evidence = task_evidence(rates, ladder, "t")
    assert evidence.rates.shape == (QUESTIONS, len(RUNGS))
    assert (evidence.n_samples == sum(DRAWS.values())).all()
    for place, rung in enumerate(RUNGS):
        rows = rates.frame[rates.frame["model"] == rung]
        wide = rows.pivot(index="question", columns="checkpoint", values="rate")
        expected = wide.loc[evidence.questions].mean(axis=1)  # of three rates, not of all draws
        np.testing.assert_allclose(evidence.rates[:, place], expected)


def test_from_stores_to_the_forecast(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["forecast", str(out), "--ladder", str(out.parent / "ladder.yaml"), "--json", "-"]
    assert main([*words, "--method", "cod-paper"]) == 0
    task = json.loads(capsys.readouterr().out)["tasks"]["t"]
    assert task["samples"] == sum(DRAWS.values())
    accuracies = [rung["accuracy"] for rung in task["rungs"]]
    assert accuracies == pytest.approx([0.15 + 0.14 * place for place in range(5)], abs=0.02)
