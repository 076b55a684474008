"""`cod-harness plan PATH... --ladder LADDER.yaml`: what to measure next."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from cod_harness.cli import main
from cod_harness.documents.schemas import schema
from cod_harness.evaluation import planning
from cod_harness.evaluation.records.plan import Plan

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


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(planning, "DRAWN", 2)  # to be quick
    (tmp_path / "ladder.yaml").write_text(LADDER)
    lines = ["task,question,model,n_correct,n_samples"]
    for question in range(40):
        for rank, model in enumerate(["a", "b", "c", "d", "e"]):
            right = max(0, min(10, 2 * rank + 1 - question % 4))
            lines.append(f"t,q{question},{model},{right},10")
    (tmp_path / "rates.csv").write_text("\n".join(lines) + "\n")
    return ["plan", str(tmp_path / "rates.csv"), "--ladder", str(tmp_path / "ladder.yaml")]


def test_a_document_that_keeps_its_schema(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json", "-", "--answer-tokens", "20", "--budget-flop", "1e17"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema(Plan))
    assert document["settings"]["budget_flop"] == 1e17
    assert document["settings"]["answer_tokens"] == {"t": 20}
    kinds = {one["kind"] for one in document["options"]}
    assert kinds == {"nothing", "rung", "checkpoints", "draws", "anchor"}
    assert all(document["options"][place]["flop"] <= 1e17 for place in document["best"])


def test_the_table_and_the_page(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, forecast, page = (tmp_path / name for name in ("p.json", "f.json", "p.html"))
    assert main([*words, "--json", str(plan)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("What to measure next on made: 90 % intervals of big")
    assert "|nothing more" in out and "|Task|" in out
    assert main(["forecast", *words[1:], "--json", str(forecast)]) == 0
    pytest.importorskip("altair")
    assert main(["report", str(forecast), "--plan", str(plan), "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "<h2>What to measure next</h2>" in text and "as large as the largest" in text
    other = str(tmp_path / "other.html")
    assert main(["report", str(forecast), "--plan", str(forecast), "-o", other]) == 2
    assert "cod-plan/1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--budget-tokens", "1e6"], "answers of unknown length on t; give --answer-tokens N"),
        (["--budget-flop", "0"], "--budget-flop 0: a number above 0 is needed"),
        (["--tokens-per-second", "5"], "--tokens-per-second goes with LADDER.yaml --tasks"),
        (["--target", "huge"], "no model 'huge' in the ladder"),
    ],
)
def test_wrong_input(
    words: list[str], capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main([*words, *more]) == 2
    assert said in capsys.readouterr().err


def test_a_budget_needs_something_measured(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", words[-1], "--tasks", "cod_gsm8k", "--budget-flop", "1e20"]) == 2
    assert "--budget-flop goes with PATH... --ladder LADDER.yaml" in capsys.readouterr().err
    assert main(["plan", words[-1]]) == 2
    assert "give LADDER.yaml --tasks TASK,..., or PATH... --ladder" in capsys.readouterr().err
