"""Ladders and jobs on a real SLURM."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from cluster_runs import Ladder, lines, measured, python_job, until, until_ended
from harness_runs import captured
from slurm_cluster import SlurmCluster, unlimited

from cod_harness.cli import main
from cod_harness.errors import InputError
from cod_harness.harness.campaign.executors import Room
from cod_harness.harness.campaign.jobs import Job
from cod_harness.harness.campaign.slurm import SlurmExecutor, sbatch_options

pytestmark = pytest.mark.slow

WAITS = "import time; open(HERE + '/begun', 'a').write('x\\n'); time.sleep({})"


def engine(folder: Path, **more: object) -> SlurmExecutor:
    return SlurmExecutor(Room(folder / "jobs", look_every=0.2, **more))  # type: ignore[arg-type]


def handed_over(executor: SlurmExecutor, jobs: Sequence[Job]) -> None:
    for job in jobs:
        executor.submit(job)
    executor.poll()


def arrays(folder: Path) -> list[Path]:
    return sorted((folder / "jobs" / "slurm").glob("*/array.json"))


def task(folder: Path, number: int = 0) -> str:
    return f"{json.loads(arrays(folder)[-1].read_text())['id']}_{number}"


def test_a_ladder_equals_that_of_one_machine(
    slurm: SlurmCluster, ladder: Ladder, local: pd.DataFrame, tmp_path: Path
) -> None:
    """Four rungs, two tasks: submitted, left, and collected by a later call."""
    words = ("--executor", "slurm", "--sbatch", "--time=0:05:00")
    dry = ladder(tmp_path, *words, "--dry-run")
    assert dry.status == 0
    assert dry.out.startswith("sbatch --parsable --job-name=cod-SUBMISSION-1 --array=0-7 ")
    assert "--time=0:05:00" in dry.out
    assert not list(tmp_path.iterdir())

    ran = ladder(tmp_path, *words, "--detach")
    assert ran.status == 0, ran.err
    assert "8 jobs go on without this command" in ran.err
    ran = ladder(tmp_path, *words, "--detach")
    assert "started earlier, found again" in ran.err
    assert len(list((tmp_path / "cod_jobs" / "slurm").iterdir())) == 1  # not submitted twice
    status = captured(lambda: main(["status", str(tmp_path), "--json", "-"]), tmp_path)
    document = json.loads(status.out)
    assert (document["executor"], len(document["rungs"])) == ("slurm", 8)
    # All ended while nobody looked, and then SLURM forgot that they ever were.
    until(lambda: not slurm.ask("squeue", "-h").strip(), 300)
    slurm.forget()
    ran = ladder(tmp_path, *words)
    assert ran.status in (0, 2), ran.err
    assert "already measured, skipped: 6.3k, 10.6k, 18k, 30.7k" in ran.err
    assert len(list((tmp_path / "cod_jobs" / "slurm").iterdir())) == 1
    pd.testing.assert_frame_equal(measured(tmp_path), local, check_exact=True)
    status = captured(lambda: main(["status", str(tmp_path)]), tmp_path)
    assert "four on slurm: 8 done; complete" in status.out


def test_how_jobs_end(slurm: SlurmCluster, tmp_path: Path) -> None:
    """Environment and setup reach them, statuses come back, signals are told as a shell tells."""
    executor = engine(tmp_path, setup=("export COD_Y=7", "true"))
    handed_over(
        executor,
        [
            python_job(
                "good", "import os; print(os.environ['COD_X'], os.environ['COD_Y'])", tmp_path
            ),
            python_job("bad", "raise SystemExit(3)", tmp_path),
            python_job("killed", "import os; os.kill(os.getpid(), 9)", tmp_path),
            Job("none", ("/no/such/program",), tmp_path / "none.log"),
        ],
    )
    ended = until_ended(executor, 4)
    assert {name: end.status for name, end in ended.items()} == {
        "good": 0, "bad": 3, "killed": 137, "none": 127,
    }  # fmt: skip
    assert {end.fate for end in ended.values()} == {"ended"}
    assert lines(tmp_path / "good.log") == ["a b 7"]
    executor = engine(tmp_path, setup=("module load nothing",))
    handed_over(executor, [python_job("unset", "pass", tmp_path)])
    assert until_ended(executor, 1)["unset"].status == 2
    assert (
        "cod-harness: setup failed: module load nothing (on " in lines(tmp_path / "unset.log")[-1]
    )


def test_a_job_is_asked_to_end(slurm: SlurmCluster, tmp_path: Path) -> None:
    """What a time limit does first: SIGTERM reaches the run, which ends in its own way."""
    code = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(5))\n" + WAITS.format(60)
    executor = engine(tmp_path)
    handed_over(executor, [python_job("long", code, tmp_path)])
    until(lambda: lines(tmp_path / "begun"))
    slurm.ask("scancel", "--batch", "--signal=TERM", task(tmp_path))
    assert until_ended(executor, 1)["long"].status == 5


def test_a_driver_that_was_killed(slurm: SlurmCluster, tmp_path: Path) -> None:
    """The next one finds its jobs, those that ended meanwhile too, and each end is told once."""
    jobs = [python_job("long", WAITS.format(4), tmp_path), python_job("bad", "exit(3)", tmp_path)]
    handed_over(engine(tmp_path), jobs)
    [array] = arrays(tmp_path)
    kept = json.loads(array.read_text())
    until(lambda: lines(tmp_path / "begun"))
    # Killed between asking SLURM and noting its answer.
    array.write_text(json.dumps({**kept, "id": ""}))
    watching = engine(tmp_path, watching=True)
    assert set(watching.found(jobs)) == set(jobs)
    later = engine(tmp_path)
    assert set(later.found(jobs)) == set(jobs)
    assert json.loads(array.read_text())["id"] == kept["id"]
    assert {name: end.status for name, end in until_ended(later, 2).items()} == {
        "long": 0,
        "bad": 3,
    }
    assert not engine(tmp_path).found(jobs)
    assert lines(tmp_path / "begun") == ["x"]
    assert len(arrays(tmp_path)) == 1


def test_a_forgotten_id(slurm: SlurmCluster, tmp_path: Path) -> None:
    """SLURM forgets a job some minutes after its end; its status file does not."""
    jobs = [python_job(name, "exit(3)", tmp_path) for name in ("kept", "lost")]
    executor = engine(tmp_path)
    handed_over(executor, jobs)
    until_ended(executor, 2)
    [array] = arrays(tmp_path)
    kept = json.loads(array.read_text())
    array.write_text(json.dumps({**kept, "id": "987654", "told": []}))
    (array.parent / "1.0.status").unlink()
    later = engine(tmp_path)
    assert len(later.found(jobs)) == 2
    ended = until_ended(later, 2)
    assert (ended["kept"].status, ended["kept"].fate) == (3, "ended")
    assert ended["lost"].fate == "unknown"


def test_cancelled(slurm: SlurmCluster, tmp_path: Path) -> None:
    jobs = [python_job(name, WAITS.format(60), tmp_path) for name in ("by_us", "by_hand")]
    executor = engine(tmp_path)
    handed_over(executor, jobs)
    until(lambda: len(lines(tmp_path / "begun")) == 2)
    slurm.ask("scancel", task(tmp_path, 1))
    assert until_ended(executor, 1)["by_hand"].fate == "cancelled"
    executor.stop()
    until(lambda: not slurm.ask("squeue", "-h").strip())
    assert not engine(tmp_path).found(jobs)


# The first try waits to be ended, the second one does not.
TWICE = (
    "import os, time\n"
    "open(HERE + '/begun', 'a').write(f\"{os.environ['SLURMD_NODENAME']} {os.getpid()}\\n\")\n"
    "time.sleep(60 if len(open(HERE + '/begun').readlines()) < 2 else 0)"
)


def begun(folder: Path) -> list[tuple[str, int]]:
    """Node and process of every try so far."""
    return [(node, int(pid)) for node, pid in (line.split() for line in lines(folder / "begun"))]


def begun_once(folder: Path) -> tuple[SlurmExecutor, str, int]:
    """A job "again" that has begun its first try, and its node and process."""
    executor = engine(folder)
    handed_over(executor, [python_job("again", TWICE, folder)])
    until(lambda: begun(folder))
    [(node, process)] = begun(folder)
    return executor, node, process


@contextmanager
def mended(slurm: SlurmCluster, node: str) -> Iterator[None]:
    """A node that is lost inside is there again afterwards, without what ran on it."""
    try:
        yield
    finally:
        slurm.kill_node(node)
        slurm.start_node(node)
        slurm.wait_for_nodes()


def test_requeued(slurm: SlurmCluster, tmp_path: Path) -> None:
    """The first try's status file says 143; what counts is the end of the second."""
    executor, _, _ = begun_once(tmp_path)
    slurm.ask("scontrol", "requeue", task(tmp_path))
    first = arrays(tmp_path)[0].parent / "0.0.status"
    until(lambda: lines(first) == ["143"])
    assert not executor.poll()
    start_now(slurm, tmp_path)
    assert until_ended(executor, 1)["again"].status == 0
    assert len(begun(tmp_path)) == 2


