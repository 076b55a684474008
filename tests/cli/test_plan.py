"""`cod-harness plan`: the bill before anything is spent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cod_harness.cli import main

LADDER = """\
ladder: made
rungs:
- {name: a, params: 1e6, tokens: 1e8, model: hf, model_args: pretrained=a, checkpoints: [a1, a2]}
- {name: b, params: 2e6, tokens: 2e8, model: hf, model_args: pretrained=b}
- {name: c, params: 4e6, tokens: 4e8}
"""


@pytest.fixture
def ladder(tmp_path: Path) -> str:
    path = tmp_path / "ladder.yaml"
    path.write_text(LADDER)
    return str(path)


def test_tokens_of_prompts_and_answers(ladder: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", ladder, "--tasks", "cod_gsm8k", "--tokens-per-second", "1000", "--json", "-"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["runs"]) == {"a", "b"}  # `c` does not say how it is run
    first, staged, full = document["per_run"]
    assert [bill["draws"] for bill in (first, staged, full)] == ["16", "16:100", "100"]
    assert full["generated"] == 1319 * 100 * 100  # draws, tokens of an answer
    assert full["requests"] == 1319
    assert full["prompt_tokens"] == 1319 * 900
    assert full["hours"] == pytest.approx(full["generated"] / 1000 / 3600)
    assert full["generated"] / staged["generated"] == pytest.approx(5)
    assert first["generated"] / full["generated"] == pytest.approx(0.16)
    assert first["requests"] < staged["requests"] < 1.1 * first["requests"]


def test_a_table_by_rung_and_in_all(ladder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", ladder, "--tasks", "cod_gsm8k,cod_drop"]) == 0
    out = capsys.readouterr().out
    assert "cod_drop" in out
    assert "100 draws:" in out
    assert "Hours" in out


def test_sets_scored_by_likelihood_generate_nothing(
    ladder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", ladder, "--tasks", "demo_agieval", "--json", "-"]) == 0
    bills = json.loads(capsys.readouterr().out)["per_run"]
    assert {bill["generated"] for bill in bills} == {0}
    assert len({bill["requests"] for bill in bills}) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tasks", "gsm8k"], "--tasks gsm8k: its length is not known"),
        (["--tasks", "cod_drop", "--tokens-per-second", "0"], "a number above 0"),
    ],
)
def test_wrong_input(
    ladder: str, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(["plan", ladder, *more]) == 2
    assert said in capsys.readouterr().err
