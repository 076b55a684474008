"""The shipped suite, as it is: by stock `lm_eval run`, and captured by `cod-harness run`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from data_sets import write_data_sets

from benchmarks import Benchmark, suite
from cod_harness.cli import main
from cod_harness.harness.ingest.ingest import ingest
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.ladder.store import read_store
from cod_harness.task_folder import task_folder

# The model is of the tests, as a user's own would be; the rest is the harness's command.
LM_EVAL = "import scripted_model; from lm_eval.__main__ import cli_evaluate; cli_evaluate()"


def by_hand(benchmark: Benchmark, repeats: int = 100) -> dict[str, float]:
    """Rates over so many repeats of 8 answers in turn: of 100 the first four come 13 times."""
    if not benchmark.answers:
        return benchmark.rates
    times = [repeats // 8 + (at < repeats % 8) for at in range(8)]
    return {
        part: sum(right * n for (_, right), n in zip(told, times, strict=True)) / repeats
        for part, told in benchmark.answers.items()
    }


@pytest.fixture
def members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Benchmark]:
    """The suite's tasks; in the folder of the test, which is the current one, all they need."""
    pytest.importorskip("math_verify", reason="needs pip install 'cod-harness[math]'")
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    monkeypatch.chdir(tmp_path)
    found = suite()
    write_data_sets(tmp_path, found)
    script = {part: [a for a, _ in told] for m in found for part, told in m.answers.items()}
    script |= {part: lls for m in found for part, lls in m.choices.items()}
    Path("script.json").write_text(json.dumps(script))
    Path("ladder.yaml").write_text(
        "ladder: one\nrungs:\n- {name: scripted, params: 1e6, tokens: 1e9}\n"
    )
    return found


WORDS = ["--tasks", "cod_suite", "--model", "cod-scripted", "--model_args", "script=script.json"]
WORDS += ["--log_samples", "--output_path", "out", "--confirm_run_unsafe_code"]


@pytest.mark.slow
@pytest.mark.usefixtures("light")
def test_stock_command_line(
    members: list[Benchmark], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--include_path", str(task_folder()), *WORDS]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    found = [str(_HERE), os.environ["PYTHONPATH"]]
    ran = subprocess.run(
        [sys.executable, "-c", LM_EVAL, *words],
        env={**os.environ, **offline, "PYTHONPATH": os.pathsep.join(found)},
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
                assert float(row["n_correct"]) == pytest.approx(100 * rates[part])

    # What such a run left is read afterwards, its groups as benchmarks of their own.
    found = ["ingest", "out", "--ladder", "ladder.yaml", "--rung", "scripted"]
    assert main([*found, "-o", "rates.parquet"]) == 0, capsys.readouterr().err
    frame = read_passrates("rates.parquet").frame
    for member in members:
        mine = sorted(frame[frame["task"] == member.task]["rate"])
        assert mine == pytest.approx(sorted(by_hand(member).values())), member.task
    for group in ("cod_math", "cod_bbh", "cod_agieval", "cod_mmlu_pro"):
        rates = [r for m in members if m.task.startswith(group) for r in by_hand(m).values()]
        mine = frame[frame["task"] == group]["rate"]
        assert len(mine) == len(rates)
        assert mine.mean() == pytest.approx(results[group][f"pass_rate,{_filter(group)}"])
        assert mine.mean() == pytest.approx(sum(rates) / len(rates))


@pytest.mark.slow
def test_captured_like_counted(
    members: list[Benchmark], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, with 8 repeats: capture and hand agree; so does ingest afterwards.

    And the harness knows all names that ship, beside its own.
    """
    import scripted_model  # noqa: F401 - registers the model
    from lm_eval.tasks import TaskManager

    known: list[str] = []
    begin = TaskManager.__init__

    def begun(self: Any, *words: Any, **more: Any) -> None:
        begin(self, *words, **more)
        known.extend(self.all_tasks)

    monkeypatch.setattr(TaskManager, "__init__", begun)
    words = ["run", *WORDS, "--cod", "ladder.yaml", "--cod-rung", "scripted"]
    assert main([*words, "--cod-repeats", "8"]) == 0, capsys.readouterr().err
    ours = [name for name in known if name.startswith("cod_")]
    assert len(ours) == len(set(ours)) == 4 + 7 + 27 + 14 + 21 + 4 + 1
    assert {"cod_suite", "cod_gsm8k", "cod_math", "cod_bbh_snarks", "gsm8k", "mmlu"} <= set(known)
    [store] = Path("out").rglob("cod_passrates_*.parquet")
    frame, settings = read_store(store)
    again = ingest(Path("out").rglob("samples_*.jsonl"), read_ladder("ladder.yaml"), run_code=True)
    assert any("scores as logged" in note for note in again.notes)
    for member in members:
        counted = sorted(by_hand(member, 8).values())
        for table in (frame, again.frame):
            rows = table[table["task"] == member.task]
            assert sorted(rows["rate"]) == pytest.approx(counted), member.task
            assert set(rows["n_samples"]) == ({8} if member.answers else {0})
        about = settings["tasks"][member.task]
        if member.answers:
            assert about["harness_score"] == about["first_repeat_score"]
    assert settings["tasks"]["cod_gsm8k"]["same_answer"] == 2


def _filter(group: str) -> str:
    return next(m.filter for m in suite() if m.task.startswith(group))


_HERE = Path(__file__).parent
