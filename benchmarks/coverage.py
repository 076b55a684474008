"""Do 90 % intervals hold 90 %?  Every method on made-up worlds that are as it takes them to be.

A world is a benchmark of kinds of questions along Eq. 4, seven rungs, and a target some six times
beyond the last.  Every model, the target too, misses the trend by an effect of its own, a
t-variable common to its questions, and the trend itself wanders from rung to rung, a random walk
that goes on to the target.  The measured accuracy of the target is then held against the interval.

    python benchmarks/coverage.py [--worlds 500] [--method cod,powerlaw]
"""

from __future__ import annotations

import argparse

import numpy as np

from cod_harness.engine import METHODS
from cod_harness.engine.intervals import bernoulli_scale
from cod_harness.engine.methods import OURS

WORLDS = 500
RUNGS = np.geomspace(4e19, 4e22, 7)
TARGET = 6.0 * RUNGS[-1]
DRAWS = 32
EFFECT, DEGREES = 0.03, 6.0  # accuracy at a half: of a model alone
WALK = 0.03  # likewise, of the trend from one rung to the next


def world(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Rates (n, 7) and losses (7,) of the rungs, and the accuracy of the target."""
    random = np.random.default_rng(seed)
    every = np.append(RUNGS, TARGET) / 1e18
    kinds, each = 4, 25
    b = random.uniform(0.25, 0.6, kinds)
    place = random.uniform(0.2, 1.1, kinds)  # where on the ladder, in log compute, half is solved
    half = np.exp(np.log(every[0]) + place * np.log(RUNGS[-1] / RUNGS[0]))
    a = 0.7 * half**b * np.exp(0.1 * random.normal(size=(each, kinds)))
    power = a.T.reshape(-1)[:, None] * every ** -np.repeat(b, each)[:, None]
    exact = np.exp(-power)
    effects = EFFECT * random.standard_t(DEGREES, size=len(every))
    steps = np.diff(np.log(every), prepend=np.log(every[0])) / np.log(every[1] / every[0])
    effects += np.cumsum(WALK * np.sqrt(steps) * random.normal(size=len(every)))
    exact = np.clip(exact + effects * bernoulli_scale(exact), 0.0, 1.0)
    rates = random.binomial(DRAWS, exact) / DRAWS
    # A loss that says what compute says, and misses it likewise.
    losses = (1.5 + 3.0 * every**-0.12) * (1 + 0.005 * random.normal(size=len(every)))
    return rates[:, :-1], losses[:-1], float(rates[:, -1].mean())


def coverage(method: str, worlds: int) -> tuple[float, int]:
    """Share of the intervals that hold the measured accuracy, and how many there were."""
    held = []
    for seed in range(worlds):
        rates, losses, measured = world(seed)
        found = METHODS[method]().fit(rates, RUNGS, DRAWS, losses=losses).forecast(TARGET)
        if found.verdict != "abstain":
            held.append(found.low - 1e-9 <= measured <= found.high + 1e-9)
    return float(np.mean(held)), len(held)


def main() -> None:
    """Print a line for each method: minutes for all, three of them for `cod`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--method", default=",".join(OURS), help="names with commas between")
    asked = parser.parse_args()
    print("method       inside  intervals")
    for method in asked.method.split(","):
        share, number = coverage(method, asked.worlds)
        print(f"{method:<12} {100 * share:4.1f} % {number:10d}", flush=True)


if __name__ == "__main__":
    main()
