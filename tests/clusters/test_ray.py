"""Ladders and jobs on a real Ray."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from cluster_runs import Ladder, lines, measured, python_job, until, until_ended
from harness_runs import captured
from ray_nodes import RayNodes
from slurm_cluster import unlimited

from cod_harness.cli import main
from cod_harness.harness.campaign.executors import Room
from cod_harness.harness.campaign.jobs import Job
from cod_harness.harness.campaign.ray_cluster import RayExecutor

pytestmark = pytest.mark.slow

# Longer than any test would wait: what is gone was ended.
WAITS = "import os, time; open(HERE + '/begun', 'a').write(f'{os.getpid()}\\n'); time.sleep(900)"


def engine(nodes: RayNodes, folder: Path, jobs: int | None = None) -> RayExecutor:
    room = Room(folder / "jobs", jobs, options={"address": nodes.address}, look_every=0.2)
    return RayExecutor(room)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_ladder_equals_that_of_one_machine(
    ray: RayNodes, ladder: Ladder, local: pd.DataFrame, tmp_path: Path
) -> None:
    """Submitted by a driver that is killed, and collected by a later one."""
    words = ("--executor", "ray", "--ray-address", ray.address)
    dry = ladder(tmp_path, *words, "--dry-run")
    assert f"# Ray at {ray.address}" in dry.out and dry.out.count("num_gpus=0") == 8
    driver = subprocess.Popen(
        [sys.executable, "-m", "cod_harness", *ladder.words(tmp_path, *words)],
        stderr=subprocess.PIPE,
    )
    until(lambda: list((tmp_path / "cod_logs").glob("*.log")), 120)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    status = captured(lambda: main(["status", str(tmp_path), "--json", "-"]), tmp_path)
    document = json.loads(status.out)
    assert document["driver"] is None
    assert document["counts"]["running"] >= 1
    ran = ladder(tmp_path, *words)
    assert "started earlier, found again" in ran.err
    assert ran.status in (0, 2), ran.err
    pd.testing.assert_frame_equal(measured(tmp_path), local, check_exact=True)


def test_how_jobs_end(ray: RayNodes, tmp_path: Path) -> None:
    executor = engine(ray, tmp_path, jobs=2)
    for job in (
        python_job("good", "import os; print(os.environ['COD_X'])", tmp_path),
        python_job("bad", "raise SystemExit(3)", tmp_path),
        python_job("killed", "import os; os.kill(os.getpid(), 9)", tmp_path),
        Job("none", ("/no/such/program",), tmp_path / "none.log"),
    ):
        executor.submit(job)
    ended = until_ended(executor, 4)
    assert {name: end.status for name, end in ended.items()} == {
        "good": 0, "bad": 3, "killed": 137, "none": 127,
    }  # fmt: skip
    assert lines(tmp_path / "good.log") == ["a b"]
    executor.leave()


def test_cancelled(ray: RayNodes, tmp_path: Path) -> None:
    """A later process can end the jobs; their processes are gone, and nobody finds them again."""
    jobs = [python_job(name, WAITS, tmp_path) for name in ("one", "two")]
    executor = engine(ray, tmp_path, jobs=1)
    for job in jobs:
        executor.submit(job)
    executor.poll()
    until(lambda: lines(tmp_path / "begun"))
    [pid] = lines(tmp_path / "begun")
    later = engine(ray, tmp_path)
    assert later.found(jobs) == jobs
    later.stop()
    until(lambda: gone(int(pid)))
    assert not engine(ray, tmp_path).found(jobs)
    assert lines(tmp_path / "begun") == [pid]  # the second never began


def test_a_node_that_dies(ray: RayNodes, tmp_path: Path) -> None:
    """Its job is lost, which is no failure of its own, and its process does not live on."""
    job = Job(**{**vars(python_job("moved", WAITS, tmp_path)), "gpus": 1})
    executor = engine(ray, tmp_path)
    executor.submit(job)
    executor.poll()
    until(lambda: lines(tmp_path / "begun"))
    [pid] = map(int, lines(tmp_path / "begun"))
    node = {"127.0.0.3": "one", "127.0.0.4": "two"}[_node_of(pid)]
    ray.kill_node(node)
    try:
        ended = until_ended(executor, 1)["moved"]
        assert (ended.fate, ended.why) == ("lost", "its node or worker was lost")
        until(lambda: gone(pid))
        executor.submit(job)
        executor.poll()
        until(lambda: len(lines(tmp_path / "begun")) == 2)
        executor.stop()
    finally:
        ray.start_node(node)


def test_a_worker_that_is_killed(ray: RayNodes, tmp_path: Path) -> None:
    """By whatever: its job is lost, which is no failure of its own, and is gone with it."""
    job = python_job("orphan", WAITS, tmp_path)
    executor = engine(ray, tmp_path)
    executor.submit(job)
    executor.poll()
    until(lambda: lines(tmp_path / "begun"))
    [pid] = map(int, lines(tmp_path / "begun"))
    worker = _parent(_parent(pid))
    assert Path(f"/proc/{worker}/cmdline").read_bytes().startswith(b"ray::orphan")
    os.kill(worker, signal.SIGKILL)
    ended = until_ended(executor, 1)["orphan"]
    assert (ended.fate, ended.why) == ("lost", "its node or worker was lost")
    until(lambda: gone(pid))
    executor.leave()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_tells_of_its_end(
    ray: RayNodes, tmp_path: Path, number: signal.Signals
) -> None:
    """A dying worker or node ends the job's shell first, and may still tell how that ended."""
    job = python_job("told", WAITS, tmp_path)
    executor = engine(ray, tmp_path)
    executor.submit(job)
    executor.poll()
    until(lambda: lines(tmp_path / "begun"))
    [pid] = map(int, lines(tmp_path / "begun"))
    os.kill(_parent(pid), number)
    assert until_ended(executor, 1)["told"].fate == "lost"
    until(lambda: gone(pid))
    executor.leave()


