"""The listing, and the shipped configurations by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from data_sets import write_data_sets

from benchmarks import (
    MATH_SUBSETS,
    MMLU_PRO_SUBSETS,
    math_subset,
    mmlu_pro_subset,
    mmlu_question,
)
from cod_harness.cli import main
from cod_harness.ladder.groups import pooled_groups, with_groups
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.ladder.store import read_store, write_passrates
from cod_harness.task_folder import task_folder


def test_listing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    printed = capsys.readouterr().out
    rows = {
        cells[0]: cells
        for line in printed.splitlines()
        if line.startswith("|cod_")
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    shots = {name: row[3] for name, row in rows.items() if row[3]}
    assert shots == {
        "cod_gsm8k": "8",
        "cod_math": "4",
        "cod_bbh": "3",
        "cod_triviaqa": "5",
        "cod_mbpp": "3",
        "cod_agieval": "5",
        "cod_drop": "3",
        "cod_mmlu_pro": "5",
    }
    assert rows["cod_gsm8k"][4:7] == ["strict-match", "exact_match", "1,319"]
    assert rows["cod_gsm8k"][7] == "13.2M - 33.8M"
    assert rows["cod_math"][5] == "math_verify"
    assert main(["tasks", "--path"]) == 0
    assert capsys.readouterr().out == f"{task_folder()}\n"


def test_every_configuration_names_an_existing_base() -> None:
    pytest.importorskip("lm_eval")
    import yaml

    from cod_harness.harness.scoring.task_source import harness_tasks

    names = []
    for path in task_folder().rglob("cod_*.yaml"):
        config = yaml.safe_load(path.read_text())
        if "base" in config:
            names.append(config["task"])
            assert (harness_tasks() / config["base"]).is_file(), path
            assert path.stem == config["task"]
    assert len(names) == 4 + 7 + 27 + 14 + 21


@pytest.mark.slow
def test_group_forecast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four runs of a shipped group, then its forecast as a whole and per subset."""
    import scripted_model  # noqa: F401 - registers the model

    subsets = ("law", "physics", "history")
    questions = {name: [f"What of {name}, part {n}?" for n in range(15)] for name in subsets}
    members = []
    for name in MMLU_PRO_SUBSETS:  # the harness loads all of a group
        member = mmlu_pro_subset(name)
        category = name.replace("_", " ")
        for n, question in enumerate(questions.get(name, [])):
            member.splits["test"].append(mmlu_question(100 + n, category, question))
        members.append(member)
    write_data_sets(tmp_path, members)
    monkeypatch.chdir(tmp_path)
    lines = ["ladder: four", "rungs:"]
    lines += [f"- {{name: r{n}, params: {10**n}e6, tokens: 1e9}}" for n in range(4)]
    ladder = tmp_path / "ladder.yaml"
    ladder.write_text("\n".join([*lines, "targets:", "- {name: big, params: 1e11, tokens: 1e9}"]))
    for n in range(4):
        script = {part: [a for a, _ in told] for m in members for part, told in m.answers.items()}
        for asked in questions.values():
            for at, question in enumerate(asked):
                right = min(8, max(0, 2 * n + 2 - at % 5))
                script[question] = [" The answer is (B)."] * right + [""] * (8 - right)
        Path("script.json").write_text(json.dumps(script))
        words = ["run", "--model", "cod-scripted", "--model_args", "script=script.json"]
        words += ["--tasks", "cod_mmlu_pro", "--output_path", "out"]
        words += ["--include_path", str(task_folder()), "--cod-include-only"]
        words += ["--cod", str(ladder), "--cod-rung", f"r{n}", "--cod-repeats", "8"]
        assert main(words) == 0, capsys.readouterr().err
    newest = max(Path("out").rglob("results_*.json"), key=lambda path: path.stat().st_mtime)
    harness = json.loads(newest.read_text())["results"]
    [written] = Path("out").rglob("cod_forecast_*.json")
    document = json.loads(written.read_text())
    told = document["tasks"]
    assert set(told) == {"cod_mmlu_pro", *(member.task for member in members)}
    assert told["cod_mmlu_pro"]["questions"] == 14 + 45
    score = harness["cod_mmlu_pro"]["pass_rate,custom-extract"]
    assert told["cod_mmlu_pro"]["rungs"][-1]["accuracy"] == pytest.approx(score)
    assert told["cod_mmlu_pro_law"]["questions"] == 16
    forecasts = {entry["task"]: entry for entry in document["forecasts"]}
    assert set(forecasts) == set(told)
    assert forecasts["cod_mmlu_pro"]["mean"] is not None
    assert forecasts["cod_mmlu_pro"]["low"] < forecasts["cod_mmlu_pro"]["mean"]


def test_groups_pooled(local: Any, evaluate: Any) -> None:
    """A group of several tasks is one benchmark, each question of the same weight."""
    pytest.importorskip("math_verify", reason="needs pip install 'cod-harness[math]'")
    members = [math_subset(subset) for subset in MATH_SUBSETS]
    results = evaluate(local(members), ["cod_math"])
    groups = pooled_groups(results)
    assert groups == {"cod_math": [member.task for member in members]}
    rows = [
        {"task": m.task, "question": q, "model": "a", "checkpoint": "", "rate": rate, "metric": ""}
        for m in members
        for q, rate in m.rates.items()
    ]
    table = with_groups(pd.DataFrame(rows), [{"pooled": groups}])
    whole = table[table["task"] == "cod_math"]
    assert len(whole) == len(rows)
    score = results["results"]["cod_math"]["pass_rate,none"]
    assert whole["rate"].mean() == pytest.approx(score)
    results["results"]["cod_math"]["pass_rate,none"] += 0.1  # weighed otherwise
    assert pooled_groups(results) == {}


def test_no_pass_rates_of_groups_in_the_store(tmp_path: Path) -> None:
    """Groups are made on reading: a store holds what was measured."""
    rows = [
        {"task": task, "question": "q", "model": "a", "rate": rate, "n_samples": 0}
        for task, rate in (("one", 0.5), ("two", 0.25))
    ]
    path = write_passrates(
        tmp_path / "cod_passrates_2026-01-01T00-00-00.parquet",
        pd.DataFrame(rows),
        {"rung": "a", "tasks": {"one": {}, "two": {}}, "pooled": {"both": ["one", "two"]}},
    )
    assert set(read_store(path)[0]["task"]) == {"one", "two"}
    assert read_passrates(path).tasks == ["both", "one", "two"]
