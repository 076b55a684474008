"""Whole ladders here, on SLURM and on Ray: shards, failures, surroundings, time limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cluster_runs import Ladder, lines, measured, python_job, until, until_ended
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
    more = ["--ray-address", engine.address] if request.param == "ray" else []
    return ["--executor", request.param, *more]


@pytest.fixture
def one_rung(tmp_path: Path) -> Callable[..., Path]:
    """Writes a ladder of one rung."""

    def written(model: str, model_args: str = "", **cluster: Any) -> Path:
        path = tmp_path / "here" / "one.yaml"
        path.parent.mkdir(exist_ok=True)
        rung = {"name": "r", "params": "4k", "tokens": "10M", "model": model}
        rung |= {"model_args": model_args} if model_args else {}
        target = {"name": "big", "params": "1M", "tokens": "10M"}
        path.write_text(
            json.dumps({"ladder": "one", "rungs": [rung], "targets": [target], "cluster": cluster})
        )
        return path

    return written


def program(path: Path, *shell: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *shell, ""]))
    path.chmod(0o755)
    return path


def run(path: Path, folder: Path, *more: str, tasks: str = "demo_gsm8k", limit: int = 20) -> Ran:
    words = ["ladder", str(path), "--tasks", tasks, "--output_path", str(folder)]
    words += ["--limit", str(limit), "--cod-repeats", "2"]
    if "--include_path" not in more:
        words += ["--include_path", str(task_folder() / "demo"), "--cod-include-only"]
    return captured(lambda: main([*words, *more]), folder)


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


@pytest.mark.parametrize(("engine", "shards"), [("local", 10), ("slurm", 8)])
def test_shards_are_the_whole_run(
    engine: str,
    shards: int,
    request: pytest.FixtureRequest,
    one_rung: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """As processes: a group, few-shot examples out of one random stream, likelihoods."""
    if engine != "local":
        request.getfixturevalue(engine)
    tasks = tmp_path / "tasks"
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
    path = one_rung("cod-tiny", f"pretrained={CHECKPOINTS / '6.3k-1'}")
    words = ["--include_path", str(tasks), "--cod-include-only", "--log_samples"]
    whole = run(path, tmp_path / "whole", *words, tasks="few")
    cut = run(
        path, tmp_path / "cut", *words, "--shards", str(shards), "--executor", engine,
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
    """The ladder's own paths, another working folder, a Python of its own, no network."""
    python = program(
        tmp_path / "python",
        f"tail -n +3 /proc/net/dev >> {tmp_path}/networks",
        f'exec {sys.executable} "$@"',
    )
    alone = program(tmp_path / "alone", f'exec unshare --net {python} "$@"')
    path = one_rung(
        "cod-tiny",
        "pretrained=models/6.3k-1",
        setup=[f"pwd > {tmp_path}/where", f"export COD_PYTHON={alone if root() else python}"],
    )
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
    if root():
        [loopback] = lines(tmp_path / "networks")  # it could reach nobody
        assert loopback.split(":")[0].strip() == "lo"


def root() -> bool:
    return os.geteuid() == 0


def test_a_time_limit(slurm: SlurmCluster, one_rung: Callable[..., Path], tmp_path: Path) -> None:
    """The run is asked to end first, and the next try goes on where it was; others are killed."""
    stubborn = python_job("stubborn", "import time; time.sleep(600)", tmp_path)
    deaf = Job(
        **{
            **vars(stubborn),
            "command": ("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"),
            "sbatch": {"time": "0:01"},
        }
    )
    killed = SlurmExecutor(Room(tmp_path / "jobs", look_every=0.5))
    killed.submit(deaf)
    killed.poll()

    python = program(
        tmp_path / "python", "shift 2", f'exec {sys.executable} {HARNESS_TESTS}/slow_main.py "$@"'
    )
    path = one_rung(
        "cod-slow",
        "pause=4.5",
        setup=[f"export COD_ASKED={tmp_path}/asked COD_PYTHON={python}"],
    )
    ran = run(
        path, tmp_path / "out", "--executor", "slurm", "--retries", "2",
        "--sbatch", "--time=0:02:00 --signal=B:TERM@60",
    )  # fmt: skip
    assert "r demo_gsm8k: " in ran.err and "; again" in ran.err, ran.err
    assert len(measured(tmp_path / "out")) == 20
    # A question that was being asked when the signal came is asked once more.
    assert max(Counter(lines(tmp_path / "asked")).values()) <= 2
    assert len(lines(tmp_path / "asked")) <= 22
    ended = until_ended(killed, 1, 120)["stubborn"]
    assert (ended.fate, ended.why) == ("ended", "time limit reached")
