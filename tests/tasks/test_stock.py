"""The shipped suite, as it is, by stock `lm_eval run`: nothing of ours but the folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from data_sets import write_data_sets

from benchmarks import Benchmark, suite
from cod_harness.cli import main
from cod_harness.ladder.passrates import read_passrates
from cod_harness.task_folder import task_folder

REPEATS = 100
# The model is of the tests, as a user's own would be; the rest is the harness's command.
LM_EVAL = "import scripted_model; from lm_eval.__main__ import cli_evaluate; cli_evaluate()"


def by_hand(benchmark: Benchmark) -> dict[str, float]:
    """Rates over 100 repeats of 8 answers given in turn: the first four come once more."""
    if not benchmark.answers:
        return benchmark.rates
    times = [REPEATS // 8 + (at < REPEATS % 8) for at in range(8)]
    return {
        part: sum(right * n for (_, right), n in zip(told, times, strict=True)) / REPEATS
        for part, told in benchmark.answers.items()
    }


@pytest.mark.slow
def test_stock_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("math_verify", reason="needs pip install 'cod-harness[math]'")
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    members = suite()
    write_data_sets(tmp_path, members)
    script = {part: [a for a, _ in told] for m in members for part, told in m.answers.items()}
    script |= {part: lls for m in members for part, lls in m.choices.items()}
    (tmp_path / "script.json").write_text(json.dumps(script))
    words = ["run", "--include_path", str(task_folder()), "--tasks", "cod_suite"]
    words += ["--model", "cod-scripted", "--model_args", "script=script.json"]
    words += ["--log_samples", "--output_path", "out", "--confirm_run_unsafe_code"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    ran = subprocess.run(
        [sys.executable, "-c", LM_EVAL, *words],
        cwd=tmp_path,
        env={**os.environ, **offline, "PYTHONPATH": str(_HERE)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "pass_rate" in ran.stdout and "n_correct" in ran.stdout

    [path] = tmp_path.glob("out/**/results_*.json")
    results = json.loads(path.read_text())["results"]
    for member in members:
        rates = by_hand(member)
        mean = sum(rates.values()) / len(rates)
        assert results[member.task][f"pass_rate,{member.filter}"] == pytest.approx(mean)
        [logged] = tmp_path.glob(f"out/**/samples_{member.task}_2*.jsonl")
        rows = [json.loads(line) for line in logged.read_text().splitlines()]
        rows = [row for row in rows if row["filter"] == member.filter]
        assert len(rows) == len(rates)
        for row in rows:
            part = max(rates, key=row["arguments"]["gen_args_0"]["arg_0"].rfind)
            assert float(row["pass_rate"]) == pytest.approx(rates[part]), (member.task, part)
            if member.answers:
                assert float(row["n_correct"]) == pytest.approx(REPEATS * rates[part])

    # What such a run left is read afterwards, its groups as benchmarks of their own.
    ladder = tmp_path / "ladder.yaml"
    ladder.write_text("ladder: one\nrungs:\n- {name: scripted, params: 1e6, tokens: 1e9}\n")
    store = tmp_path / "rates.parquet"
    found = ["ingest", str(tmp_path / "out"), "--ladder", str(ladder), "--rung", "scripted"]
    assert main([*found, "-o", str(store)]) == 0, capsys.readouterr().err
    frame = read_passrates(store).frame
    for member in members:
        mine = sorted(frame[frame["task"] == member.task]["rate"])
        assert mine == pytest.approx(sorted(by_hand(member).values())), member.task
    for group in ("cod_math", "cod_bbh", "cod_agieval", "cod_mmlu_pro"):
        rates = [r for m in members if m.task.startswith(group) for r in by_hand(m).values()]
        mine = frame[frame["task"] == group]["rate"]
        assert len(mine) == len(rates)
        assert mine.mean() == pytest.approx(results[group][f"pass_rate,{_filter(group)}"])
        assert mine.mean() == pytest.approx(sum(rates) / len(rates))


def _filter(group: str) -> str:
    return next(m.filter for m in suite() if m.task.startswith(group))


_HERE = Path(__file__).parent
