"""Do 90 % intervals hold 90 %?  Every method on made-up worlds that are as it takes them to be.

A world is a benchmark over seven rungs and a target some six times beyond the last.  Every model,
the target too, misses the trend by an effect of its own, common to its questions, and the trend
itself wanders from rung to rung, a walk that goes on to the target; effects and steps are
t-variables, as the intervals have them.  The measured accuracy of the target is then held against
the interval.

The trend is that of kinds of questions along Eq. 4, or, with --own, of the method itself: what it
makes of such a world is taken for the truth of another.  By default baselines get their own and
`cod` and `cod-paper` kinds of questions.  With --benchmarks 3, worlds are of several benchmarks
whose models are off together, and each is forecast with the others beside it.

    python benchmarks/coverage.py [--worlds 500] [--method cod,powerlaw] [--own | --kinds]
                                  [--benchmarks 3] [--walk 0.03]

Baselines take a walk of 0.05 for granted before they have seen a rung, `cod` one of about 0.04: by
default 0.05 and 0.03.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from cod_harness.engine import METHODS, settings
from cod_harness.engine.intervals import bernoulli_scale
from cod_harness.engine.measurements import measurements
from cod_harness.engine.methods import CLUSTERING, OURS
from cod_harness.engine.views.irt import benchmark_abilities
from cod_harness.engine.views.trend import Siblings

WORLDS = 500
RUNGS = np.geomspace(4e19, 4e22, 7)
TARGET = 6.0 * RUNGS[-1]
EVERY = np.append(RUNGS, TARGET)
DRAWS = 32
EFFECT, DEGREES = settings.BASELINE_RUNG_EFFECT, 6.0  # accuracy at a half: of a model alone
WALK = 0.03  # likewise, of the trend from one rung to the next
OWN_WALK = settings.BASELINE_DRIFT  # likewise, in worlds of a baseline's own law
TOGETHER = 0.5  # share of both, in variance, that a ladder's benchmarks have in common
QUESTIONS = 100

World = tuple[np.ndarray, np.ndarray, float]
"""Rates (n, 7) and losses (7,) of the rungs, and the accuracy of the target."""


def off(random: np.random.Generator, walk: float) -> np.ndarray:
    """By how much the models (8,) miss the trend, accuracy at a half."""
    effects = EFFECT * random.standard_t(DEGREES, size=len(EVERY))
    steps = np.diff(np.log(EVERY), prepend=np.log(EVERY[0])) / np.log(EVERY[1] / EVERY[0])
    walked = walk * np.sqrt(steps) * random.standard_t(DEGREES, size=len(EVERY))
    return effects + np.cumsum(walked)


def kinds(random: np.random.Generator) -> np.ndarray:
    """Chances (n, 8) of questions of four kinds along Eq. 4."""
    number, each, every = 4, QUESTIONS // 4, EVERY / 1e18
    b = random.uniform(0.25, 0.6, number)
    place = random.uniform(0.2, 1.1, number)  # where on the ladder, in log compute, half is solved
    half = np.exp(np.log(every[0]) + place * np.log(RUNGS[-1] / RUNGS[0]))
    a = 0.7 * half**b * np.exp(0.1 * random.normal(size=(each, number)))
    power = a.T.reshape(-1)[:, None] * every ** -np.repeat(b, each)[:, None]
    return np.exp(-power)


def measured(exact: np.ndarray, effects: np.ndarray, random: np.random.Generator) -> World:
    """The world of chances (n, 8) whose models are off by so much."""
    exact = np.clip(exact + effects * bernoulli_scale(exact), 0.0, 1.0)
    rates = random.binomial(DRAWS, exact) / DRAWS
    # A loss that says what compute says, and misses it likewise.
    losses = (1.5 + 3.0 * (EVERY / 1e18) ** -0.12) * (1 + 0.005 * random.normal(size=len(EVERY)))
    return rates[:, :-1], losses[:-1], float(rates[:, -1].mean())


def world(seed: int, walk: float) -> World:
    """One of kinds of questions."""
    random = np.random.default_rng(seed)
    exact = kinds(random)
    return measured(exact, off(random, walk), random)


def own_world(method: str, seed: int, walk: float) -> World | None:
    """One whose accuracy follows what the method makes of `world`; None where it abstains."""
    rates, losses, _ = world(seed, walk)
    model = METHODS[method]()
    model.n_replicates = 0  # type: ignore[attr-defined]  # its middle is all that is asked for
    model.fit(rates, RUNGS, DRAWS, losses=losses)
    truth = np.array([model.forecast(compute).mean for compute in EVERY])
    if np.isnan(truth).any():
        return None
    random = np.random.default_rng([seed, 1])
    difficulty = random.normal(size=QUESTIONS)[:, None]
    low, high = np.full(len(EVERY), -40.0), np.full(len(EVERY), 40.0)
    for _ in range(60):  # the abilities at which the questions' mean is the truth
        middle = 0.5 * (low + high)
        above = (1.0 / (1.0 + np.exp(difficulty - middle))).mean(axis=0) > truth
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return measured(1.0 / (1.0 + np.exp(difficulty - low)), off(random, walk), random)


def joint_world(seed: int, benchmarks: int, walk: float) -> list[World]:
    """Benchmarks of one ladder, whose models are off together in part."""
    random = np.random.default_rng([seed, 2])
    common = np.sqrt(TOGETHER) * off(random, walk)
    return [
        measured(kinds(random), common + np.sqrt(1.0 - TOGETHER) * off(random, walk), random)
        for _ in range(benchmarks)
    ]


def together(method: str, seed: int, benchmarks: int, walk: float) -> Iterator[bool]:
    """Whether each benchmark's interval holds, forecast with the others beside it."""
    worlds = joint_world(seed, benchmarks, walk)
    known = [benchmark_abilities(measurements(rates, RUNGS, DRAWS, None)) for rates, _, _ in worlds]
    for place, (rates, losses, seen) in enumerate(worlds):
        others = [one for at, one in enumerate(known) if at != place]
        beside = Siblings(
            np.array([one.values for one in others]), np.array([one.variance for one in others])
        )
        model = METHODS[method]()
        model.fit(rates, RUNGS, DRAWS, losses=losses, siblings=beside)  # type: ignore[call-arg]
        yield from held(model.forecast(TARGET), seen)


