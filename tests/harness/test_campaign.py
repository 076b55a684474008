"""`cod-harness ladder`, its executors, and the plug-in."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from harness_runs import DOCUMENTS, RUNGS, Ran, captured

from cod_harness.cli import cancel as cancel_command
from cod_harness.cli import ladder as command
from cod_harness.cli import status as status_command
from cod_harness.errors import InputError
from cod_harness.harness.campaign import campaign, driver, locks, progress, standing
from cod_harness.harness.campaign.executors import Room
from cod_harness.harness.campaign.jobs import COMMAND, Fate, Finished, Job
from cod_harness.harness.campaign.local import LocalExecutor
from cod_harness.ladder.store import read_store


class InProcess:
    """An executor that runs a job's command in this process when polled.

    fails: jobs that end otherwise than by running, each as often as it stands here. late: how jobs
    end that have done all their work.
    """

    stays = False

    def __init__(self, fails: Sequence[Finished | str] = (), late: Sequence[Finished] = ()) -> None:
        self.waiting: list[Job] = []
        self.ran: list[str] = []
        self.fails = list(fails)
        self.late = {end.job.name: end for end in late}

    def found(self, jobs: Sequence[Job]) -> Sequence[Job]:
        return []

    def submit(self, job: Job) -> None:
        self.waiting.append(job)

    def running(self) -> Sequence[Job]:
        return self.waiting[:1]

    def poll(self) -> Sequence[Finished]:
        from cod_harness.cli import run

        if not self.waiting:
            return []
        job = self.waiting.pop(0)
        self.ran.append(job.name)
        for end in self.fails:
            name, how = (end, Finished(job, 1)) if isinstance(end, str) else (end.job.name, end)
            if name == job.name:
                self.fails.remove(end)
                job.log.parent.mkdir(parents=True, exist_ok=True)
                job.log.write_text("loading\ncod-harness: out of memory\n")
                return [replace(how, job=job)]
        assert job.command[: len(COMMAND) + 1] == (*COMMAND, "run")
        ran = captured(lambda: run.main(job.command[len(COMMAND) + 1 :]), Path("."))
        assert ran.status == 0, ran.err
        return [replace(self.late.get(job.name, Finished(job, 0)), job=job)]

    def stop(self) -> None:
        self.waiting.clear()

    def leave(self) -> None:
        self.stop()

    def script(self, jobs: Sequence[Job]) -> str:
        return "".join(f"{job.name}\n" for job in jobs)


def ends(name: str, status: int, fate: Fate = "ended") -> Finished:
    """How a job of that name ends once, before it may run."""
    return Finished(Job(name, (), Path()), status, fate)


@pytest.fixture
def laddered(
    one_task_manager: None,
    ladder_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Ran, InProcess]]:
    monkeypatch.setattr(driver, "_LOOK_EVERY", 0.0)

    def go(
        *more: str,
        fails: Sequence[Finished | str] = (),
        late: Sequence[Finished] = (),
        tasks: str = "cod_t_custom",
    ) -> tuple[Ran, InProcess]:
        executor = InProcess(fails, late)
        monkeypatch.setattr(command, "executor", lambda name, room: executor)
        words = [str(ladder_file), "--tasks", tasks, "-o", str(tmp_path), *more]
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
        (["LADDER", "--tasks", "a", "-o", "x", "--executor", "lsf"], "there is none of that name"),
        (["LADDER", "--tasks", "a", "-o", "x", "--detach"], "end with this process"),
        (["LADDER", "--tasks", "a", "-o", "x", "--shards", "0"], "--shards 0: a whole number"),
        (["LADDER", "--tasks", "a", "-o", "x", "--sbatch", "gpu"], "'gpu' is no option of sbatch"),
        (["LADDER", "--tasks", "a", "-o", "x", "--cod-shard", "1/2"], "comes from --shards"),
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
    _, asked, _ = command.asked([str(path), "--tasks", "t", "-o", str(tmp_path), "--limit", "3"])
    jobs = [unit.whole for unit in campaign.units_of(asked)]
    assert [job.name for job in jobs] == ["a@a-1", "a@a-2", "far"]
    assert "pretrained=c/a-2,dtype=float32" in jobs[1].command
    assert jobs[1].command[jobs[1].command.index("--cod-checkpoint") + 1] == "c/a-2"
    assert jobs[0].command[-2:] == ("--limit", "3")


def test_progress_from_a_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert progress.described(log, 5) == "starting"
    log.write_text(
        "100%|####| 24/24 [00:00<00:00, 9it/s]\n"
        "Running generate_until requests:   0%|    | 0/120 [00:00<?, ?it/s]\r"
        "Running generate_until requests:  33%|#   | 40/120 [00:10<00:20, 4.0it/s]"
    )
    assert progress.described(log, 5) == "8/24 questions"  # one reading tells no pace
    with open(log, "a") as file:
        file.write("\rRunning generate_until requests:  50%|##  | 60/120 [00:15<00:15, 4.0it/s]")
        file.write("\rRunning generate_until requests:  67%|### | 80/120 [00:20<00:10, 4.0it/s]")
    assert progress.described(log, 5) == "16/24 questions, 00:10 left"


def test_the_bar_of_all_calls_comes_first(tmp_path: Path) -> None:
    """A model's own bar is of one call, and begins anew with the next."""
    log = tmp_path / "a.log"
    for at in (36, 68, 100):
        with open(log, "a") as file:
            file.write(f"\rQuestions answered: {at}%|# | {at}/100 [00:{at}<00:01, 1.0question/s]\n")
            file.write("\rRequesting API: 100%|###| 36/36 [00:10<00:00, 4.0it/s]")
    assert progress.described(log, 4) == "100/100 questions, 00:00 left"
    log.write_text("\rQuestions answered:  36%|# | 36/100 [00:36<00:01, 1.0question/s]\n")
    with open(log, "a") as file:
        file.write("\rRequesting API: 100%|###| 36/36 [00:10<00:00, 4.0it/s]")
    assert progress.described(log, 4) == "36/100 questions"


