"""Forecasts in the paper's own setting: simulated ladders on which Theorem 1 holds.

    python benchmarks/paper_setting.py [--seeds 20] [--noise 0,0.05,0.1,0.3] [--shrink 1]

Eight benchmarks of the paper's sizes, its nine amounts of compute (Table A4), 100 draws.  In
a benchmark the paper's share of the questions follows Eq. 4, each kind of question with a law of
its own, a question's `a` scattered about its kind's; the rest is never answered, stands still, or
wobbles about a level.  A model misses the laws by a factor on its answer loss, the same for all
questions of all benchmarks: the rung noise.  The largest model is forecast from the other eight.

Printed: mean and largest error over benchmarks and seeds in points, how often 90 % intervals hold,
and their median width, for `cod` (all benchmarks of a ladder together), `cod` on each benchmark
alone, and the published recipe; then mean error by benchmark.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cod_harness.engine import COD
from cod_harness.engine.measurements import measurements
from cod_harness.engine.views.irt import benchmark_abilities
from cod_harness.engine.views.trend import Siblings

PER_TOKEN = np.array([1.535, 2.684, 4.275, 6.378, 9.060, 16.436, 54.761, 91.609, 475.131])  # GFLOP
TOKENS = np.array([26, 45, 72, 108, 153, 277, 923, 1544, 8012])  # billions
COMPUTE = PER_TOKEN * TOKENS * 1e18
DRAWS = 100
KINDS = 8
# Questions, share that is predictable (BBH, MATH and MMLU-pro as published), chance of a guess.
BENCHMARKS = {
    "gsm8k": (1319, 0.85, 0.0),
    "math": (5000, 0.77, 0.0),
    "bbh": (6511, 0.53, 0.2),
    "triviaqa": (17944, 0.85, 0.0),
    "mbpp": (500, 0.80, 0.0),
    "agieval": (8063, 0.80, 0.25),
    "drop": (9536, 0.85, 0.0),
    "mmlu_pro": (12032, 0.94, 0.1),
}
SPREAD = 0.15  # sd of log a within a kind


@dataclass(frozen=True)
class Case:
    """One forecast: what was forecast of which benchmark by which way, and what is true."""

    benchmark: str
    way: str
    mean: float
    low: float
    high: float
    truth: float


def exact_rates(
    random: np.random.Generator, questions: int, share: float, guess: float, shifts: np.ndarray
) -> np.ndarray:
    """Pass rates (questions, 9) of one benchmark; shifts (9,), log of each model's factor."""
    x = np.log(COMPUTE / COMPUTE[0])
    span = x[-2]
    lawful = round(questions * share)
    kind = random.integers(0, KINDS, lawful)
    b = random.uniform(0.15, 0.5, KINDS)
    half = random.uniform(0.2, 1.3, KINDS) * span  # where a kind's loss is log 2
    c = np.where(random.random(KINDS) < 0.5, 0.0, random.uniform(0.0, 0.25, KINDS))
    g = np.where(random.random(KINDS) < 0.5, guess, 0.0)
    log_a = (b * half + np.log(np.log(2.0)))[kind] + random.normal(0.0, SPREAD, lawful)
    loss = np.exp(log_a[:, None] - b[kind, None] * x + shifts)
    floor = g[kind, None]
    lawful_rates = floor + (1.0 - floor) * np.exp(-loss - c[kind, None])
    rest = questions - lawful
    sort = random.choice(3, rest, p=[0.4, 0.3, 0.3])[:, None]
    still = np.repeat(random.beta(1.0, 1.0, rest)[:, None], len(x), axis=1)
    wobbly = random.beta(0.6, 1.0, rest)[:, None] + 0.15 * random.normal(size=(rest, len(x)))
    others = np.select([sort == 0, sort == 1], [0.0 * still, still], np.clip(wobbly, 0.0, 1.0))
    return np.vstack([lawful_rates, others])


def cases(seed: int, noise: float, shrink: float) -> Iterator[Case]:
    """The forecasts of one simulated ladder."""
    random = np.random.default_rng(seed)
    shifts = noise * random.normal(size=len(COMPUTE))
    rungs, target = COMPUTE[:-1], COMPUTE[-1]
    counted, truth = {}, {}
    for name, (questions, share, guess) in BENCHMARKS.items():
        exact = exact_rates(random, max(200, round(questions / shrink)), share, guess, shifts)
        counted[name] = random.binomial(DRAWS, exact[:, :-1]) / DRAWS
        truth[name] = float(exact[:, -1].mean())
    known = {
        name: benchmark_abilities(measurements(rates, rungs, DRAWS, None))
        for name, rates in counted.items()
    }
    for name, rates in counted.items():
        others = [known[other] for other in counted if other != name]
        beside = Siblings(
            np.array([one.values for one in others]), np.array([one.variance for one in others])
        )
        paper = COD.paper().fit(rates, rungs, DRAWS)
        alike = paper.labels_  # all ways cluster alike
        ways = {
            "cod": COD().fit(rates, rungs, DRAWS, labels=alike, siblings=beside),
            "cod, alone": COD().fit(rates, rungs, DRAWS, labels=alike),
            "cod-paper": paper,
        }
        for way, model in ways.items():
            found = model.forecast(target)
            yield Case(name, way, found.mean, found.low, found.high, truth[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--noise", default="0,0.05,0.1,0.3", help="sd of a rung's log answer loss")
    parser.add_argument("--shrink", type=float, default=1.0, help="divide the sizes by this")
    asked = parser.parse_args()
    print("noise  way            mean   max  refused  inside  width  by benchmark:", *BENCHMARKS)
    for noise in map(float, asked.noise.split(",")):
        found: list[Case] = []
        for seed in range(asked.seeds):
            found += cases(seed, noise, asked.shrink)
            print(f"noise {noise}: {seed + 1} of {asked.seeds} ladders", file=sys.stderr)
        for way in dict.fromkeys(one.way for one in found):
            mine = [one for one in found if one.way == way]
            made = [one for one in mine if not np.isnan(one.mean)]
            errors = np.array([100 * abs(one.mean - one.truth) for one in made])
            inside = np.mean([one.low - 1e-9 <= one.truth <= one.high + 1e-9 for one in made])
            width = np.median([100 * (one.high - one.low) for one in made])
            each = [errors[[one.benchmark == name for one in made]].mean() for name in BENCHMARKS]
            print(
                f"{noise:5.2f}  {way:<12} {errors.mean():6.2f} {errors.max():5.1f}"
                f" {100 * (1 - len(made) / len(mine)):6.0f} % {100 * inside:5.0f} % {width:6.1f}  ",
                *(f"{one:.1f}" for one in each),
                flush=True,
            )


if __name__ == "__main__":
    main()
