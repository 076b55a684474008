"""`cod-harness ladder`, its executors, and the plug-in."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from harness_runs import RUNGS, Ran, captured

from cod_harness.cli import ladder as command
from cod_harness.harness.campaign import campaign, progress
from cod_harness.harness.campaign.executors import Finished, LocalExecutor, RungJob
from cod_harness.ladder.store import read_store


class InProcess:
    """An executor that runs a job's command in this process when polled: a stand-in for Ray."""

    def __init__(self, fails: Sequence[str] = ()) -> None:
        self.waiting: list[RungJob] = []
        self.ran: list[str] = []
        self.fails = fails

    def submit(self, job: RungJob) -> None:
        self.waiting.append(job)

    def running(self) -> Sequence[RungJob]:
        return self.waiting[:1]

    def poll(self) -> Sequence[Finished]:
        from cod_harness.cli import run

        job = self.waiting.pop(0)
        self.ran.append(job.name)
        if job.name in self.fails:
            job.log.parent.mkdir(parents=True, exist_ok=True)
            job.log.write_text("loading\ncod-harness: out of memory\n")
            return [Finished(job, 1)]
        assert job.command[1:4] == ("-m", "cod_harness", "run")
        ran = captured(lambda: run.main(job.command[4:]), Path("."))
        assert ran.status == 0, ran.err
        return [Finished(job, ran.status)]

    def stop(self) -> None:
        self.waiting.clear()


@pytest.fixture
def laddered(
    one_task_manager: None,
    ladder_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Ran, InProcess]]:
    monkeypatch.setattr(campaign, "_LOOK_EVERY", 0.0)

    def go(*more: str, fails: Sequence[str] = ()) -> tuple[Ran, InProcess]:
        executor = InProcess(fails)
        monkeypatch.setattr(command, "LocalExecutor", lambda jobs: executor)
        words = [str(ladder_file), "--tasks", "cod_t_custom", "-o", str(tmp_path), *more]
        return captured(lambda: command.main(words), tmp_path), executor

    return go


def test_a_ladder(laddered: Callable[..., tuple[Ran, InProcess]]) -> None:
    """A failing rung stops no other; a second call does only what is left, then forecasts."""
    names = [name for name, _ in RUNGS]
    ran, executor = laddered("--cod-repeats", "20", fails=["f2", "f3"])
    assert ran.status == 1
    assert executor.ran == names
    assert len(ran.stores) == 3
    assert "f2 failed (exit 1): out of memory; log: " in ran.err
    assert not list(ran.folder.glob("cod_forecast_*"))

    ran, executor = laddered("--cod-repeats", "20")
    assert ran.status == 0, ran.err
    assert executor.ran == ["f2", "f3"]
    assert "already measured, skipped: f1, f4, f5" in ran.err
    assert len(list(ran.folder.glob("cod_forecast_*"))) == 1
    assert "cod_t_custom" in ran.out

    ran, executor = laddered("--cod-repeats", "10")
    assert executor.ran == names
    assert {read_store(path)[1]["tasks"]["cod_t_custom"]["repeats"] for path in ran.stores} == {
        10,
        20,
    }


def test_a_ladder_whose_models_changed(
    laddered: Callable[..., tuple[Ran, InProcess]],
    ladder_file: Path,
) -> None:
    """What was measured stands, but nobody is left to think that it is of the models named now."""
    ran, _ = laddered("--cod-repeats", "5")
    assert "was measured as" not in ran.err
    before = ladder_file.read_text()
    try:
        ladder_file.write_text(before.replace("skill=1.5", "skill=9"))
        ran, executor = laddered("--cod-repeats", "5")
    finally:
        ladder_file.write_text(before)
    assert executor.ran == []
    assert (
        "f3 was measured as cod-fake pretrained=f3,skill=1.5, the ladder now says "
        "cod-fake pretrained=f3,skill=9; if that is another model, move its files" in ran.err
    )
    assert ran.err.count("was measured as") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "a", "-o", "x"], "name the ladder file first"),
        (["LADDER", "-o", "x"], "required: --tasks"),
        (["LADDER", "--tasks", "a", "-o", "x", "--jobs", "no"], "--jobs no: a whole number"),
        (["LADDER", "--tasks", "a", "-o", "x", "--model", "hf"], "--model: comes from the ladder"),
        (["LADDER", "--tasks", "a", "-o", "x", "--cod-rungs", "b"], "--cod-rungs: no such flag"),
        (["none.yaml", "--tasks", "a", "-o", "x"], "none.yaml: no such ladder file"),
    ],
)
def test_mistakes(ladder_file: Path, words: list[str], message: str) -> None:
    words = [str(ladder_file) if word == "LADDER" else word for word in words]
    ran = captured(lambda: command.main(words), Path("."))
    assert ran.status == 2
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1


