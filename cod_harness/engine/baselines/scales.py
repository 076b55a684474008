"""Scales on which a benchmark's accuracy is thought to follow a law.

A scale turns a ladder into scores, one a rung (or one a rung for each of several groups of
questions), with the standard deviation of each, and a score at the target back into an accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.intervals import accuracy_variance
from cod_harness.engine.measurements import Measurements, answers
from cod_harness.engine.verdicts import Reason

_IGNORED = 1e6  # standard deviation of a score that must not count


@dataclass(frozen=True)
class Scores:
    """What a law is fitted to.

    values, sigma (groups, m), sigma > 0; shares (groups,) of the questions, sum 1.
    """

    values: Floats
    sigma: Floats
    shares: Floats


class Scale(Protocol):
    """What `TrendForecaster` needs of a scale."""

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        """The ladder on the scale.

        losses (m,), NaN where unknown.  Raises `NoScoreError` where the ladder cannot be put on
        the scale.
        """

    def accuracy(self, score: Floats) -> Floats:
        """Accuracies in [0, 1] of scores of any shape, on the scale of the last `scores`."""


class NoScoreError(Exception):
    """A ladder has no scores; ``reason`` becomes that of an abstention."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class AccuracyScale:
    """Accuracy itself."""

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        sigma = np.sqrt(accuracy_variance(ladder) + settings.NOISE_FLOOR**2)
        return whole(ladder.rates.mean(axis=0), sigma)

    def accuracy(self, score: Floats) -> Floats:
        return np.asarray(np.clip(score, 0.0, 1.0))


class LastRungScale(AccuracyScale):
    """Accuracy, of which only that of the largest amount of compute counts."""

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        every = super().scores(ladder, losses)
        last = ladder.compute == ladder.compute[-1]
        return Scores(every.values, np.where(last, every.sigma, _IGNORED), every.shares)


class NegLogScale:
    """``-log accuracy``, the answer loss of the whole benchmark."""

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        accuracy = off_the_ends(ladder)
        sampling = accuracy_variance(ladder) / accuracy**2
        # The floor on a logarithm is that on accuracy times its slope at an accuracy of a half.
        return whole(-np.log(accuracy), np.sqrt(sampling + (settings.NOISE_FLOOR / 0.5) ** 2))

    def accuracy(self, score: Floats) -> Floats:
        return np.exp(-np.maximum(score, 0.0))


class LogNegLogScale:
    """``-log(-log accuracy)``: a power law in -log accuracy is straight on it."""

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        accuracy = off_the_ends(ladder)
        loss = -np.log(accuracy)
        sampling = accuracy_variance(ladder) / (accuracy * loss) ** 2
        floor = settings.NOISE_FLOOR / (0.5 * np.log(2.0))
        return whole(-np.log(loss), np.sqrt(sampling + floor**2))

    def accuracy(self, score: Floats) -> Floats:
        return np.exp(-np.exp(np.clip(-score, -700.0, 700.0)))


def whole(values: Floats, sigma: Floats) -> Scores:
    """Scores (m,) of the whole benchmark."""
    return Scores(values[None], sigma[None], np.ones(1))


def off_the_ends(ladder: Measurements) -> Floats:
    """Accuracies (m,) kept half an answer away from 0 and 1, where logarithms are taken."""
    half = 0.5 / answers(ladder)
    return np.asarray(np.clip(ladder.rates.mean(axis=0), half, 1.0 - half))
