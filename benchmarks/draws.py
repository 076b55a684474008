"""Staged draws against full ones: tokens, interval width and error, per benchmark.

Rates of a ladder are taken for the truth; draws are made from them anew. The largest rung is the
target. Run: python benchmarks/draws.py [LADDER_FOLDER] [--repeats R]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from cod_harness import COD, read_ladder, read_passrates
from cod_harness.ladder.draws import further_draws

FIRST, FULL = 16, 100


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--repeats", type=int, default=2)
    asked = arguments.parse_args()
    ladder = read_ladder(asked.folder / "ladder.yaml")
    rates = read_passrates(asked.folder / "rates.parquet", ladder)
    rows = [("benchmark", "draws", "tokens", "width", "error", "width / full")]
    total: dict[str, list[tuple[float, float, float]]] = {}
    for task in rates.tasks:
        names = [model.name for model in ladder.rungs]
        compute = np.array([model.compute for model in ladder.rungs])
        truth = rates.matrix(task, names)
        truth = truth.rates[truth.complete]
        order = np.argsort(compute)
        truth, compute = truth[:, order], compute[order]
        known, goal = truth[:, :-1], truth[:, -1].mean()
        for name in ("100", "16", "16:100"):
            found = []
            for seed in range(asked.repeats):
                rng = np.random.default_rng([seed, len(name)])
                draws = np.full(known.shape, FULL if name == "100" else FIRST)
                first = rng.binomial(draws, known)
                if name == "16:100":
                    more = further_draws(first / FIRST, compute[:-1], FIRST, FULL)
                    first = first + np.where(more, rng.binomial(FULL - FIRST, known), 0)
                    draws = np.where(more, FULL, FIRST)
                model = COD().fit(first / draws, compute[:-1], n_samples=draws)
                told = model.forecast(compute[-1])
                found.append((draws.mean() / FULL, told.high - told.low, abs(told.mean - goal)))
            mean = np.mean(found, axis=0)
            total.setdefault(name, []).append(tuple(mean))
            full = total["100"][-1][1]
            rows.append(
                (task, name, f"{mean[0]:.3f}", f"{100 * mean[1]:.2f}", f"{100 * mean[2]:.2f}",
                 f"{mean[1] / full:.3f}")
            )  # fmt: skip
            print(*rows[-1], file=sys.stderr, flush=True)
    # A benchmark without a forecast under one of the ways is left out of the means.
    both = ~np.isnan([[value[1] for value in values] for values in total.values()]).any(axis=0)
    for name, values in total.items():
        mean = np.mean(np.array(values)[both], axis=0)
        ratio = mean[1] / np.mean(np.array(total["100"])[both], axis=0)[1]
        rows.append(
            ("all", name, f"{mean[0]:.3f}", f"{100 * mean[1]:.2f}", f"{100 * mean[2]:.2f}",
             f"{ratio:.3f}")
        )  # fmt: skip
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