def test_a_node_that_dies(slurm: SlurmCluster, tmp_path: Path) -> None:
    """Its job is begun again on another one; jobs elsewhere do not notice."""
    executor, node, _ = begun_once(tmp_path)
    with mended(slurm, node):
        slurm.kill_node(node)
        start_now(slurm, tmp_path)
        assert until_ended(executor, 1)["again"].status == 0
    assert [where for where, _ in begun(tmp_path)] == [node, {"cod1": "cod2", "cod2": "cod1"}[node]]


def test_a_node_that_is_cut_off(slurm: SlurmCluster, tmp_path: Path) -> None:
    """Its job goes on and ends late, after the one that was begun in its place."""
    executor, node, process = begun_once(tmp_path)
    array = arrays(tmp_path)[0].parent
    with mended(slurm, node):
        slurm.cut_off(node)
        start_now(slurm, tmp_path)
        until(lambda: lines(array / "0.1.status") == ["0"])
        os.kill(process, signal.SIGTERM)
        until(lambda: lines(array / "0.0.status") == ["143"])
        assert until_ended(executor, 1)["again"].status == 0


def test_preempted(slurm: SlurmCluster, tmp_path: Path) -> None:
    """A partition that comes first takes the node away; SLURM begins the job again."""
    executor, _, _ = begun_once(tmp_path)
    slurm.ask("sbatch", "--partition=urgent", "--exclusive", "-N2", "-o/dev/null", "--wrap=true")
    start_now(slurm, tmp_path)
    assert until_ended(executor, 1)["again"].status == 0
    assert len(begun(tmp_path)) == 2


