"""Simulated ladders with the compute of the paper's nine models (Table A4)."""

from __future__ import annotations

import numpy as np

FLOP_PER_TOKEN = np.array([1.535, 2.684, 4.275, 6.378, 9.060, 16.436, 54.761, 91.609, 475.131])
TOKENS = np.array([26, 45, 72, 108, 153, 277, 923, 1544, 8012.0])
COMPUTE = FLOP_PER_TOKEN * TOKENS * 1e18  # the last is the target
LADDER, TARGET = COMPUTE[:-1], float(COMPUTE[-1])

# a (C in 1e18 FLOP), b, c, g of kinds of questions, easy to hard.
KINDS = np.array(
    [
        [6.0, 0.55, 0.02, 0.0],
        [16.0, 0.50, 0.05, 0.0],
        [12.0, 0.35, 0.10, 0.1],
        [60.0, 0.50, 0.00, 0.0],
        [90.0, 0.45, 0.05, 0.05],
    ]
)


def law(parameters, compute):
    a, b, c, g = np.asarray(parameters).T[..., None]
    return g + (1 - g) * np.exp(-a * (np.asarray(compute) / 1e18) ** -b - c)


def simulated(seed, per_kind=120, draws=100, spread=0.1, kinds=KINDS):
    """rates (n, 9) on the eight rungs and the target; difficulty varies by ``spread`` in log a."""
    random = np.random.default_rng(seed)
    each = np.repeat(kinds, per_kind, axis=0)
    each[:, 0] *= np.exp(spread * random.normal(size=len(each)))
    exact = law(each, COMPUTE)
    return exact if draws == 0 else random.binomial(draws, exact) / draws


def smooth(seed, questions, rungs, draws):
    """rates (questions, rungs) of questions whose difficulty and steepness spread widely."""
    random = np.random.default_rng(seed)
    place = random.uniform(-0.3, 1.5, questions)[:, None]
    steepness = random.uniform(3, 12, questions)[:, None]
    exact = 1 / (1 + np.exp(-steepness * (np.linspace(0, 1, rungs) - place)))
    return random.binomial(draws, exact) / draws
