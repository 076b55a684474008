"""Runs of the shipped configurations on local documents, through the harness alone."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
pytest.importorskip("lm_eval")
sys.path.insert(0, str(Path(__file__).parent))

from benchmarks import Benchmark
from cod_harness.task_folder import task_folder


@pytest.fixture(autouse=True)
def own_task_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness's own TaskManager, whatever the tests of another folder put in its place."""
    from lm_eval import tasks

    manager = tasks.TaskManager
    monkeypatch.setattr(tasks, "TaskManager", getattr(manager, "original", manager))


@pytest.fixture(autouse=True)
def own_data_set_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets of one name but other documents, in another test's folder, are not these."""
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")


@dataclass
class Local:
    """Benchmarks with local data: the folder of their configurations and the model's script."""

    folder: Path
    script: Path

    @property
    def model_args(self) -> str:
        return f"script={self.script},pretrained=scripted"


MakeLocal = Callable[..., Local]


@pytest.fixture
def local(tmp_path: Path) -> MakeLocal:
    def make(benchmarks: Sequence[Benchmark], repeats: int = 8) -> Local:
        folder = tmp_path / "configs"
        folder.mkdir()
        files = {path.stem: path for path in task_folder().rglob("cod_*.yaml")}
        script: dict[str, Any] = {}
        for benchmark in benchmarks:
            data = {}
            for split, documents in benchmark.splits.items():
                path = tmp_path / f"{benchmark.task}-{split}.jsonl"
                # An empty file has no columns; the harness reads no split it does not need.
                path.write_text("\n".join(json.dumps(one) for one in documents) + "\n")
                if documents:
                    data[split] = str(path)
            override = {
                "include": str(files[benchmark.task]),
                "dataset_path": "json",
                "dataset_name": None,
                "dataset_kwargs": {"data_files": data, "cache_dir": str(tmp_path / "cache")},
                "repeats": repeats,
            }
            if "train" in benchmark.splits and "train" not in data:
                override["training_split"] = None
            (folder / f"{benchmark.task}.yaml").write_text(json.dumps(override))  # JSON is YAML
            script |= {part: [a for a, _ in told] for part, told in benchmark.answers.items()}
            script |= benchmark.choices
        for name in ("cod_math", "cod_bbh", "cod_mmlu_pro", "cod_agieval"):
            shutil.copy(files[name], folder)
        path = tmp_path / "script.json"
        path.write_text(json.dumps(script))
        return Local(folder, path)

    return make


@pytest.fixture
def evaluate() -> Callable[..., Any]:
    """`evaluate(local, ["cod_gsm8k"])`: the harness's own simple_evaluate, nothing around it."""
    import scripted_model  # noqa: F401 - registers the model
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)

    def run(local: Local, tasks: Sequence[str], **more: Any) -> Any:
        manager = TaskManager(include_path=str(local.folder), include_defaults=False)
        return simple_evaluate(
            model="cod-scripted",
            model_args=local.model_args,
            tasks=list(tasks),
            task_manager=manager,
            log_samples=True,
            bootstrap_iters=0,
            **more,
        )

    return run
