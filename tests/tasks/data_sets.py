"""Benchmarks' documents as folders named like the data sets on the hub.

`datasets` prefers such a folder, below the one it runs in, to the hub: so the shipped
configurations run offline as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks import Benchmark
from cod_harness.harness.scoring.task_source import definition, harness_tasks
from cod_harness.task_folder import task_folder


def write_data_sets(folder: Path, benchmarks: Sequence[Benchmark]) -> None:
    """Below `folder`, every data set that the benchmarks' own configurations load."""
    configurations = {path.stem: path for path in task_folder().rglob("cod_*.yaml")}
    parts: dict[str, dict[str, dict[str, Any]]] = {}  # data set -> its configuration -> split
    for benchmark in benchmarks:
        base = yaml.safe_load(configurations[benchmark.task].read_text())["base"]
        known = definition(harness_tasks() / base)
        data_set = parts.setdefault(known["dataset_path"], {})
        splits = data_set.setdefault(known.get("dataset_name") or "default", {})
        for split, documents in benchmark.splits.items():
            for document in documents:
                if document not in splits.setdefault(split, []):
                    splits[split].append(document)
    for data_set_name, data_set in parts.items():
        configs = []
        for name, splits in data_set.items():
            files = []
            for split, documents in splits.items():
                if documents:
                    path = folder / data_set_name / name / f"{split}.jsonl"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("".join(json.dumps(one) + "\n" for one in documents))
                    files.append({"split": split, "path": f"{name}/{split}.jsonl"})
            configs.append({"config_name": name, "data_files": files})
        card = f"---\n{json.dumps({'configs': configs})}\n---\n"  # JSON is YAML
        (folder / data_set_name / "README.md").write_text(card)
