"""What the tests of the harness side share: the tasks, the rungs, and a finished command."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cod_harness.demo.numpy_llama import NumpyLlama, nucleus

DOCUMENTS = 105  # in tasks/sums.jsonl; one of them occurs twice
RUNGS = (("f1", 0.5), ("f2", 1.0), ("f3", 1.5), ("f4", 2.0), ("f5", 2.5))

ALL_TASKS: Sequence[str] = (
    "cod_t_two_filters",
    "cod_t_majority",
    "cod_t_group",
    "cod_t_code",
    "cod_t_choice",
    "cod_t_choice_many",
    "cod_t_word",
    "cod_t_rolling",
)


@dataclass
class Ran:
    """One finished command: exit status, what it printed, and its output folder."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def results(self) -> dict[str, Any]:
        [path] = self.folder.rglob("results_*.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    @property
    def stores(self) -> list[Path]:
        return sorted(self.folder.rglob("cod_passrates_*.parquet"))

    def samples(self, task: str) -> list[dict[str, Any]]:
        [path] = self.folder.rglob(f"samples_{task}_2*.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


Runner = Callable[..., Ran]


def captured(call: Callable[[], int], folder: Path) -> Ran:
    """Run a command, keeping what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = call()
    return Ran(status, out.getvalue(), err.getvalue(), folder)


def exact_rates(network: NumpyLlama, pairs: list[tuple[str, str]]) -> np.ndarray[Any, Any]:
    """Probability of writing exactly each answer: one teacher-forced pass, top-p renormalised."""
    rates = []
    followed = network.log_probabilities([network.encode(p + a) for p, a in pairs])
    for (_, answer), logs in zip(pairs, followed, strict=True):
        ids = network.encode(answer + "\n")
        p = nucleus(logs[-len(ids) :], 1.0, 0.7)
        rates.append(p[np.arange(len(ids)), ids].prod())
    return np.array(rates)
