"""Whole ladders here, on SLURM and on Ray: shards, failures, surroundings, time limits."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cluster_runs import Ladder, lines, measured, until, until_ended
from conftest import CHECKPOINTS
from harness_runs import Ran, captured
from slurm_cluster import SlurmCluster

from cod_harness.cli import main
from cod_harness.harness.campaign.executors import Room
from cod_harness.harness.campaign.jobs import Job
from cod_harness.harness.campaign.slurm import SlurmExecutor
from cod_harness.task_folder import task_folder

pytestmark = pytest.mark.slow

HARNESS_TESTS = Path(__file__).parent.parent / "harness"


@pytest.fixture(params=["slurm", "ray"])
def elsewhere(request: pytest.FixtureRequest) -> list[str]:
    """The words that send a ladder to an engine."""
    engine = request.getfixturevalue(request.param)
    if request.param == "slurm":
        request.getfixturevalue("deaf")
    more = ["--ray-address", engine.address] if request.param == "ray" else []
    return ["--executor", request.param, *more]


def written_ladder(folder: Path, model: str, model_args: str = "", **cluster: Any) -> Path:
    """A ladder of one rung."""
    path = folder / "here" / "one.yaml"
    path.parent.mkdir(exist_ok=True)
    rung = {"name": "r", "params": "4k", "tokens": "10M", "model": model}
    rung |= {"model_args": model_args} if model_args else {}
    target = {"name": "big", "params": "1M", "tokens": "10M"}
    path.write_text(
        json.dumps({"ladder": "one", "rungs": [rung], "targets": [target], "cluster": cluster})
    )
    return path


@pytest.fixture
def one_rung(tmp_path: Path) -> Callable[..., Path]:
    """Writes a ladder of one rung."""
    return functools.partial(written_ladder, tmp_path)


def program(path: Path, *shell: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *shell, ""]))
    path.chmod(0o755)
    return path


def words_of(path: Path, folder: Path, *more: str, tasks: str = "demo_gsm8k") -> list[str]:
    words = ["ladder", str(path), "--tasks", tasks, "--output_path", str(folder)]
    words += ["--limit", "20", "--cod-repeats", "2"]
    if "--include_path" not in more:
        words += ["--include_path", str(task_folder() / "demo"), "--cod-include-only"]
    return [*words, *more]


def run(path: Path, folder: Path, *more: str, tasks: str = "demo_gsm8k") -> Ran:
    return captured(lambda: main(words_of(path, folder, *more, tasks=tasks)), folder)


def test_shards_and_a_driver_that_was_killed(
    elsewhere: Sequence[str], ladder: Ladder, local: pd.DataFrame, tmp_path: Path
) -> None:
    """Killed when some shards are there: none is run again or counted twice."""
    path = tmp_path / "one.yaml"
    path.write_text("\n".join(ladder.path.read_text().splitlines()[:3]) + "\n")
    words = [*elsewhere, "--shards", "3"]
    line = [sys.executable, "-m", "cod_harness", *Ladder(path).words(tmp_path / "out", *words)]
    driver = subprocess.Popen(line, stderr=subprocess.PIPE)
    shards = tmp_path / "out" / "cod_shards"
    until(lambda: list(shards.rglob("*.jsonl.gz")), 300)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    until(lambda: shards_done(tmp_path / "out") >= 1)
    ran = Ladder(path)(tmp_path / "out", *words)
    assert ran.status in (0, 2), ran.err
    assert "merge: done" in ran.err
    assert not shards.exists()
    frame = measured(tmp_path / "out")
    whole = local[local["model"] == "6.3k"].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, whole, check_exact=True)
    begun = [log.read_text(errors="replace") for log in (tmp_path / "out/cod_logs").glob("*_3.log")]
    assert len(begun) == 6
    assert all(text.count("answers of shard") == 1 for text in begun)


def shards_done(folder: Path) -> int:
    """How many shards are done, as `status` tells it where nobody drives."""
    ran = captured(lambda: main(["status", str(folder), "--json", "-"]), folder)
    document = json.loads(ran.out)
    assert document["driver"] is None
    return sum(row["shards"]["done"] for row in document["rungs"])


@dataclass
class Few:
    """A group of three tasks: few-shot examples out of one random stream, and likelihoods."""

    path: Path
    words: Sequence[str]
    whole: Ran


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Few:
    """The group, measured by one run of one process."""
    folder = tmp_path_factory.mktemp("few")
    tasks = folder / "tasks"
    tasks.mkdir()
    for name in ("gsm8k", "bbh", "agieval"):
        (tasks / f"few_{name}.yaml").write_text(
            f"include: {task_folder()}/demo/demo_{name}.yaml\n"
            f"task: few_{name}\nnum_fewshot: 2\nfewshot_split: test\n"
        )
    (tasks / "few.yaml").write_text(
        "group: few\ntask: [few_gsm8k, few_bbh, few_agieval]\naggregate_metric_list:\n"
        "- {metric: exact_match, aggregation: mean, weight_by_size: true, filter_list: none}\n"
        "metadata: {version: 1.0}\n"
    )
    path = written_ladder(folder, "cod-tiny", f"pretrained={CHECKPOINTS / '6.3k-1'}")
    words = ["--include_path", str(tasks), "--cod-include-only", "--log_samples"]
    return Few(path, words, run(path, folder / "whole", *words, tasks="few"))


# Sixty questions: some shards have one more than others.
@pytest.mark.parametrize(("engine", "shards"), [("local", 7), ("slurm", 8)])
def test_shards_are_the_whole_run(
    engine: str, shards: int, request: pytest.FixtureRequest, few: Few, tmp_path: Path
) -> None:
    if engine != "local":
        request.getfixturevalue(engine)
    whole = few.whole
    cut = run(
        few.path, tmp_path / "cut", *few.words, "--shards", str(shards), "--executor", engine,
        "--jobs", "4", tasks="few",
    )  # fmt: skip
    assert cut.status in (0, 2), cut.err
    pd.testing.assert_frame_equal(
        measured(cut.folder), measured(whole.folder), check_exact=True
    )  # prompt hashes and rates among its columns
    apart = {"date", "total_evaluation_time_seconds", "start_time", "end_time"}
    results, own = (
        {key: value for key, value in ran.results.items() if key not in apart}
        for ran in (cut, whole)
    )
    assert results == own
    assert results["groups"]["few"]
    for task in results["configs"]:
        assert cut.samples(task) == whole.samples(task)


def test_what_fails_is_tried_again(
    elsewhere: Sequence[str], one_rung: Callable[..., Path], tmp_path: Path
) -> None:
    python = program(
        tmp_path / "python", f"echo x >> {tmp_path}/begun", "echo no luck here", "exit 7"
    )
    path = one_rung("cod-tiny", setup=[f"export COD_PYTHON={python}"])
    ran = run(path, tmp_path / "out", *elsewhere, "--retries", "2")
    assert ran.status == 1
    assert lines(tmp_path / "begun") == ["x", "x", "x"]
    assert "r demo_gsm8k: exit 7: no luck here; again" in ran.err
    assert "r demo_gsm8k failed (exit 7): no luck here; log: " in ran.err
    status = captured(lambda: main(["status", str(tmp_path / "out")]), tmp_path)
    assert "exit 7: no luck here" in status.out


def test_other_surroundings(
    elsewhere: Sequence[str], one_rung: Callable[..., Path], tmp_path: Path
) -> None:
    """The ladder's own paths, another working folder, a module, a Python of its own, no network."""
    python = program(
        tmp_path / "python",
        f"tail -n +3 /proc/net/dev >> {tmp_path}/networks",
        f"echo $LOADED > {tmp_path}/loaded",
        f'exec {sys.executable} "$@"',
    )
    alone = program(tmp_path / "alone", f'exec unshare --net {python} "$@"')
    path = one_rung(
        "cod-tiny",
        "pretrained=models/6.3k-1",
        setup=[
            f". {tmp_path}/modules.sh",
            "module load cuda/12.4",
            f"pwd > {tmp_path}/where",
            f"export COD_PYTHON={alone if root() else python}",
        ],
    )
    # As Lmod and Environment Modules have it: a function of the shell.
    (tmp_path / "modules.sh").write_text("module() { export LOADED=$2; }\n")
    (path.parent / "models").symlink_to(CHECKPOINTS)
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cod_harness", "ladder", "../here/one.yaml"),
            *("--tasks", "demo_gsm8k", "--output_path", "out", "--limit", "20"),
            *("--include_path", str(task_folder() / "demo"), "--cod-include-only", *elsewhere),
        ],
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "[1/1] r demo_gsm8k: done" in done.stderr, done.stderr
    assert len(measured(tmp_path / "work" / "out")) == 20
    assert lines(tmp_path / "where") == [str(tmp_path / "work")]
    assert lines(tmp_path / "loaded") == ["cuda/12.4"]
    if root():
        [loopback] = lines(tmp_path / "networks")  # it could reach nobody
        assert loopback.split(":")[0].strip() == "lo"


