"""What users of `backtest` type, and what they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cod_harness.cli import main

LADDER = """\
ladder: made
rungs:
- {name: a, params: 1e6, tokens: 1e8}
- {name: b, params: 2e6, tokens: 2e8}
- {name: c, params: 4e6, tokens: 4e8}
- {name: d, params: 8e6, tokens: 8e8}
- {name: e, params: 16e6, tokens: 16e8}
targets:
- {name: big, params: 64e6, tokens: 64e8}
"""
TITLE = """\
Backtest of made: 2 known results on 1 task (1 target and 1 rung), each forecast
from what is below it; absolute errors in points, 90 % intervals
"""
BY_TASK = """
|Task|last|powerlaw|
|----|---:|-------:|
|t   |16.5|     1.7|
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ladder, and forty questions whose rates rise along it."""
    (tmp_path / "ladder.yaml").write_text(LADDER)
    lines = ["task,question,model,n_correct,n_samples"]
    for question in range(40):
        for rank, model in enumerate(["a", "b", "c", "d", "e", "big"]):
            rate = min(0.99, 0.05 + (0.1 + 0.02 * (question % 2)) * (rank + (model == "big")))
            lines.append(f"t,{question},{model},{round(100 * rate)},100")
    (tmp_path / "rates.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def run(folder: Path, words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    sources = [str(folder / "rates.csv"), "--ladder", str(folder / "ladder.yaml")]
    status = main(["backtest", *sources, *words.split()])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(folder, "--method last,powerlaw --by task --jobs 1", capsys)
    assert status == 0
    assert out.startswith(TITLE) and out.endswith(BY_TASK)
    assert "|last    |16.5|11.0-22.0|22.0|" in out
    assert "|-14.8 [-21.0,-8.6]|" in out  # powerlaw against last


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(folder, "--method last --holdout 0 --level 0.5 --json -", capsys)
    assert status == 0 and err == ""
    document = json.loads(out)
    assert document["schema"] == "cod-backtest/1" and document["settings"]["level"] == 0.5
    assert [row["target"] for row in document["rows"]] == ["big"]
    run(folder, f"--method last --json {folder / 'b.json'}", capsys)
    assert len(json.loads((folder / "b.json").read_text())["rows"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--holdout two", "--holdout two: a whole number is needed"),
        ("--level 90", "--level 90: a share between 0 and 1 is needed"),
        ("--level x", "--level x: a share between 0 and 1 is needed"),
        ("--method ex", "no method 'ex'; there are bnsl, cod"),
        ("--method ,", "no method given"),
        ("--by rung", "--by rung: there are task and target"),
        ("--jobs -1", "--jobs -1: a whole number is needed"),
        ("--nope", "unrecognized arguments: --nope (see `cod-harness backtest --help`)"),
    ],
)
def test_wrong_input_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    status, out, err = run(folder, words, capsys)
    assert status == 2 and out == ""
    assert message in err and err.count("\n") == 1


def test_an_output_folder_gets_the_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [str(folder / "rates.csv"), "--ladder", str(folder / "ladder.yaml")]
    out = folder / "out"
    assert main(["ingest", *sources, "-o", str(out / "cod_passrates_2026.parquet")]) == 0
    words = [str(out), "--ladder", str(folder / "ladder.yaml"), "--method", "last"]
    assert main(["backtest", *words]) == 0
    (written,) = out.glob("cod_backtest_*.json")
    assert str(written) in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["backtest", "--help"])
    assert stop.value.code == 0
    assert "A forecast never sees what it is scored on." in capsys.readouterr().out
