"""What each tuned number of the engine is worth, on ladders that are measured.

    python benchmarks/constants.py FOLDER... [--only NAME,...] [--factors 0.5,2]

A FOLDER holds `ladder.yaml` and `rates.parquet` (or `rates.csv`).  Every measured target and every
rung that has four rungs below it is forecast by `cod` from what is below it, all benchmarks of a
ladder together, with each number halved and doubled in turn, all others as they are.  Printed are
means over ladders, ladders alike: error, share inside the 90 % interval, and interval score in
points, a refused forecast counting as the whole range.  Points count that one of four baselines
forecasts within 10.

`left out` is the score when the value for a ladder is the best of the three on the other ladders: a
number that is worth tuning makes it lower than `as is`.  Numbers of the trend, of the intervals and
of the pool are tried; those of clusters and laws need every fit anew and are not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cod_harness.engine import COD, METHODS, settings
from cod_harness.engine.measurements import rung_losses
from cod_harness.engine.views import trend
from cod_harness.evaluation.evidence import Evidence, fitted
from cod_harness.evaluation.rolling import rolling_origins
from cod_harness.evaluation.siblings import origins_beside_each_other
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates

TRIED = (
    "SLOPE", "SLOPE_SPREAD", "OWN_SLOPE", "TREND_NOISE", "TREND_BEND", "COMMON_NOISE",
    "COMMON_BEND", "LEAST_BEND", "UNIT_POWER", "LEAST_APART", "MISSES_PRIOR", "MISSES_DEGREES",
    "MISSES_SMOOTH", "LIKE_DISTANCE", "OWN_MISSES", "LEAST_REACH", "LEAST_REACH_ALONE",
    "EMERGENCE", "EMERGED", "UNSEEN", "CLUSTERS_MISS", "TREND_COARSE", "LEAST_SD", "POOL_ENDS",
)  # fmt: skip
BASELINES = ("exp", "powerlaw", "irt", "last")
NEAR = 0.1  # accuracy


@dataclass(frozen=True, eq=False)
class Point:
    """A hidden model on one benchmark, and the fitted `cod` that is to forecast it."""

    model: COD
    evidence: Evidence
    compute: float
    observed: float
    near: bool


def points(folder: Path) -> list[Point]:
    """Everything of a ladder that can be forecast and scored."""
    ladder = read_ladder(folder / "ladder.yaml")
    file = next(
        folder / name for name in ("rates.parquet", "rates.csv") if (folder / name).exists()
    )
    rates = read_passrates(file)
    origins = [one for task in rates.tasks for one in rolling_origins(rates, ladder, task)[0]]
    found = []
    for done, origin in enumerate(origins_beside_each_other(origins), start=1):
        print(f"\r{folder.name}: {done} of {len(origins)} fits", end="", file=sys.stderr)
        model = fitted(METHODS["cod"](), origin.evidence)
        others = [fitted(METHODS[name](), origin.evidence) for name in BASELINES]
        for one in origin.hidden:
            means = [other.forecast(one.compute).mean for other in others]
            near = any(abs(mean - one.observed) <= NEAR for mean in means)
            found.append(Point(model, origin.evidence, one.compute, one.observed, near))
    print(file=sys.stderr)
    return found


@contextmanager
def changed(name: str, value: float) -> Iterator[None]:
    """One number of the engine at another value."""
    usual = getattr(settings, name)
    setattr(settings, name, value)
    try:
        yield
    finally:
        setattr(settings, name, usual)


def scores(ladder: Sequence[Point]) -> tuple[float, float, float]:
    """Mean error, percent inside and interval score of a ladder's near points, in points."""
    trend._ladder.cache_clear()  # it remembers fits, not what they were made with
    errors, inside, score = [], [], []
    for point in ladder:
        if not point.near:
            continue
        model, evidence = point.model, point.evidence
        losses = rung_losses(evidence.losses, model._ladder)
        model._clusters_at.clear()
        model._follow(model._ladder, evidence.siblings, losses)
        found = model.forecast(point.compute)
        made = found.verdict != "abstain"
        low, high = (found.low, found.high) if made else (0.0, 1.0)
        missed = max(low - point.observed, 0.0) + max(point.observed - high, 0.0)
        score.append(100 * (high - low + 20 * missed))
        if made:
            errors.append(100 * abs(found.mean - point.observed))
            inside.append(missed <= 1e-9)
    return float(np.mean(errors)), 100 * float(np.mean(inside)), float(np.mean(score))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", default=",".join(TRIED))
    parser.add_argument("--factors", default="0.5,2")
    asked = parser.parse_args()
    factors = [float(factor) for factor in asked.factors.split(",")]
    ladders = {folder.name: each for folder in asked.folders if (each := points(folder))}
    as_is = np.array([scores(ladder) for ladder in ladders.values()])
    print("ladder                         points  error  inside  score")
    for (name, ladder), (error, inside, score) in zip(ladders.items(), as_is, strict=True):
        near = sum(point.near for point in ladder)
        print(f"{name:<30} {near:6d} {error:6.1f} {inside:5.0f} % {score:6.1f}")
    heads = "".join(f"   x{factor:<4g} error inside score" for factor in factors)
    print(f"\nnumber              value  as is: error inside score{heads}   left out")
    for name in asked.only.split(","):
        value = float(getattr(settings, name))
        each = [as_is]
        for factor in factors:
            with changed(name, factor * value):
                each.append(np.array([scores(ladder) for ladder in ladders.values()]))
        table = np.array(each)  # (values, ladders, 3)
        left_out = []
        for place in range(len(ladders)):
            rest = np.delete(table[:, :, 2], place, axis=1).mean(axis=1)
            left_out.append(table[int(np.argmin(rest)), place, 2])
        cells = "".join(
            f"{'' if i else '      '}       {e:6.2f} {c:5.0f} % {s:5.1f}"
            for i, (e, c, s) in enumerate(table.mean(axis=1))
        )
        print(f"{name:<18} {value:6g} {cells}   {np.mean(left_out):8.1f}", flush=True)


if __name__ == "__main__":
    main()
