"""The engine's constants, and forecasts of every method on made-up ladders, on the shipped one and
on the open ones, kept to compare with.

    python tests/engine/golden/make.py [--check] [--measure]

writes `golden.json` beside itself; run it after a change that is meant to move forecasts, and look
at what moved (`--check` says so and writes nothing).  `--measure` runs the shipped models first,
for a shipped ladder that was trained anew, and keeps their pass rates in `shipped.json`.  The open
ladders are taken from the folder that COD_SHARED names; without one, what the file has of them is
kept.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cod_harness.engine import METHODS, settings
from cod_harness.engine.methods import OURS
from cod_harness.evaluation.evidence import fitted, task_evidence
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates

HERE = Path(__file__).parent
GOLDEN = HERE / "golden.json"
ROOT = HERE.parents[2]
SHARED = Path(os.environ.get("COD_SHARED", ROOT.parent / "shared")).resolve()
SHIPPED = HERE / "shipped.json"
QUESTIONS = 60  # of each task of the shipped ladder, evenly taken
DRAWS = 32  # a question, of the shipped models
CLOSE = 1e-6  # relative; solvers of other versions and on other processors part at 1.3e-7
# Ends of intervals by refits that go either way: questions as near to one centre as to another,
# minima side by side.
ENDS = {"cod-kmeans": 0.03, "bnsl": 1e-4}
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


def measure() -> None:
    """Exact pass rates of the shipped models, by task, into `shipped.json`."""
    path = ROOT / "benchmarks/shipped_ladder.py"
    spec = importlib.util.spec_from_file_location("shipped_ladder", path)
    shipped = importlib.util.module_from_spec(spec)
    sys.modules["shipped_ladder"] = shipped
    spec.loader.exec_module(shipped)
    ladder = read_ladder(shipped.SHIPPED)
    found = shipped.everything(ladder)
    rates = {}
    for task in shipped.TASKS:
        each = [np.mean([seed[task].rates for seed in found[r.name]], axis=0) for r in ladder.rungs]
        rows = np.column_stack(each)
        some = np.linspace(0, len(rows) - 1, QUESTIONS).round().astype(int)
        rates[task] = [[round(float(rate), 3) for rate in row] for row in rows[some]]
    kept = {
        "compute": [rung.compute for rung in ladder.rungs],
        "losses": [rung.loss for rung in ladder.rungs],
        "rates": rates,
    }
    SHIPPED.write_text(json.dumps(kept) + "\n")


def shipped_ladder() -> dict[str, Made]:
    """The benchmarks of the shipped ladder, drawn from the exact rates of `shipped.json`."""
    kept = json.loads(SHIPPED.read_text())
    compute, losses = np.array(kept["compute"]), np.array(kept["losses"])
    random = np.random.default_rng(0)
    return {
        task: Made(
            random.binomial(DRAWS, np.array(rates)) / DRAWS, compute, DRAWS, None, losses,
            (10.4 * float(compute[-1]),),
        )
        for task, rates in kept["rates"].items()
    }  # fmt: skip


def constants() -> dict[str, object]:
    """Every number of `engine.settings` by its name."""
    return {name: value for name, value in vars(settings).items() if name.isupper()}


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


def differences(found: dict[str, Any], kept: dict[str, Any], method: str) -> list[str]:
    """What differs by more than the processor and the version of a solver make, in words."""
    if found.keys() != kept.keys():
        return [f"{sorted(found)} instead of {sorted(kept)}"]
    told = []
    for name in found:
        *numbers, verdict, codes = found[name]
        *known, word, reasons = kept[name]
        if (verdict, codes) != (word, reasons):
            told.append(f"{name}: {verdict} {codes} instead of {word} {reasons}")
        for place, (number, expected) in enumerate(zip(numbers, known, strict=True)):
            close = ENDS.get(method, CLOSE) if place in (1, 2) else CLOSE
            if (number is None) != (expected is None) or (
                number is not None and abs(number - expected) > close * abs(expected) + 1e-12
            ):
                told.append(f"{name}: {number} instead of {expected}")
    return told


def main() -> int:
    if "--measure" in sys.argv:
        measure()
    before = {"settings": {}, "made": {}, "shipped": {}, "open": {}}
    if GOLDEN.exists():
        before |= json.loads(GOLDEN.read_text())
    now = {
        "settings": constants(),
        "made": {
            name: {method: of_made(one, method) for method in OURS}
            for name, one in made_ladders().items()
        },
        "shipped": {
            name: {method: of_made(one, method) for method in OURS}
            for name, one in shipped_ladder().items()
        },
        "open": {
            **before["open"],
            **{
                folder.name: {method: of_open(folder, method) for method in OURS}
                for folder in open_ladders()
            },
        },
    }
    for name, value in now["settings"].items():
        if before["settings"].get(name) != value:
            print(f"{name} was {before['settings'].get(name)}, is {value}")
    for group in ("made", "shipped", "open"):
        for name, methods in now[group].items():
            for method, found in methods.items():
                kept = before[group].get(name, {}).get(method, {})
                told = differences(found, kept, method)
                for line in told[:3]:
                    print(f"{group} {name}: {method} moved, {line}")
                if not told:
                    methods[method] = kept  # its last digits are those of another machine
    if "--check" not in sys.argv:
        GOLDEN.write_text(json.dumps(now, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