def test_out_of_memory(slurm: SlurmCluster, tmp_path: Path) -> None:
    """A failure, named as what it is."""
    if reason := unlimited():
        pytest.skip(reason)
    executor = engine(tmp_path)
    code = "print('so far', flush=True); len(bytearray(600 * 10**6))"
    job = python_job("large", code, tmp_path)
    handed_over(executor, [Job(**{**vars(job), "sbatch": {"mem": "100"}})])
    ended = until_ended(executor, 1)["large"]
    assert (ended.status, ended.fate, ended.why) == (137, "ended", "out of memory")
    assert lines(tmp_path / "large.log") == ["so far"]


def test_gpus_are_asked_for(slurm: SlurmCluster, tmp_path: Path) -> None:
    """As many as the rung says; two jobs on one node have different ones."""
    code = (
        "import os, time; open(HERE + '/begun', 'a').write("
        "os.environ['SLURMD_NODENAME'] + ' ' + os.environ['CUDA_VISIBLE_DEVICES'] + '\\n')\n"
        "while len(open(HERE + '/begun').readlines()) < 4: time.sleep(0.1)"
    )
    executor = engine(tmp_path)
    jobs = [python_job(str(number), code, tmp_path) for number in range(4)]
    handed_over(executor, [Job(**{**vars(job), "gpus": 1}) for job in jobs])
    assert {end.status for end in until_ended(executor, 4).values()} == {0}
    assert sorted(lines(tmp_path / "begun")) == ["cod1 0", "cod1 1", "cod2 0", "cod2 1"]


def start_now(slurm: SlurmCluster, folder: Path) -> None:
    """SLURM lets a requeued job wait two minutes, which a test need not.

    But then it begins elsewhere: late signals to the first try would hit the second on its node.
    """
    [(node, _)] = begun(folder)
    number = task(folder)
    until(lambda: "PENDING" in slurm.ask("squeue", "-h", "-j", number, "-o", "%T"))

    def again() -> bool:
        where = (f"ExcNodeList={node}", "StartTime=now")
        slurm.ask("scontrol", "update", f"JobId={number}", *where)
        return len(begun(folder)) == 2

    until(again)


