"""Results of real runs of the harness whose samples nobody kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness_runs import DOCUMENTS, RUNGS, Ran, Runner

from cod_harness.evaluation.forecasts import forecast_ladder
from cod_harness.harness.ingest.ingest import ingest
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates

TASKS = ("cod_t_two_filters", "cod_t_choice", "cod_t_group", "cod_t_rolling")
MEMBERS = {"cod_t_custom", "cod_t_aliases"}


@pytest.fixture(scope="session")
def runs(plain_run: Runner, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    return {
        name: plain_run(",".join(TASKS), "--log_samples", model=f"{name},skill={skill}")
        for name, skill in RUNGS
    }


@pytest.fixture
def bare(runs: dict[str, Ran], tmp_path: Path) -> Path:
    """The runs' results without their samples."""
    for ran in runs.values():
        shutil.copytree(ran.folder, tmp_path / "out", dirs_exist_ok=True)
    for path in (tmp_path / "out").rglob("samples_*.jsonl"):
        path.unlink()
    return tmp_path / "out"


def test_read_as_the_harness_wrote_them(
    bare: Path, runs: dict[str, Ran], ladder_file: Path
) -> None:
    ladder = read_ladder(ladder_file)
    rates = read_passrates(bare, ladder)
    assert set(rates.tasks) == {*TASKS, *MEMBERS} - {"cod_t_rolling"}
    assert any("cod_t_rolling (word_perplexity" in note for note in rates.notes)
    for name, ran in runs.items():
        scores = ran.results["results"]
        for task, key in (("cod_t_choice", "acc,none"), ("cod_t_group", "em,none")):
            matrix = rates.matrix(task, [name])
            assert matrix.rates[0, 0] == pytest.approx(scores[task][key])
        strict = rates.matrix("cod_t_two_filters", [name])
        assert strict.rates[0, 0] == scores["cod_t_two_filters"]["exact_match,strict-match"]
    assert rates.questions("cod_t_choice") == DOCUMENTS
    made = forecast_ladder(rates, ladder)
    assert {one.verdict for one in made.record.forecasts} <= {"ok", "weak"}
    assert {task.source for task in made.record.tasks.values()} == {"accuracies"}


def test_samples_come_first(
    bare: Path, runs: dict[str, Ran], ladder_file: Path, tmp_path: Path
) -> None:
    """Where the samples of one task are kept, it is known by its questions."""
    for name, ran in runs.items():
        for path in ran.folder.rglob("samples_cod_t_two_filters_2*.jsonl"):
            shutil.copy(path, bare / name / path.name)
    ladder = read_ladder(ladder_file)
    rates = ingest([bare], ladder, processes=1)
    assert not rates.whole("cod_t_two_filters") and rates.whole("cod_t_choice")
    again = read_passrates(rates.write(tmp_path / "rates.parquet"), ladder)
    assert not again.whole("cod_t_two_filters") and again.whole("cod_t_group")
    ours = again.matrix("cod_t_two_filters", ["f1"]).rates.mean()
    results = runs["f1"].results["results"]["cod_t_two_filters"]
    assert ours == pytest.approx(results["exact_match,strict-match"])


def test_a_captured_run_tells_nothing_twice(cod_run: Runner, ladder_file: Path) -> None:
    ran = cod_run("cod_t_two_filters,cod_t_group")
    ladder = read_ladder(ladder_file)
    rates = read_passrates(ran.folder, ladder)
    assert not any(rates.whole(task) for task in rates.tasks)
    assert rates.notes == ()
