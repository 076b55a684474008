"""Staged draws against full ones: tokens, interval width and error, per benchmark.

Rates of a ladder are taken for the truth; draws are made from them anew, and all its benchmarks
are forecast beside each other, as `forecast` does.  The targets are the ladder's measured ones.
Generated tokens go with draws: their share is that of the answers drawn on the rungs.  `exact` is
the truth itself, the bound of what any number of draws can do; `scatter` is how much one set of
draws differs from the next in width, as a share of it (standard deviation over the sets).

    python benchmarks/draws.py LADDER.yaml RATES.parquet [--repeats R] [--tasks T,...] [--ways N,..]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from cod_harness import read_ladder, read_passrates
from cod_harness.engine import COD
from cod_harness.evaluation.evidence import fitted, task_evidence
from cod_harness.evaluation.siblings import beside_each_other
from cod_harness.ladder.draws import further_draws
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import checked

FIRST, FULL = 16, 100
WAYS = ("100", "16", "16:100", "exact")
ENDLESS = 1_000_000  # draws that stand for the rates themselves
Floats = npt.NDArray[np.float64]


def redrawn(
    truth: dict[str, Floats], ladder: Ladder, runs: dict[str, int], way: str, seed: int
) -> tuple[PassRates, dict[str, float]]:
    """Rates after such draws of each task, and the share of the full draws that they took."""
    compute = np.array([rung.compute for rung in ladder.rungs], dtype=float)
    each = np.array([runs[rung.name] for rung in ladder.rungs])
    frames, shares = [], {}
    for place, (task, rates) in enumerate(truth.items()):
        random = np.random.default_rng([seed, place])
        draws = np.full(rates.shape, int(way) if way.isdecimal() else FIRST)
        right = random.binomial(draws * each, rates)
        if way == "exact":
            draws = np.full(rates.shape, ENDLESS)
            right = np.rint(rates * ENDLESS).astype(np.int64) * each
        if way == "16:100":
            more = further_draws(right / (FIRST * each), compute, FIRST, FULL)
            right = right + np.where(more, random.binomial((FULL - FIRST) * each, rates), 0)
            draws = np.where(more, FULL, FIRST)
        shares[task] = float((draws * each).sum() / (FULL * each).sum() / len(rates))
        for column, rung in enumerate(ladder.rungs):
            frames.append(
                pd.DataFrame(
                    {
                        "task": task,
                        "question": [str(number) for number in range(len(rates))],
                        "model": rung.name,
                        "n_correct": right[:, column],
                        "n_samples": draws[:, column] * each[column],
                    }
                )
            )
    return PassRates.of_checked(checked(pd.concat(frames, ignore_index=True), "drawn")), shares


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("ladder")
    arguments.add_argument("rates", nargs="+")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--tasks")
    arguments.add_argument("--ways", default=",".join(WAYS), help="100 and others, any number")
    asked = arguments.parse_args()
    ladder = read_ladder(asked.ladder)
    rates = read_passrates(asked.rates, ladder)
    sampled = rates.frame.groupby("task")["n_samples"].median()
    tasks = asked.tasks.split(",") if asked.tasks else [t for t in rates.tasks if sampled[t] >= 32]
    ladder = replace(
        ladder,
        rungs=tuple(
            one for one in ladder.rungs if all(one.name in rates.models(task) for task in tasks)
        ),
    )
    counted = rates.frame.groupby("model")["checkpoint"].nunique()
    runs = {str(model): int(count) for model, count in counted.items()}
    names = [rung.name for rung in ladder.rungs]
    goals = [one for one in ladder.targets if one.name in rates.models()]
    truth, observed = {}, {}
    for task in tasks:
        whole = rates.matrix(task, [*names, *(goal.name for goal in goals)])
        known = whole.rates[whole.complete]
        truth[task] = known[:, : len(names)]
        for goal, column in zip(goals, known[:, len(names) :].T, strict=True):
            observed[task, goal.name] = float(column.mean())
    ways = asked.ways.split(",")
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for seed in range(asked.repeats):
        for way in ways:
            if way == "exact" and seed:
                continue
            drawn, shares = redrawn(truth, ladder, runs, way, seed)
            every = beside_each_other([task_evidence(drawn, ladder, task) for task in tasks])
            for evidence in every:
                model = fitted(COD(), evidence)
                assert isinstance(model, COD)
                for goal in goals:
                    assert goal.compute is not None
                    low, mean, high = model.interval(goal.compute)
                    error = abs(mean - observed[evidence.task, goal.name])
                    found.setdefault((evidence.task, way), []).append(
                        (shares[evidence.task], high - low, error)
                    )
            print(f"{seed} {way}", file=sys.stderr, flush=True)
    print("| Benchmark | Draws | Tokens | Width, points | Against 100 | Scatter | Error, points |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for task in (*tasks, "all"):
        for way in ways:
            values = [
                value for key, some in found.items() if key[1] == way and task in (key[0], "all")
                for value in some
            ]  # fmt: skip
            full = [
                value for key, some in found.items() if key[1] == "100" and task in (key[0], "all")
                for value in some
            ]  # fmt: skip
            share, width, error = np.mean(values, axis=0)
            sets = np.array(values)[:, 1]
            scatter = sets.std(ddof=1) / width if task != "all" and len(sets) > 1 else np.nan
            print(
                f"| {task} | {way} | {share:.2f} | {100 * width:.1f} | "
                f"{width / np.mean(full, axis=0)[1]:.3f} | {scatter:.2f} | {100 * error:.1f} |"
            )


if __name__ == "__main__":
    main()