def test_neighbouring_checkpoints_are_runs_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "ladder.yaml"
    path.write_text(
        "ladder: x\nrungs:\n- {name: a, params: 1e6, tokens: 1e9, model: hf, "
        "model_args: 'pretrained=c/a,dtype=float32', checkpoints: [c/a-1, c/a-2]}\n"
        "anchors:\n- {name: far, model: hf, model_args: pretrained=far}\n- {name: known}\n"
    )
    asked = command.asked([str(path), "--tasks", "t", "-o", str(tmp_path), "--limit", "3"])
    jobs = campaign.jobs_of(asked)
    assert [job.name for job in jobs] == ["a@a-1", "a@a-2", "far"]
    assert "pretrained=c/a-2,dtype=float32" in jobs[1].command
    assert jobs[1].command[jobs[1].command.index("--cod-checkpoint") + 1] == "c/a-2"
    assert jobs[0].command[-2:] == ("--limit", "3")


def test_progress_from_a_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert progress._tail_progress(log, 5) == "starting"
    log.write_text(
        "100%|####| 24/24 [00:00<00:00, 9it/s]\n"
        "Running generate_until requests:   0%|    | 0/120 [00:00<?, ?it/s]\r"
        "Running generate_until requests:  33%|#   | 40/120 [00:10<00:20, 4.0it/s]"
    )
    assert progress._tail_progress(log, 5) == "8/24 questions, 00:20 left"


def _job(name: str, code: str, folder: Path) -> RungJob:
    return RungJob(name, (sys.executable, "-c", code), folder / f"{name}.log", {"COD_X": "7"})


def _finish(executor: LocalExecutor, count: int) -> dict[str, int]:
    found: dict[str, int] = {}
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        found.update({ended.job.name: ended.status for ended in executor.poll()})
        time.sleep(0.02)
    return found


def test_local_executor(tmp_path: Path) -> None:
    executor = LocalExecutor(2)
    executor.submit(_job("good", "import os; print(os.environ['COD_X'])", tmp_path))
    executor.submit(_job("bad", "raise SystemExit(3)", tmp_path))
    executor.submit(RungJob("none", ("/no/such/program",), tmp_path / "none.log"))
    assert _finish(executor, 3) == {"good": 0, "bad": 3, "none": 127}
    assert (tmp_path / "good.log").read_text() == "7\n"


def test_stopping_ends_the_children(tmp_path: Path) -> None:
    executor = LocalExecutor(2)
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    for name in ("a", "b", "waits"):
        executor.submit(_job(name, code, tmp_path))
    executor.poll()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not all(
        (tmp_path / f"{name}.log").read_text() for name in ("a", "b")
    ):
        time.sleep(0.02)
    executor.stop()
    for name in ("a", "b"):
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / f"{name}.log").read_text()), 0)
    assert not executor.running()
    assert not executor.poll()
    assert not (tmp_path / "waits.log").exists()


def test_plugin(
    one_task_manager: None, ladder_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing the module is enough: results carry `cod`, files follow the tracker."""
    from lm_eval import evaluator
    from lm_eval.loggers import EvaluationTracker

    for owner, name in (
        (evaluator, "evaluate"),
        (evaluator, "simple_evaluate"),
        (EvaluationTracker, "__init__"),
        (EvaluationTracker, "save_results_aggregated"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # so that it is put back
    monkeypatch.setenv("COD_LADDER", str(ladder_file))
    monkeypatch.setenv("COD_RUNG", "f4")
    monkeypatch.setenv("COD_REPEATS", "6")
    sys.modules.pop("cod_harness.plugin", None)
    import lm_eval

    import cod_harness.plugin  # noqa: F401

    results = lm_eval.simple_evaluate(
        model="cod-fake",
        model_args="pretrained=f4,skill=2",
        tasks=["cod_t_custom"],
        evaluation_tracker=(tracker := EvaluationTracker(output_path=str(tmp_path))),
    )
    assert results["cod"]["tasks"]["cod_t_custom"]["repeats"] == 6
    results.pop("samples")
    tracker.save_results_aggregated(results=results)
    [store] = tmp_path.rglob("cod_passrates_*")
    assert read_store(store)[1]["rung"] == "f4"
