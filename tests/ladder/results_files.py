"""Results files as the harness has written them over the years, made for the tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cod_harness.ladder.manifest import Ladder, Model

SIZES = ("70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b")


def stderr(accuracy: float, n: int) -> float:
    """As the harness computes it."""
    return math.sqrt(accuracy * (1 - accuracy) / (n - 1))


def written(path: Path, **content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def of_0_3(
    path: Path,
    model: str,
    accuracies: Mapping[str, tuple[float, int]],
    shots: int = 0,
    **more: Any,
) -> Path:
    """Version 0.3: no filters, no counts, the shots of all tasks in the config."""
    results: dict[str, Any] = {
        task: {"acc": accuracy, "acc_stderr": stderr(accuracy, n)}
        for task, (accuracy, n) in accuracies.items()
    }
    config = {"model": "hf-causal", "model_args": model, "num_fewshot": shots, "limit": None}
    return written(
        path,
        **{
            "results": results,
            "versions": dict.fromkeys(results, 0),
            "config": {**config, "bootstrap_iters": 100000, "description_dict": {}},
            **more,
        },
    )


def of_0_4(
    path: Path,
    model: str,
    accuracies: Mapping[str, tuple[float, int]],
    *,
    counts: bool = True,
    args: str | Mapping[str, Any] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    version: float = 1.0,
    shots: int = 0,
    limit: float | None = None,
    date: float = 1.7e9,
) -> Path:
    """Version 0.4: filters, counts from 0.4.3 on, `model_args` as text or (later) as a mapping."""
    results: dict[str, Any] = {
        task: {"alias": task, "acc,none": accuracy, "acc_stderr,none": stderr(accuracy, n)}
        for task, (accuracy, n) in accuracies.items()
    }
    tasks = [task for task in results if task not in (groups or {})]
    content: dict[str, Any] = {
        "results": results,
        "group_subtasks": {group: list(parts) for group, parts in (groups or {}).items()},
        "versions": dict.fromkeys(tasks, version),
        "n-shot": dict.fromkeys(tasks, shots),
        "config": {
            "model": "hf",
            "model_args": f"pretrained={model}" if args is None else args,
            "limit": limit,
        },
        "date": date,
        "model_name": model,
    }
    if counts:
        content["n-samples"] = {
            task: {"original": accuracies[task][1], "effective": accuracies[task][1]}
            for task in tasks
        }
    return written(path, **content)


def rising(place: int, n: int = 1000) -> tuple[float, int]:
    """Accuracy and questions of the rung at this place."""
    return round(n * (0.2 + 0.07 * place)) / n, n


def ladder_of(names: Sequence[str] = SIZES, **models: Any) -> Ladder:
    """All but the last are rungs, each of 2.5 times the compute of the one before."""
    entries = [
        Model(name, "rung", compute=1e20 * 2.5**place, **models.get(name.replace(".", "_"), {}))
        for place, name in enumerate(names)
    ]
    last = entries.pop()
    target = Model(last.name, "target", compute=last.compute, results=last.results)
    return Ladder("l", tuple(entries), targets=(target,))
