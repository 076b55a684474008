"""Ladders that are run on a SLURM and a Ray of the tests' own, and on this machine alone."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
pytest.importorskip("lm_eval")
sys.path.insert(0, str(Path(__file__).parent))

import ray_nodes
import slurm_cluster
from cluster_runs import Ladder, measured

import cod_harness.demo

CHECKPOINTS = Path(cod_harness.demo.__file__).parent / "checkpoints"
RUNGS = ("6.3k", "10.6k", "18k", "30.7k")


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short name: those of sockets must be short."""
    folder = Path(tempfile.mkdtemp(prefix="cod"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def light(light_path: str) -> Iterator[None]:
    """Jobs do without torch, which their model does not need."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", light_path)
        yield


@pytest.fixture(scope="session")
def slurm(short_folder: Path) -> Iterator[slurm_cluster.SlurmCluster]:
    """A running SLURM, which SLURM_CONF names."""
    if reason := slurm_cluster.missing():
        pytest.skip(reason)
    cluster = slurm_cluster.SlurmCluster(short_folder / "s")
    os.environ["SLURM_CONF"] = str(cluster.conf)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        del os.environ["SLURM_CONF"]


@pytest.fixture(scope="session")
def ray(short_folder: Path) -> Iterator[ray_nodes.RayNodes]:
    """A running Ray of three raylets."""
    if reason := ray_nodes.missing():
        pytest.skip(reason)
    (short_folder / "r").mkdir()
    nodes = ray_nodes.RayNodes(short_folder / "r")
    try:
        nodes.start()
        yield nodes
    finally:
        import ray

        ray.shutdown()
        nodes.stop()


@pytest.fixture(scope="session")
def ladder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four rungs of the shipped ladder."""
    path = tmp_path_factory.mktemp("ladder") / "four.yaml"
    lines = ["ladder: four", "rungs:"]
    for name in RUNGS:
        lines.append(
            f"- {{name: {name}, params: {name}, tokens: 10M, model: cod-tiny, "
            f"model_args: 'pretrained={CHECKPOINTS / (name + '-1')}'}}"
        )
    path.write_text("\n".join([*lines, "targets:", "- {name: big, params: 1M, tokens: 10M}", ""]))
    return path


@pytest.fixture(scope="session")
def ladder(ladder_file: Path) -> Ladder:
    return Ladder(ladder_file)


@pytest.fixture(scope="session")
def local(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What the ladder measures on this machine alone."""
    folder = tmp_path_factory.mktemp("local")
    ran = ladder(folder, "--jobs", "2")
    assert ran.status in (0, 2), ran.err  # 2: too small for a forecast
    return measured(folder)
