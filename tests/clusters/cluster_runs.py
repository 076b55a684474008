"""What the tests on clusters share: a small ladder, jobs of a few lines, and waiting."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from harness_runs import Ran, captured

from cod_harness.cli import main
from cod_harness.harness.campaign.executors import Executor
from cod_harness.harness.campaign.jobs import Finished, Job
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.store import read_store
from cod_harness.task_folder import task_folder


@dataclass
class Ladder:
    """`cod-harness ladder` on four rungs and two tasks, with a few questions of each."""

    path: Path

    def words(self, folder: Path, *more: str) -> list[str]:
        return [
            *("ladder", str(self.path), "--tasks", "demo_gsm8k,demo_mmlu_pro"),
            *("--output_path", str(folder), "--limit", "20", "--cod-repeats", "4"),
            *("--include_path", str(task_folder() / "demo"), "--cod-include-only", *more),
        ]

    def __call__(self, folder: Path, *more: str) -> Ran:
        return captured(lambda: main(self.words(folder, *more)), folder)


def measured(folder: Path) -> pd.DataFrame:
    """All pass rates under a folder; no question of a rung may stand there twice."""
    frame = pd.concat([read_store(path)[0] for path in passrate_files(folder)])
    key = ["model", "checkpoint", "task", "question"]
    assert not frame.duplicated(key).any()
    return frame.sort_values(key).reset_index(drop=True)


def python_job(name: str, code: str, folder: Path) -> Job:
    """A job that runs some Python, `HERE` being the folder."""
    command = (sys.executable, "-c", f"HERE = {str(folder)!r}\n{code}")
    return Job(name, command, folder / f"{name}.log", {"COD_X": "a b"})


# Seconds until waiting is given up: only a test that fails waits so long.
PATIENCE = 180.0


def until_ended(executor: Executor, count: int, patience: float = PATIENCE) -> dict[str, Finished]:
    """How that many jobs ended, by name."""
    ended: dict[str, Finished] = {}
    deadline = time.monotonic() + patience
    while len(ended) < count and time.monotonic() < deadline:
        for finished in executor.poll():
            assert finished.job.name not in ended, "told twice"
            ended[finished.job.name] = finished
        time.sleep(0.1)
    assert len(ended) == count, ended
    return ended


def until(true: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for something."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def lines(path: Path) -> Sequence[str]:
    """The lines of a file; none if it is not there."""
    return path.read_text().splitlines() if path.exists() else []