def test_out_of_memory(ray: RayNodes, tmp_path: Path) -> None:
    """Ray watches a node's memory: here one where anything is too much."""
    ray.start_node("full")
    try:
        ray.wait_for("full")
        executor = engine(ray, tmp_path)
        job = python_job("large", "print('so far', flush=True)\n" + WAITS, tmp_path)
        executor.submit(Job(**{**vars(job), "gpus": 3}))
        ended = until_ended(executor, 1)["large"]
        assert (ended.status, ended.fate, ended.why) == (1, "ended", "out of memory")
        for pid in lines(tmp_path / "begun"):
            until(functools.partial(gone, int(pid)))
        executor.leave()
    finally:
        ray.kill_node("full")


def test_killed_for_its_memory(ray: RayNodes, tmp_path: Path) -> None:
    """By the kernel, in a group of processes that may have 100 MB: a failure of its own."""
    if reason := unlimited():
        pytest.skip(reason)
    group = Path("/sys/fs/cgroup/memory") / f"cod{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text("100000000")
        room = Room(
            tmp_path / "jobs",
            setup=(f"echo $$ > {group}/cgroup.procs",),
            options={"address": ray.address},
            look_every=0.2,
        )
        executor = RayExecutor(room)
        code = "print('so far', flush=True); len(bytearray(600 * 10**6))"
        executor.submit(python_job("large", code, tmp_path))
        ended = until_ended(executor, 1)["large"]
        assert (ended.status, ended.fate) == (137, "ended")
        assert lines(tmp_path / "large.log") == ["so far"]
        executor.leave()
    finally:
        until(lambda: not (group / "cgroup.procs").read_text().split())
        group.rmdir()


def test_a_task_that_does_not_exist(ray: RayNodes, ladder: Ladder, tmp_path: Path) -> None:
    """Every rung would end alike: the ladder stops at the first."""
    words = ladder.words(tmp_path, "--executor", "ray", "--ray-address", ray.address, "--jobs", "1")
    words[words.index("demo_gsm8k,demo_mmlu_pro")] = "demo_nothing"
    ran = captured(lambda: main(words), tmp_path)
    assert ran.status == 2
    assert "stopped at 6.3k demo_nothing, since every rung would end alike" in ran.err
    assert "Tasks not found: demo_nothing" in ran.err
    # Ray may have begun the second before the end of the first was heard of; that is all.
    assert len(list((tmp_path / "cod_logs").iterdir())) <= 2
    status = captured(lambda: main(["status", str(tmp_path), "--json", "-"]), tmp_path)
    counts = json.loads(status.out)["counts"]
    assert counts == {"waiting": 3, "running": 0, "done": 0, "failed": 1}


def test_a_keeper_that_dies(ray: RayNodes, tmp_path: Path) -> None:
    """All it had is lost, is gone, and can be begun again."""
    before = _processes("ray::Keeper")
    job = python_job("ward", WAITS, tmp_path)
    executor = engine(ray, tmp_path)
    executor.submit(job)
    executor.poll()
    until(lambda: lines(tmp_path / "begun"))
    [keeper] = [pid for pid in _processes("ray::Keeper") if pid not in before]
    os.kill(keeper, signal.SIGKILL)
    ended = until_ended(executor, 1)["ward"]
    assert (ended.fate, ended.why) == ("lost", "its keeper's node failed")
    until(lambda: gone(int(lines(tmp_path / "begun")[0])))
    executor.submit(job)
    executor.poll()
    until(lambda: len(lines(tmp_path / "begun")) == 2)
    executor.stop()
    until(lambda: gone(int(lines(tmp_path / "begun")[1])))


def test_gpus_are_asked_for(ray: RayNodes, tmp_path: Path) -> None:
    """Each job has its own, which Ray names to it; there is one on each of two nodes."""
    code = (
        "import os, time; open(HERE + '/begun', 'a').write("
        "os.environ['CUDA_VISIBLE_DEVICES'] + '\\n'); time.sleep(1)"
    )
    executor = engine(ray, tmp_path)
    for number in range(3):
        job = python_job(str(number), code, tmp_path)
        executor.submit(Job(**{**vars(job), "gpus": 1}))
    assert {end.status for end in until_ended(executor, 3).values()} == {0}
    assert lines(tmp_path / "begun") == ["0", "0", "0"]
    executor.leave()


def _processes(title: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(title.encode()):
                found.append(int(path.parent.name))
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def _node_of(pid: int) -> str:
    """The address of the node that a job's process runs on: in the words of the raylet above it."""
    while pid > 1:
        pid = _parent(pid)
        for word in Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0"):
            if word.startswith("--node_ip_address="):
                return word.partition("=")[2]
    raise LookupError("no raylet above")


def test_no_ray_at_the_address(ray: RayNodes, ladder: Ladder, tmp_path: Path) -> None:
    line = ladder.words(tmp_path, "--executor", "ray", "--ray-address", "127.0.0.9:6399")
    # A process of its own: in this one Ray is connected already.
    done = subprocess.run(
        [sys.executable, "-m", "cod_harness", *line], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--ray-address 127.0.0.9:6399: no Ray cluster answers there" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ray_is_not_installed(
    ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = ladder(tmp_path, "--executor", "ray")
    assert ran.status == 2
    [line] = ran.err.splitlines()
    assert "pip install 'cod-harness[ray]'" in line