def test_a_slow_first_question_says_nothing_of_the_time_left(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    bar = "\rRunning generate_until requests:   0%|    | {}/300 [{}<3:08:01, 90it/s]"
    log.write_text(bar.format(0, "00:00") + bar.format(1, "03:00"))
    assert progress.described(log, 1) == "1/300 questions"
    with open(log, "a") as file:
        file.write(bar.format(2, "03:03") + bar.format(3, "03:06"))
    assert progress.described(log, 1) == "3/300 questions, 14:51 left"
    with open(log, "a") as file:
        file.write(bar.format(299, "1:03:06"))
    assert progress.described(log, 1) == "299/300 questions, 00:12 left"


def test_options_are_not_called_questions(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("Running loglikelihood requests:  25%|#   | 40/160 [00:10<00:20, 4.0it/s]")
    assert progress.described(log, 5) == "40/160 answer options"


def _job(name: str, code: str, folder: Path) -> Job:
    return Job(name, (sys.executable, "-c", code), folder / f"{name}.log", {"COD_X": "7"})


def _finish(executor: LocalExecutor, count: int) -> dict[str, int]:
    found: dict[str, int] = {}
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        found.update({ended.job.name: ended.status for ended in executor.poll()})
        time.sleep(0.02)
    return found


def test_local_executor(tmp_path: Path) -> None:
    executor = LocalExecutor(Room(tmp_path / "jobs", 2))
    executor.submit(_job("good", "import os; print(os.environ['COD_X'])", tmp_path))
    executor.submit(_job("bad", "raise SystemExit(3)", tmp_path))
    executor.submit(Job("none", ("/no/such/program",), tmp_path / "none.log"))
    assert _finish(executor, 3) == {"good": 0, "bad": 3, "none": 127}
    assert (tmp_path / "good.log").read_text() == "7\n"


def test_stopping_ends_the_children(tmp_path: Path) -> None:
    executor = LocalExecutor(Room(tmp_path / "jobs", 2))
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


def test_a_process_that_outlived_its_driver_is_waited_for(tmp_path: Path) -> None:
    """A second driver finds it by its lock, starts no other beside it, and can end it."""
    room = Room(tmp_path / "jobs", 2)
    job = _job("long", "import time; print('here', flush=True); time.sleep(60)", tmp_path)
    first = LocalExecutor(room)
    first.submit(job)
    first.poll()
    [child] = first._running
    second = LocalExecutor(room)
    assert second.found([job, _job("other", "", tmp_path)]) == [job]
    assert second.running() == [job]
    assert not second.poll()
    third = LocalExecutor(room)
    third.submit(job)
    [refused] = third.poll()
    assert refused.status == 127
    assert "it is running already" in job.log.read_text()
    second.stop()
    assert child.process.wait(10) == -signal.SIGTERM
    assert not LocalExecutor(room).found([job])


def test_each_job_has_gpus_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    code = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(0.3)"
    executor = LocalExecutor(Room(tmp_path / "jobs", 3))
    for name, gpus in (("two", 2), ("one", None), ("three", 3), ("none", 0)):
        executor.submit(replace(_job(name, code, tmp_path), gpus=gpus))
    executor.poll()
    assert [job.name for job in executor.running()] == ["two", "one"]  # `three` waits for a third
    assert _finish(executor, 4) == {"two": 0, "one": 0, "three": 0, "none": 0}
    shown = {name: (tmp_path / f"{name}.log").read_text().strip() for name in ("two", "one")}
    assert shown == {"two": "4,5", "one": "6"}
    assert len((tmp_path / "three.log").read_text().strip().split(",")) == 3
    with pytest.raises(InputError, match="many needs 5 GPUs, this machine shows 4"):
        executor.submit(replace(_job("many", code, tmp_path), gpus=5))
    alone = LocalExecutor(Room(tmp_path / "jobs", 1))
    alone.submit(_job("alone", code, tmp_path))
    assert _finish(alone, 1) == {"alone": 0}
    assert (tmp_path / "alone.log").read_text().strip() == "4,5,6,7"


def test_two_drivers_on_one_folder(
    laddered: Callable[..., tuple[Ran, InProcess]], tmp_path: Path
) -> None:
    with locks.one_driver(tmp_path / "cod_jobs" / driver.DRIVER_LOCK, tmp_path):
        ran, executor = laddered()
    assert ran.status == 2
    assert not executor.ran
    assert f"process {os.getpid()} on " in ran.err and "runs a ladder into this folder" in ran.err


def test_failures_are_tried_again(laddered: Callable[..., tuple[Ran, InProcess]]) -> None:
    """A job's own failures R times, those of its engine without counting; cancelled ones never."""
    fails = [ends("f1", 1), ends("f1", 1), ends("f2", 1), ends("f3", -15, "cancelled")]
    fails += [ends("f4", 1, "lost"), ends("f4", 1, "lost"), ends("f5", 1, "unknown")]
    ran, executor = laddered("--retries", "1", fails=fails)
    assert ran.status == 1
    assert executor.ran.count("f1") == executor.ran.count("f2") == executor.ran.count("f5") == 2
    assert executor.ran.count("f3") == 1
    assert executor.ran.count("f4") == 3
    assert len(ran.stores) == 3  # f2, f4, f5
    failed = [line for line in ran.err.splitlines() if " failed (" in line]
    assert len(failed) == 2, failed
    assert "f1 failed (exit 1): out of memory" in failed[0] + failed[1]


@pytest.mark.parametrize("cut", [(), ("--shards", "2")])
def test_a_job_that_ends_badly_after_its_work(
    laddered: Callable[..., tuple[Ran, InProcess]], cut: Sequence[str]
) -> None:
    """Killed, lost or out of time when all was written: done, and not begun again."""
    names = [f"{name} cod_t_custom 1/2" if cut else name for name, _ in RUNGS]
    late = [
        ends(names[0], 128 + signal.SIGTERM),
        ends(names[1], 1, "lost"),
        ends(names[2], -signal.SIGKILL),
        ends(names[3], 128 + signal.SIGTERM, "cancelled"),
    ]
    ran, executor = laddered("--cod-repeats", "4", "--retries", "3", *cut, late=late)
    assert ran.status == 0, ran.err
    assert max(Counter(executor.ran).values()) == 1
    assert len(ran.stores) == 5


def test_a_fault_after_the_measurement(laddered: Callable[..., tuple[Ran, InProcess]]) -> None:
    """A fault of the run's own is told, but what is measured is not measured again."""
    ran, executor = laddered("--cod-repeats", "4", "--retries", "3", late=[ends("f2", 1)])
    assert ran.status == 1
    assert executor.ran == [name for name, _ in RUNGS]
    assert "f2 failed (exit 1)" in ran.err


def test_a_fault_of_all_stops_at_the_first(
    laddered: Callable[..., tuple[Ran, InProcess]],
) -> None:
    """Wrong input, on a task that no rung was measured on: the others would end alike."""
    ran, executor = laddered(fails=[ends("f1", 2)])
    assert ran.status == 2
    assert executor.ran == ["f1"]
    assert "stopped at f1, since every rung would end alike: exit 2: out of memory" in ran.err
    # Where another rung was measured on the task, the fault is the rung's own.
    ran, executor = laddered(fails=[ends("f2", 2)])
    assert executor.ran == [name for name, _ in RUNGS]
    assert ran.status == 1


def test_shards_of_a_ladder(laddered: Callable[..., tuple[Ran, InProcess]]) -> None:
    """A shard that fails keeps its task from being merged; the next call does that shard alone."""
    words = ("--shards", "3", "--cod-repeats", "4")
    ran, executor = laddered(*words, fails=["f2 cod_t_custom 2/3"])
    assert ran.status == 1
    assert len(executor.ran) == 5 * 3 + 4
    assert "f2 cod_t_custom 2/3 failed (exit 1): out of memory" in ran.err
    assert len(ran.stores) == 4
    shown = captured(lambda: status_command.main([str(ran.folder), "--json", "-"]), ran.folder)
    found = json.loads(shown.out)
    assert found["schema"] == "cod-status/1"
    assert found["counts"] == {"waiting": 0, "running": 0, "done": 4, "failed": 1}
    [row] = [row for row in found["rungs"] if row["rung"] == "f2"]
    assert row["shards"] == {"waiting": 0, "running": 0, "done": 2, "failed": 1}
    assert row["words"] == "exit 1: out of memory"
    table = captured(lambda: status_command.main([str(ran.folder)]), ran.folder).out
    assert "2 shards done, 1 shard failed; exit 1: out of memory" in table

    ran, executor = laddered(*words)
    assert executor.ran == ["f2 cod_t_custom 2/3", "f2 cod_t_custom merge"]
    assert ran.status == 0, ran.err
    assert not (ran.folder / "cod_shards").exists()
    _, settings = read_store(ran.stores[0])
    assert settings["tasks"]["cod_t_custom"]["questions"] == DOCUMENTS


def test_shards_for_as_many_jobs(laddered: Callable[..., tuple[Ran, InProcess]]) -> None:
    ran, _ = laddered("--shards", "auto", "--jobs", "12", "--dry-run")
    assert len(ran.out.splitlines()[:15]) == 15
    assert ran.out.splitlines()[:3] == [f"f1 cod_t_custom {n}/3" for n in (1, 2, 3)]
    assert not list(ran.folder.iterdir())


class Half(InProcess):
    """Has three jobs: one has done its work, one has failed, one still runs."""

    stays = True

    def found(self, jobs: Sequence[Job]) -> Sequence[Job]:
        self.waiting = [job for job in jobs if "merge" not in job.name]
        return list(self.waiting)

    def poll(self) -> Sequence[Finished]:
        done, failed, *self.waiting = self.waiting
        return [Finished(done, 0), Finished(failed, 3)]


def test_what_was_done_stands_after_a_cancel(
    laddered: Callable[..., tuple[Ran, InProcess]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Done while nobody looked, and then cancelled: `status` goes on to say that it is done."""
    laddered("--shards", "3", "--cod-repeats", "4", fails=["f2 cod_t_custom 2/3"])
    path = tmp_path / "cod_jobs" / "campaign.json"
    kept = json.loads(path.read_text())
    for job in kept["jobs"]:
        job["state"] = "waiting" if job["rung"] == "f2" else job["state"]
    path.write_text(json.dumps({**kept, "engine": {"executor": "half", "options": {}}}))
    engines = {"half": Half(), "local": InProcess()}
    monkeypatch.setattr(standing, "executor", lambda name, room: engines[name])
    ran = captured(lambda: cancel_command.main([str(tmp_path)]), tmp_path)
    assert "1 job cancelled" in ran.err
    engines["half"] = InProcess()  # it has forgotten them
    ran = captured(lambda: status_command.main([str(tmp_path), "--json", "-"]), tmp_path)
    [row] = [row for row in json.loads(ran.out)["rungs"] if row["rung"] == "f2"]
    assert row["shards"] == {"waiting": 1, "running": 0, "done": 1, "failed": 1}


def test_status_and_cancel_of_nothing(tmp_path: Path) -> None:
    for main in (status_command.main, cancel_command.main):
        with pytest.raises(InputError, match="no ladder was run into this folder"):
            main([str(tmp_path)])


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


class Away(InProcess):
    """Jobs that an earlier driver has submitted, and that have failed meanwhile."""

    stays = True

    def found(self, jobs: Sequence[Job]) -> Sequence[Job]:
        self.waiting = list(jobs)
        return jobs


def test_jobs_found_again_that_have_failed(
    ladder_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told of; only what was asked to be tried again is."""
    monkeypatch.setattr(driver, "_LOOK_EVERY", 0.0)
    names = [name for name, _ in RUNGS]
    fails = [f"{name} cod_t_custom" for name in (*names, names[0])]
    engines = {"local": InProcess(), "away": Away(fails)}
    monkeypatch.setattr(command, "executor", lambda name, room: engines[name])
    words = [str(ladder_file), "--tasks", "cod_t_custom", "-o", str(tmp_path), "--executor", "away"]
    ran = captured(lambda: command.main(words), tmp_path)
    assert ran.status == 1
    assert [name.split()[0] for name in engines["away"].ran] == names
    assert ran.err.count(" failed (exit 1)") == 5
