"""What an executor costs a job: seconds and ratios over running the same commands directly.

python benchmarks/clusters.py [--jobs 12] [--work 2] [--only slurm,ray]

Jobs that wait `--work` seconds, four at a time on each engine; `direct` is the same commands by a
pool of four threads. Then a ladder of four rungs and two tasks, twenty questions each.
SLURM and Ray are those of the tests, started here (tests/clusters); what is not installed is left
out, saying so.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "clusters"))

import ray_nodes
import slurm_cluster

import cod_harness.demo
from cod_harness.harness.campaign.executors import Room, executor
from cod_harness.harness.campaign.jobs import Job
from cod_harness.task_folder import task_folder

AT_ONCE = 4
CHECKPOINTS = Path(cod_harness.demo.__file__).parent / "checkpoints"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--work", type=float, default=2.0, help="seconds a job")
    parser.add_argument("--only", default="slurm,ray")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cod") as name:
        folder = Path(name)
        command = (sys.executable, "-c", f"import time; time.sleep({asked.work})")
        rounds = -(-asked.jobs // AT_ONCE)
        direct = _direct(command, asked.jobs)
        print(f"{asked.jobs} jobs of {asked.work} s, {AT_ONCE} at a time; 4 rungs x 2 tasks\n")
        print(
            f"|engine|{asked.jobs} jobs, s|over direct|more a job, s|over local, s|ladder, s|"
            "over local, s|"
        )
        print("|------|---------:|----------:|------------:|------------:|--------:|------------:|")
        print(f"|direct|{direct:.1f}|1.00|-|-|-|-|")
        local = (_jobs("local", folder / "jobs-local", command, asked.jobs, {}), _ladder(folder))
        print(f"|local|{local[0]:.1f}|{_more(local[0], direct, rounds)}|-|{local[1]:.0f}|-|")
        for engine in asked.only.split(","):
            with engine_of(engine, folder) as options:
                if options is None:
                    continue
                took = _jobs(engine, folder / f"jobs-{engine}", command, asked.jobs, options)
                ladder = _ladder(folder, engine, options.get("address", ""))
            print(
                f"|{engine}|{took:.1f}|{_more(took, direct, rounds)}|{took - local[0]:.1f}"
                f"|{ladder:.0f}|{ladder - local[1]:.0f}|",
                flush=True,
            )


def _more(took: float, direct: float, rounds: int) -> str:
    """Ratio to the commands alone, and seconds more a job, which is one of some at a time."""
    return f"{took / direct:.2f}|{(took - direct) / rounds:.2f}"


@contextmanager
def engine_of(name: str, folder: Path) -> Iterator[Mapping[str, str] | None]:
    """A running engine of that name; what an executor is told of it, None where there is none."""
    missing = {"slurm": slurm_cluster.missing, "ray": ray_nodes.missing}.get(name, str)()
    if missing:
        print(f"{name} left out: {missing}", file=sys.stderr)
        yield None
    elif name == "slurm":
        cluster = slurm_cluster.SlurmCluster(folder / "s")
        os.environ["SLURM_CONF"] = str(cluster.conf)
        try:
            cluster.start()
            yield {}
        finally:
            cluster.stop()
    elif name == "ray":
        (folder / "r").mkdir()
        nodes = ray_nodes.RayNodes(folder / "r")
        try:
            nodes.start()
            yield {"address": nodes.address}
        finally:
            nodes.stop()
    else:
        yield {}


def _direct(command: tuple[str, ...], count: int) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(subprocess.check_call, [command] * count))
    return time.perf_counter() - begun


def _jobs(
    name: str, folder: Path, command: tuple[str, ...], count: int, options: Mapping[str, str]
) -> float:
    engine = executor(name, Room(folder, AT_ONCE, options=options))
    begun = time.perf_counter()
    for number in range(count):
        engine.submit(Job(str(number), command, folder / f"{number}.log"))
    ended = 0
    while ended < count:
        for finished in engine.poll():
            assert finished.status == 0, finished
            ended += 1
        time.sleep(0.5)  # as the driver
    took = time.perf_counter() - begun
    engine.leave()
    return took


def _ladder(folder: Path, engine: str = "local", address: str = "") -> float:
    path = folder / "four.yaml"
    rungs = "".join(
        f"- {{name: {name}, params: {name}, tokens: 10M, model: cod-tiny, "
        f"model_args: 'pretrained={CHECKPOINTS / (name + '-1')}'}}\n"
        for name in ("6.3k", "10.6k", "18k", "30.7k")
    )
    path.write_text(f"ladder: four\nrungs:\n{rungs}")
    line = [sys.executable, "-m", "cod_harness", "ladder", str(path)]
    line += ["--tasks", "demo_gsm8k,demo_mmlu_pro", "--output_path", str(folder / f"out-{engine}")]
    line += ["--limit", "20", "--cod-repeats", "4", "--jobs", str(AT_ONCE)]
    line += ["--include_path", str(task_folder() / "demo"), "--cod-include-only"]
    line += ["--executor", engine]
    line += ["--ray-address", address] if address else []
    begun = time.perf_counter()
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 2), done.stderr  # 2: too small for a forecast
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
