"""What was asked as a what-if never becomes the forecast of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cod_harness.cli import main
from cod_harness.ladder.store import write_passrates


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A folder of five rungs and its ladder."""
    lines, out = ["ladder: l", "rungs:"], tmp_path / "out"
    chance = np.random.default_rng(3)
    hard = chance.uniform(-2, 2, 40)
    for step in range(5):
        lines.append(f"- {{name: m{step}, params: {4**step}e6, tokens: {4**step}e8}}")
        rate = 1 / (1 + np.exp(hard - step + 2))
        frame = pd.DataFrame(
            {"task": "t", "question": [f"q{at}" for at in range(40)], "model": f"m{step}",
             "n_correct": np.round(rate * 20), "n_samples": 20, "rate": np.round(rate * 20) / 20}
        )  # fmt: skip
        about = {"ladder": "l", "rung": f"m{step}", "checkpoint": "", "tasks": {"t": {}}}
        write_passrates(out / f"cod_passrates_{step}.parquet", frame, about)
    lines += ["targets:", "- {name: big, params: 4e9, tokens: 4e11}"]
    (tmp_path / "l.yaml").write_text("\n".join(lines) + "\n")
    return ["forecast", str(out), "--ladder", str(tmp_path / "l.yaml"), "--method", "exp"]


def test_a_what_if_has_a_name_of_its_own(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(words) == 0
    [forecast] = out.glob("cod_forecast_*.json")
    assert main([*words, "--compute", "1e22"]) == 0
    assert list(out.glob("cod_forecast_*.json")) == [forecast]
    [whatif] = out.glob("cod_whatif_*.json")
    assert json.loads(whatif.read_text())["forecasts"][0]["compute"] == 1e22
    capsys.readouterr()
    register = tmp_path / "r.jsonl"
    assert main(["register", str(out), "-r", str(register)]) == 0
    told = capsys.readouterr().err
    assert str(forecast) in told and "forecasts for big" in told


def test_two_that_differ_are_not_chosen_from(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, ladder = tmp_path / "out", tmp_path / "l.yaml"
    assert main(words) == 0 and main(words) == 0  # the same again, of which the newest counts
    capsys.readouterr()
    assert main(["report", str(out), "--markdown", str(tmp_path / "m.md")]) == 0
    newest = max(out.glob("cod_forecast_*.json"))
    told = capsys.readouterr().err
    assert str(newest) in told and "forecasts for big at 9.6e+21 FLOP" in told
    ladder.write_text(ladder.read_text().replace("name: big", "name: other"))
    assert main(words) == 0
    for command in ("report", "register"):
        capsys.readouterr()
        assert main([command, str(out)]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and "big at" in told and "other at" in told
        assert (
            main(
                [command, str(newest), *(["-r", str(tmp_path / "r")][: 2 * (command != "report")])]
            )
            == 0
        )
    assert "big at" in capsys.readouterr().err


def test_below_the_smallest_rung_is_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for amount in ("1e3", "1e3:1e22"):
        assert main([*words, "--compute", amount]) == 2
        told = capsys.readouterr()
        assert told.out == "" and told.err.count("\n") == 1
        assert "below the smallest rung" in told.err


def test_some_tasks_alone(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--tasks", "t", "--json", "-"]) == 0
    assert [one["task"] for one in json.loads(capsys.readouterr().out)["forecasts"]] == ["t"]
    assert main([*words, "--tasks", "nope"]) == 2
    assert "nope" in capsys.readouterr().err


def test_a_run_without_a_folder_is_refused_before_anything_starts(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["run", "--model", "dummy", "--tasks", "x", "--cod", words[3]]
    assert main(asked) == 2
    told = capsys.readouterr().err
    assert "--output_path is missing" in told and told.count("\n") == 1
