"""Forecasts and a backtest as the engine would make them, by hand and in no time."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np

from cod_harness.evaluation.backtest import summaries
from cod_harness.evaluation.question_map import question_map
from cod_harness.evaluation.records.backtest import BacktestRow
from cod_harness.evaluation.records.forecast import Forecasts, TaskForecast, TaskSummary

RUNGS = [f"r{number}" for number in range(1, 7)]
COMPUTE = [10.0 ** (18 + number) for number in range(6)]
CLASSES = ("predictable", "non_extrapolatable", "outlier", "zero")


def made_entry(task: str, method: str = "cod", **changes: Any) -> dict[str, Any]:
    return {
        "task": task, "target": "big", "compute": 1e25, "method": method,
        "mean": 0.62, "low": 0.55, "high": 0.7, "level": 0.9, "verdict": "ok", "reasons": [],
        "subset": {"mean": 0.7, "share": 0.6}, "observed": None,
    } | changes  # fmt: skip


def abstained(task: str, method: str = "cod") -> dict[str, Any]:
    return made_entry(
        task, method, mean=None, low=None, high=None, verdict="abstain",
        reasons=["the rungs are at chance"], subset={"mean": None, "share": None},
    )  # fmt: skip


def made_task(questions: int = 400, clusters: int = 5) -> dict[str, Any]:
    random = np.random.default_rng(questions)
    labels = np.sort(random.integers(-1, clusters, questions))
    onset = np.where(labels < 0, random.uniform(0, 8, questions), labels * 6 / clusters)
    rates = 1 / (1 + np.exp(onset[:, None] - np.arange(6) + random.normal(size=(questions, 1)) / 4))
    rates[:3] = 0
    labels[:3] = -1
    found = []
    for cluster in range(clusters):
        mine = rates[labels == cluster]
        found.append(
            {
                "id": cluster, "size": len(mine), "rates": mine.mean(axis=0).tolist(),
                "g": 0.02, "a": 4.0, "b": 0.3, "c": 0.01, "predictable": cluster % 3 != 2,
                "reason": "" if cluster % 3 != 2 else "a = 0.2 is not above 1",
                "examples": [f"q{cluster}a", f"q{cluster}b"],
            }
        )  # fmt: skip
    kept = sum(one["size"] for one in found if one["predictable"])
    refused = sum(one["size"] for one in found) - kept
    share = {"predictable": 0.6, "non_extrapolatable": 0.3, "outlier": 0.1, "zero": 0.0}
    means = rates.mean(axis=0)
    return {
        "questions": questions, "samples": 100.0, "metric": "exact_match", "filter": "none",
        "bandwidth": 0.2,
        "classes": {
            "predictable": kept, "non_extrapolatable": refused, "zero": 3,
            "outlier": questions - kept - refused - 3,
        },
        "clusters": found,
        "mapping": {
            "knots": [0.0, 1.0], "coefficients": [[0.0, 1.0, 0.0, 0.0]], "rmse": 0.002,
            "points": [
                [float(mean), float(mean), name] for mean, name in zip(means, RUNGS, strict=True)
            ],
        },
        "quality": [
            {"questions": questions // 10, "difficulty": 1 - place / 10, "classes": share}
            for place in range(10)
        ],
        "map": json.loads(msgspec.json.encode(question_map(rates, labels))),
        "curve": {
            "method": "cod",
            "points": [
                [flop, mean, mean * 0.9, min(mean * 1.1, 1.0)]
                for flop, mean in zip([*COMPUTE, 1e25], [*means.tolist(), 0.62], strict=True)
            ],
        },
        "rungs": [
            {"name": name, "compute": flop, "accuracy": float(mean), "stderr": 0.01}
            for name, flop, mean in zip(RUNGS, COMPUTE, means, strict=True)
        ],
    }  # fmt: skip


def empty_task() -> dict[str, Any]:
    """A task with too few rungs: nothing fitted, nothing to draw."""
    return {
        "questions": 0, "samples": 0, "metric": "", "filter": "", "bandwidth": None,
        "classes": dict.fromkeys(CLASSES, 0), "clusters": [], "mapping": None, "quality": None,
        "map": None, "rungs": [],
    }  # fmt: skip


def made_forecasts(
    tasks: dict[str, dict[str, Any]] | None = None,
    forecasts: list[dict[str, Any]] | None = None,
    **settings: Any,
) -> Forecasts:
    return msgspec.convert(made_document(tasks, forecasts, **settings), Forecasts)


def made_forecast(task: str, method: str = "cod", **changes: Any) -> TaskForecast:
    return msgspec.convert(made_entry(task, method, **changes), TaskForecast)


def made_summary(task: dict[str, Any]) -> TaskSummary:
    return msgspec.convert(task, TaskSummary)


def made_document(
    tasks: dict[str, dict[str, Any]] | None = None,
    forecasts: list[dict[str, Any]] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """The JSON of a forecast."""
    tasks = {"gsm8k": made_task(), "math": made_task(300, 4)} if tasks is None else tasks
    if forecasts is None:
        forecasts = [made_entry(name) for name in tasks]
    methods = list(dict.fromkeys(entry["method"] for entry in forecasts))
    blank = {"params": None, "tokens": None, "loss": None}
    return {
        "schema": "cod-forecast/1",
        "forecasts": forecasts,
        "tasks": tasks,
        "ladder": {
            "name": "made",
            "rungs": [
                {"name": name, "compute": flop, **blank}
                for name, flop in zip(RUNGS, COMPUTE, strict=True)
            ],
            "anchors": [],
            "targets": [{"name": "big", "compute": 1e25, **blank}],
        },
        "settings": {
            "methods": methods, "targets": ["big"], "level": 0.9, "allow_mismatch": False,
            "clusters_of": "cod", "clusters_from": None, "notes": ["gsm8k: a note"], "tasks": {},
            "rates_hash": "ab" * 32,
            "command": ["cod-harness", "forecast", "out", "--ladder", "my ladder.yaml"],
        } | settings,
        "versions": {"python": "3.11", "cod-harness": "0.1.0"},
        "created": "2026-11-22T12:00:00+00:00",
    }  # fmt: skip


def made_backtest() -> dict[str, Any]:
    """A backtest: two methods on three tasks and two models; the second sometimes abstains."""
    rows = [
        {
            "task": task, "target": model, "method": method, "observed": 0.5,
            "forecast": None if gone else 0.5 + shift, "low": None if gone else 0.4 + shift,
            "high": None if gone else 0.6 + shift, "error": None if gone else 100 * shift,
            "verdict": "abstain" if gone else "ok" if shift < 0.1 else "weak",
            "reasons": [] if shift < 0.1 and not gone else ["few rungs"],
            "role": "rung", "compute": 1e23, "distance": 4.0, "rungs": 5, "questions": 400,
        }
        for place, task in enumerate(("gsm8k", "math", "drop"))
        for model in ("r5", "r6")
        for method, shift in (("cod", 0.05 * place), ("exp", 0.12))
        for gone in [method == "exp" and task == "drop"]
    ]  # fmt: skip
    return {
        "schema": "cod-backtest/1",
        "rows": rows,
        "summary": {
            name: msgspec.to_builtins(about)
            for name, about in summaries(
                msgspec.convert(rows, list[BacktestRow]), ["cod", "exp"]
            ).items()
        },
        "ladder": "made",
        "settings": {
            "methods": ["cod", "exp"], "holdout": None, "level": 0.9, "allow_mismatch": False,
            "notes": [],
        },
        "versions": {"python": "3.11"},
        "created": "2026-11-22T12:00:00+00:00",
    }  # fmt: skip
