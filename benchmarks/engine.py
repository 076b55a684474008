"""What a forecast costs: the paper's eight benchmarks, stage by stage, and the fitting routine.

    python benchmarks/engine.py [--questions 60905]

Simulated ladders of the paper's sizes (eight rungs, 100 samples a question) go through the default
method with intervals. Times are of this machine; the shares of the stages are what to compare.
"""

from __future__ import annotations

import argparse
import cProfile
import pathlib
import pstats
import resource
import time

import numpy as np

from cod_harness.engine import COD
from cod_harness.engine.fitting import fit
from cod_harness.engine.laws import EQ4

SIZES = {
    "gsm8k": 1319, "math": 5000, "bbh": 6511, "triviaqa": 17944,
    "mbpp": 500, "agieval": 8063, "drop": 9536, "mmlu_pro": 12032,
}  # fmt: skip
COMPUTE = 1e18 * np.array(
    [39.9, 120.8, 307.8, 688.8, 1386.2, 4552.8, 50544.4, 141444.3]  # Table A4, FLOP
)
TARGET = 3.8e24
DRAWS = 100
# Functions, by file, whose own and inner time makes a stage.
STAGES = {
    "cluster": ("cod.py", "_cluster"),
    "fit clusters": ("cod.py", "_fit"),
    "map": ("cod.py", "_map"),
    "ability": ("irt.py", "benchmark_abilities"),
    "trend": ("trend.py", "benchmark_trend"),
    "refits (intervals)": ("refits.py", "replicates"),
}


def simulated(questions: int, seed: int) -> np.ndarray:
    """rates (questions, 8): difficulty and steepness spread widely, some never solved."""
    random = np.random.default_rng(seed)
    emerges = random.uniform(-0.3, 1.6, questions)[:, None]
    steepness = random.uniform(2.0, 9.0, questions)[:, None]
    x = np.log(COMPUTE / COMPUTE[0]) / np.log(COMPUTE[-1] / COMPUTE[0])
    exact = np.exp(-np.exp(-steepness * (x - emerges)))
    return random.binomial(DRAWS, exact) / DRAWS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, help="all benchmarks together; default: theirs")
    asked = parser.parse_args()
    scale = (asked.questions or sum(SIZES.values())) / sum(SIZES.values())

    columns = ["questions", "clusters", *STAGES, "in all"]
    print(f"{'seconds':12}" + "".join(f"{name:>20}" for name in columns))
    totals = np.zeros(len(STAGES) + 1)
    for seed, (name, size) in enumerate(SIZES.items()):
        rates = simulated(max(40, round(size * scale)), seed)
        profile = cProfile.Profile()
        begun = time.perf_counter()
        profile.enable()
        model = COD().fit(rates, COMPUTE, DRAWS)
        model.forecast(TARGET)
        profile.disable()
        took = time.perf_counter() - begun
        spent = [stage_seconds(profile, stage) for stage in STAGES.values()]
        totals += [*spent, took]
        row = [len(rates), len(model.clusters_), *(f"{s:.2f}" for s in [*spent, took])]
        print(f"{name:12}" + "".join(f"{cell:>20}" for cell in row))
    row = ["", "", *(f"{s:.2f}" for s in totals)]
    print(f"{'together':12}" + "".join(f"{cell:>20}" for cell in row))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GB")

    random = np.random.default_rng(0)
    x = np.log(COMPUTE / COMPUTE[3])
    theta = np.column_stack(
        [random.uniform(-2, 3, 200), random.uniform(0.2, 0.8, 200), np.full(200, 0.05),
         random.uniform(0, 0.2, 200)]
    )  # fmt: skip
    y = EQ4.curve(theta, x) + random.normal(0, 0.01, (200, len(x)))
    sigma = np.full_like(y, 0.01)
    wide = theta[:, None] + random.normal(0, 0.3, (200, 16, 4))
    starts = np.clip(wide, EQ4.lower, EQ4.upper)
    begun = time.perf_counter()
    fit(EQ4, x, y, sigma, starts)
    print(f"200 clusters x 8 rungs x 16 starts: {time.perf_counter() - begun:.2f} s")
    many = np.tile(y[:50], (1000, 1)) + random.normal(0, 0.01, (50_000, len(x)))
    begun = time.perf_counter()
    fit(EQ4, x, many, np.full_like(many, 0.01), np.tile(theta[:50], (1000, 1))[:, None])
    print(f"1,000 refits of 50 clusters: {time.perf_counter() - begun:.2f} s")


def stage_seconds(profile: cProfile.Profile, stage: tuple[str, str]) -> float:
    """Seconds in one of the engine's functions, what it calls included."""
    entries = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    return sum(
        times[3] for (file, _, name), times in entries if (pathlib.Path(file).name, name) == stage
    )


if __name__ == "__main__":
    main()