@pytest.mark.parametrize(
    ("sbatch", "words"),
    [
        ("--partition=nowhere", "invalid partition specified: nowhere"),
        ("--nonsense=1", "unrecognized option '--nonsense=1'"),
        ("--gres=nothing:3", "Invalid generic resource (gres) specification"),
    ],
)
def test_what_slurm_refuses(
    slurm: SlurmCluster, ladder: Ladder, tmp_path: Path, sbatch: str, words: str
) -> None:
    ran = ladder(tmp_path, "--executor", "slurm", "--sbatch", sbatch)
    assert ran.status == 2
    [line] = ran.err.splitlines()
    assert words in line
    assert not list((tmp_path / "cod_jobs" / "slurm").iterdir())


def test_a_container_is_passed_through(slurm: SlurmCluster, ladder: Ladder, tmp_path: Path) -> None:
    """An option of a site's plug-in, which `sbatch` has to know, not we: word for word."""
    image = "--container-image=registry.site#team/eval:24.05 --container-mounts=/shared:/shared:ro"
    words = ("--executor", "slurm", "--sbatch", f"{image} --container-workdir /shared")
    dry = ladder(tmp_path, *words, "--dry-run")
    asked = shlex.split(dry.out.splitlines()[0])
    assert [word for word in asked if word.startswith("--container")] == [
        "--container-image=registry.site#team/eval:24.05",
        "--container-mounts=/shared:/shared:ro",
        "--container-workdir=/shared",
    ]
    # The same in a ladder file, as a key.
    path = tmp_path / "contained.yaml"
    text = ladder.path.read_text()
    path.write_text(f"{text}cluster: {{sbatch: {{container-image: 'a b.sqsh'}}}}\n")
    dry = Ladder(path)(tmp_path / "out", "--executor", "slurm", "--dry-run")
    assert "--container-image=a b.sqsh" in shlex.split(dry.out.splitlines()[0])
    # This SLURM has no such plug-in: what it says is that the option came to it as written.
    ran = ladder(tmp_path / "out", *words)
    assert ran.status == 2
    [line] = ran.err.splitlines()
    assert "unrecognized option '--container-image=registry.site#team/eval:24.05'" in line


def test_no_slurm(ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = ladder(tmp_path / "out", "--executor", "slurm")
    assert ran.status == 2
    [line] = ran.err.splitlines()
    assert "sbatch: no such program here" in line


def test_a_task_that_does_not_exist_and_cancel(
    slurm: SlurmCluster, ladder: Ladder, tmp_path: Path
) -> None:
    """Stops at the first; then a driver that is killed, and `cancel` ends what it left."""
    words = ladder.words(tmp_path, "--executor", "slurm", "--jobs", "1")
    words[words.index("demo_gsm8k,demo_mmlu_pro")] = "demo_nothing"
    ran = captured(lambda: main(words), tmp_path)
    assert ran.status == 2
    assert "stopped at 6.3k demo_nothing, since every rung would end alike" in ran.err
    assert "Tasks not found: demo_nothing" in ran.err

    words = ladder.words(tmp_path, "--executor", "slurm", "--jobs", "1")
    driver = subprocess.Popen([sys.executable, "-m", "cod_harness", *words], stderr=subprocess.PIPE)
    until(lambda: slurm.ask("squeue", "-h", "-t", "RUNNING").strip(), 120)
    second = ladder(tmp_path, "--executor", "slurm")
    assert second.status == 2
    assert f"process {driver.pid} on " in second.err
    driver.send_signal(signal.SIGKILL)
    driver.communicate()

    def counts() -> dict[str, int]:
        status = captured(lambda: main(["status", str(tmp_path), "--json", "-"]), tmp_path)
        return dict(json.loads(status.out)["counts"])

    until(lambda: counts()["running"] == 1)  # one may have ended, and the next not begun
    ran = captured(lambda: main(["cancel", str(tmp_path)]), tmp_path)
    until(lambda: not slurm.ask("squeue", "-h").strip())
    after = counts()
    assert after["running"] == after["failed"] == 0
    assert f"{after['waiting']} jobs cancelled" in ran.err
    assert os.path.exists(tmp_path / "cod_jobs" / "campaign.json")


def test_options() -> None:
    text = "--partition=gpu --time 4:00:00 -A me -n4 --exclusive --constraint='a&b'"
    assert sbatch_options(text) == {
        "partition": "gpu", "time": "4:00:00", "A": "me", "n": "4", "exclusive": "",
        "constraint": "a&b",
    }  # fmt: skip
    with pytest.raises(InputError, match="'gpu' is no option of sbatch"):
        sbatch_options("--exclusive=user gpu")
