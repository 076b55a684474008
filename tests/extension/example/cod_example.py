"""A method, a reader of logs and an executor, each as short as can be."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cod_harness.engine.forecast import Forecast, Subset


class TwoRungs:
    """The straight line through the last two rungs' accuracies, over the logarithm of compute."""

    def fit(self, rates: Any, compute: Any, n_samples: Any = 100, **_: Any) -> TwoRungs:
        self._means = np.nanmean(rates, axis=0)[-2:]
        self._logs = np.log(np.asarray(compute, dtype=float))[-2:]
        return self

    def forecast(self, compute: float, level: float = 0.9) -> Forecast:
        slope = np.diff(self._means)[0] / np.diff(self._logs)[0]
        mean = float(np.clip(self._means[1] + slope * (np.log(compute) - self._logs[1]), 0, 1))
        low, high = max(0.0, mean - 0.1), min(1.0, mean + 0.1)
        return Forecast(mean, low, high, level, "ok", (), Subset(np.nan, np.nan), compute)


class TallyReader:
    """Logs `NAME.tally.json`: {"model": ..., "task": ..., "right": {question: [right, asked]}}."""

    patterns = ("*.tally.json",)

    def read(self, paths: Sequence[Path], asked: Any) -> Iterator[Any]:
        from cod_harness.errors import InputError
        from cod_harness.harness.ingest.readers import LogRates

        found = []
        for path in paths:
            log = json.loads(path.read_text())
            try:
                model, checkpoint = asked.entry(log["model"])
            except InputError as refusal:
                asked.leave(path, f": {refusal}")
                continue
            rows = [(name, right, drawn) for name, (right, drawn) in log["right"].items()]
            frame = pd.DataFrame(rows, columns=["question", "n_correct", "n_samples"])
            capture = (model, checkpoint, log["task"])
            found.append(
                (capture, LogRates(path, capture, log["date"], frame, {"metric": "tally"}))
            )
        yield from asked.newest(found)


class OneByOne:
    """Runs one job after the other, and waits for each."""

    stays = False

    def __init__(self, room: Any) -> None:
        self._waiting: list[Any] = []

    def found(self, jobs: Sequence[Any]) -> Sequence[Any]:
        return []

    def submit(self, job: Any) -> None:
        self._waiting.append(job)

    def running(self) -> Sequence[Any]:
        return []

    def poll(self) -> Sequence[Any]:
        from cod_harness.harness.campaign.jobs import Finished

        if not self._waiting:
            return []
        job = self._waiting.pop(0)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with open(job.log, "ab") as log:
            ended = subprocess.run(job.command, stdout=log, stderr=log, check=False)
        return [Finished(job, ended.returncode)]

    def stop(self) -> None:
        self._waiting.clear()

    def leave(self) -> None:
        self.stop()

    def script(self, jobs: Sequence[Any]) -> str:
        return "".join(f"one by one: {job.name}\n" for job in jobs)