def alone(method: str, given: World | None, refits: int | None) -> Iterator[bool]:
    """Whether the interval holds in one world; nothing where there is none."""
    if given is not None:
        rates, losses, seen = given
        model = METHODS[method]()
        if refits is not None:
            model.n_replicates = refits  # type: ignore[attr-defined]
        yield from held(model.fit(rates, RUNGS, DRAWS, losses=losses).forecast(TARGET), seen)


def held(found: object, seen: float) -> Iterator[bool]:
    if found.verdict != "abstain":  # type: ignore[attr-defined]
        yield found.low - 1e-9 <= seen <= found.high + 1e-9  # type: ignore[attr-defined]


def coverage(worlds: int, tried: Callable[[int], Iterator[bool]]) -> tuple[float, int]:
    """Share of the intervals that hold the measured accuracy, and how many there were."""
    found = [one for seed in range(worlds) for one in tried(seed)]
    return float(np.mean(found)) if found else np.nan, len(found)


def way(
    method: str,
    own: bool | None = None,
    walk: float | None = None,
    benchmarks: int = 1,
    refits: int | None = None,
) -> Callable[[int], Iterator[bool]]:
    """What is tried with each seed; None where the method decides.

    refits: of `cod`'s clusters; fifty tell their spread well enough, in half the time.
    """
    if own is None:
        own = method not in CLUSTERING and benchmarks == 1
    walked = walk if walk is not None else OWN_WALK if own else WALK
    if benchmarks > 1:
        return lambda seed: together(method, seed, benchmarks, walked)
    if own:
        return lambda seed: alone(method, own_world(method, seed, walked), refits)
    return lambda seed: alone(method, world(seed, walked), refits)


def main() -> None:
    """Print a line for each method: minutes for all, ten of them for `cod`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--method", default=",".join(OURS), help="names with commas between")
    worlds = parser.add_mutually_exclusive_group()
    worlds.add_argument(
        "--own", action="store_true", default=None, help="worlds of the method's own law"
    )
    worlds.add_argument(
        "--kinds", action="store_false", dest="own", help="worlds of kinds of questions"
    )
    parser.add_argument("--walk", type=float, help="accuracy at a half, from a rung on")
    parser.add_argument("--benchmarks", type=int, default=1, help="of a ladder; of cod alone")
    asked = parser.parse_args()
    print("method       inside  intervals")
    for method in asked.method.split(","):
        share, number = coverage(asked.worlds, way(method, asked.own, asked.walk, asked.benchmarks))
        print(f"{method:<12} {100 * share:4.1f} % {number:10d}", flush=True)


if __name__ == "__main__":
    main()
