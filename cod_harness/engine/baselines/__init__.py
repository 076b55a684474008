"""What COD is measured against: other ways to forecast a benchmark, each as its source has it.

All are a law over log compute, fitted to scores of the rungs; they differ in the law and in what
the score is.  All are fitted by the routine that fits COD's laws, with several starts, bounds,
COD's ridge penalty on steepness and the variance of sampling in the weights, and all have their
interval from `band`.
"""

from __future__ import annotations

from cod_harness.engine import settings
from cod_harness.engine.baselines.groups import GroupScale
from cod_harness.engine.baselines.latent import AbilityScale
from cod_harness.engine.baselines.laws import (
    BNSL,
    CONSTANT,
    LOGISTIC,
    POWER,
    POWER_TO_ZERO,
    STRAIGHT,
)
from cod_harness.engine.baselines.losses import FALLING, FALLING_TO_FLOOR, LossScale
from cod_harness.engine.baselines.scales import (
    AccuracyScale,
    LastRungScale,
    LogNegLogScale,
    NegLogScale,
)
from cod_harness.engine.baselines.trend import TrendForecaster
from cod_harness.engine.laws import EQ4, F3


def exp() -> TrendForecaster:
    """Eq. 4 of arXiv 2502.17262 on the whole benchmark's accuracy."""
    return TrendForecaster(EQ4, AccuracyScale(), penalty=EQ4.ridge_penalty(settings.B_SCALE))


def powerlaw() -> TrendForecaster:
    """Direct power law, y = exp(-a C^-b): f3 of arXiv 2502.17262, fitted to accuracy."""
    return TrendForecaster(F3, AccuracyScale())


def neglog() -> TrendForecaster:
    """The same curve fitted to -log y, as a power law that falls to 0 (arXiv 2512.08894)."""
    return TrendForecaster(POWER_TO_ZERO, NegLogScale())


def passrate() -> TrendForecaster:
    """The same curve fitted as a straight line in log(-log y) of the mean pass rate.

    So the report on GPT-4 (arXiv 2303.08774) and PassUntil (arXiv 2310.03262) read pass rates
    over scale: every order of magnitude of -log y counts alike.
    """
    return TrendForecaster(STRAIGHT, LogNegLogScale())


def bnsl() -> TrendForecaster:
    """Broken neural scaling law with one break, on the error rate (arXiv 2210.14891).

    Six parameters follow any short ladder: an error that stays has to be shown by the points, or
    one rung that falls makes the law stop there.
    """
    penalty = BNSL.ridge_penalty(settings.B_SCALE, rest=settings.NOISE_FLOOR)
    return TrendForecaster(BNSL, AccuracyScale(), penalty=penalty)


def logistic() -> TrendForecaster:
    """A logistic curve from 0 to 1 over log compute."""
    return TrendForecaster(LOGISTIC, AccuracyScale())


def irt() -> TrendForecaster:
    """Latent ability with a log-log link, straight in log compute (see `latent`)."""
    return TrendForecaster(STRAIGHT, AbilityScale())


def last() -> TrendForecaster:
    """What the largest rung has."""
    return TrendForecaster(CONSTANT, LastRungScale())


def loss() -> TrendForecaster:
    """A power law in the model's loss, then a logistic curve from loss to accuracy."""
    return TrendForecaster(POWER, LossScale(FALLING))


def two_step() -> TrendForecaster:
    """A power law in the task's loss, then a sigmoid with a floor (OLMo's ladders, 2412.04403)."""
    return TrendForecaster(POWER, LossScale(FALLING_TO_FLOOR, ideal=True))


def cod_kmeans() -> TrendForecaster:
    """COD without its map: Eq. 4 on each group that K-Means finds, added up."""
    return TrendForecaster(EQ4, GroupScale(), penalty=EQ4.ridge_penalty(settings.B_SCALE))