def root() -> bool:
    return os.geteuid() == 0


@pytest.fixture(scope="session")
def deaf(slurm: SlurmCluster, tmp_path_factory: pytest.TempPathFactory) -> SlurmExecutor:
    """A job that does not listen, and a limit of one minute, the least that SLURM knows.

    It takes a minute and more to be killed, so it is begun with the first test on SLURM.
    """
    folder = tmp_path_factory.mktemp("deaf")
    code = "trap '' TERM; while :; do sleep 1; done"
    executor = SlurmExecutor(Room(folder / "jobs", look_every=0.5))
    executor.submit(
        Job("deaf", ("/bin/sh", "-c", code), folder / "deaf.log", sbatch={"time": "0:01"})
    )
    executor.poll()
    return executor


def test_a_time_limit(slurm: SlurmCluster, one_rung: Callable[..., Path], tmp_path: Path) -> None:
    """The run is asked to end first, and the next try goes on where it was."""
    python = program(
        tmp_path / "python", "shift 2", f'exec {sys.executable} {HARNESS_TESTS}/slow_main.py "$@"'
    )
    asked, hold = tmp_path / "asked", tmp_path / "held"
    hold.write_text("8")
    path = one_rung(
        "cod-slow",
        "pause=0",
        setup=[f"export COD_ASKED={asked} COD_HELD={hold} COD_PYTHON={python}"],
    )
    words = [sys.executable, "-m", "cod_harness"]
    words += words_of(path, tmp_path / "out", "--executor", "slurm", "--retries", "1")
    driver = subprocess.Popen(
        [*words, "--sbatch", "--time=0:30:00 --signal=B:TERM@300"],
        stderr=subprocess.PIPE,
        text=True,
    )
    # However long it took to begin: with five minutes of its time left it is warned.
    until(lambda: len(lines(asked)) == 8, 300)
    [job] = slurm.ask("squeue", "-h", "-o", "%A %M", "-n", name_of(tmp_path / "out")).splitlines()
    number, ran_for = job.split()
    slurm.ask("scontrol", "update", f"JobId={number}", f"TimeLimit={minutes(ran_for) + 5}")
    [log] = (tmp_path / "out" / "cod_logs").iterdir()
    until(lambda: "asked to end (time limit, preemption or cancelling)" in log.read_text(), 120)
    hold.unlink()
    _, said = driver.communicate(timeout=300)
    assert "r demo_gsm8k: killed by signal 15: asked to end (time limit" in said
    assert "[1/1] r demo_gsm8k: done" in said
    assert "16 of 40 samples are there from before" in log.read_text()
    assert len(measured(tmp_path / "out")) == 20
    # Nothing that was answered was asked again.
    assert sorted(lines(asked), key=int) == [str(number) for number in range(20)]


def test_a_time_limit_that_is_not_heeded(deaf: SlurmExecutor) -> None:
    ended = until_ended(deaf, 1, 180)["deaf"]
    assert (ended.fate, ended.why) == ("ended", "time limit reached")


def name_of(folder: Path) -> str:
    """What SLURM calls the submission that was made for an output folder."""
    [submission] = (folder / "cod_jobs" / "slurm").iterdir()
    return f"cod-{submission.name}"


def minutes(clock: str) -> int:
    """Of SLURM's 1:02:03 or 2:03, rounded up."""
    parts = [int(part) for part in clock.split(":")]
    return sum(60**place * part for place, part in enumerate(reversed(parts))) // 60 + 1
