"""Forecasts of every method on made-up ladders and on the open ones, kept to compare with.

    python tests/engine/golden/make.py [--check]

writes `golden.json` beside itself; run it after a change that is meant to move forecasts, and look
at what moved (`--check` says so and writes nothing).  The open ladders are taken from the folder
that COD_SHARED names; without one, what the file has of them is kept.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cod_harness.engine import METHODS
from cod_harness.engine.methods import OURS
from cod_harness.evaluation.evidence import fitted, task_evidence
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates

HERE = Path(__file__).parent
GOLDEN = HERE / "golden.json"
ROOT = HERE.parents[2]
SHARED = Path(os.environ.get("COD_SHARED", ROOT.parent / "shared")).resolve()
LARGEST = 1500  # questions of a task of an open ladder that takes part


@dataclass(frozen=True)
class Made:
    """A made-up benchmark: rates (n, m), compute (m,) FLOP, draws, anchors, losses, targets."""

    rates: np.ndarray
    compute: np.ndarray
    draws: int
    anchors: np.ndarray | None
    losses: np.ndarray
    targets: tuple[float, ...]


def made_ladders() -> dict[str, Made]:
    """Kinds of questions along Eq. 4 with difficulties that spread, and some that never rise."""
    return {
        "many-draws": made(0, rungs=8, draws=100, anchor=True),
        "few-draws": made(1, rungs=7, draws=4),
        "analytic": made(2, rungs=5, draws=0),
        "rough": made(3, rungs=6, draws=32, rough=0.05),
    }


def made(seed: int, rungs: int, draws: int, anchor: bool = False, rough: float = 0.0) -> Made:
    random = np.random.default_rng(seed)
    compute = np.geomspace(4e19, 1e23, rungs)
    targets = (1.3 * compute[-1], 8.0 * compute[-1])
    every = np.append(compute, targets[1]) / 1e18
    kinds = np.repeat(
        [[6, 0.45, 0.02, 0.0], [30, 0.45, 0.05, 0.1], [90, 0.5, 0.0, 0.0]], 40, axis=0
    )
    a, b, c, g = kinds.T[..., None]
    a = a * np.exp(0.15 * random.normal(size=a.shape))
    exact = g + (1 - g) * np.exp(-a * every**-b - c)
    exact = np.vstack([exact, np.full((15, rungs + 1), 0.3), np.zeros((5, rungs + 1))])
    exact = np.clip(exact + rough * random.normal(size=rungs + 1) * exact * (1 - exact) * 4, 0, 1)
    rates = exact if draws == 0 else random.binomial(draws, exact) / draws
    losses = 1.5 + 3.0 * (compute / 1e18) ** -0.12
    return Made(rates[:, :-1], compute, draws, rates[:, -1:] if anchor else None, losses, targets)


def of_made(one: Made, method: str) -> dict[str, object]:
    """Forecasts of one method by target."""
    model = METHODS[method]()
    model.fit(one.rates, one.compute, one.draws, anchors=one.anchors, losses=one.losses)
    return {f"{target:.6g}": entry(model.forecast(target)) for target in one.targets}


def open_ladders() -> Iterator[Path]:
    """Folders of the open ladders that are here."""
    for manifest in sorted(SHARED.glob("data/ladders/*/ladder.yaml")):
        yield manifest.parent


def of_open(folder: Path, method: str) -> dict[str, object]:
    """Forecasts of one method for the first target, by task."""
    ladder = read_ladder(folder / "ladder.yaml")
    rates = read_passrates(folder / "rates.parquet", ladder)
    found: dict[str, object] = {}
    for task in rates.tasks:
        evidence = task_evidence(rates, ladder, task)
        if evidence.problem or len(evidence.questions) > LARGEST:
            continue
        target = 8.0 * float(max(evidence.compute))
        found[task] = entry(fitted(METHODS[method](), evidence).forecast(target))
    return found


def entry(forecast) -> list[object]:  # type: ignore[no-untyped-def]
    """What is kept of a forecast; None for NaN."""
    numbers = [forecast.mean, forecast.low, forecast.high, forecast.subset.mean]
    kept = [None if np.isnan(value) else float(value) for value in numbers]
    return [*kept, forecast.verdict, [reason.code for reason in forecast.reasons]]


def main() -> int:
    before = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"made": {}, "open": {}}
    now = {
        "made": {
            name: {method: of_made(one, method) for method in OURS}
            for name, one in made_ladders().items()
        },
        "open": {
            **before["open"],
            **{
                folder.name: {method: of_open(folder, method) for method in OURS}
                for folder in open_ladders()
            },
        },
    }
    for group, ladders in now.items():
        for name, methods in ladders.items():
            for method, found in methods.items():
                if before[group].get(name, {}).get(method) != found:
                    print(f"{group} {name}: {method} moved")
    if "--check" not in sys.argv:
        GOLDEN.write_text(json.dumps(now, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
