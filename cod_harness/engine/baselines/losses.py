"""Accuracy by way of a loss: compute to loss, then loss to accuracy.

The second step is fitted to the ladder's own (loss, accuracy) points, one a rung.
"""

from __future__ import annotations

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines.laws import SigmoidLaw
from cod_harness.engine.baselines.scales import NoScoreError, Scores, whole
from cod_harness.engine.fitting import fit
from cod_harness.engine.intervals import accuracy_variance
from cod_harness.engine.measurements import Measurements
from cod_harness.engine.verdicts import because

# From loss to accuracy, both falling.  The first runs from 1 to 0; the second has a floor and a
# ceiling of its own, as the multiple-choice tasks need for which it was made.
FALLING = SigmoidLaw("falling", ("d", "b"), sign=-1)
FALLING_TO_FLOOR = SigmoidLaw("falling-to-floor", ("d", "b", "low", "high"), sign=-1)


class LossScale:
    """Losses of the rungs.

    step: the law from loss to accuracy.  ideal: whether a loss of 0 is held to mean an accuracy of
    1, as one more point of the second step.
    """

    def __init__(self, step: SigmoidLaw = FALLING, ideal: bool = False) -> None:
        self.step = step
        self.ideal = ideal

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        unknown = np.flatnonzero(~(losses > 0))
        if len(unknown):
            missing = because("no_losses", unknown=len(unknown), rungs=len(losses))
            raise NoScoreError(missing)
        accuracy = ladder.rates.mean(axis=0)
        self.learn(losses, accuracy, np.sqrt(accuracy_variance(ladder) + settings.NOISE_FLOOR**2))
        return whole(losses, settings.LOSS_NOISE * losses)

    def learn(self, losses: Floats, accuracy: Floats, sigma: Floats) -> None:
        """Fit the second step to (loss, accuracy) points (m,) with standard deviations (m,)."""
        if self.ideal:
            losses, accuracy = np.append(losses, 0.0), np.append(accuracy, 1.0)
            sigma = np.append(sigma, settings.NOISE_FLOOR)
        self.middle_ = float(losses.mean())
        found = fit(self.step, losses - self.middle_, accuracy[None], sigma[None])
        self.theta_ = found.theta[0]

    def accuracy(self, score: Floats) -> Floats:
        flat = np.asarray(score, dtype=np.float64).ravel() - self.middle_
        curve = self.step.curve(self.theta_[None], flat)[0]
        return np.asarray(curve.reshape(np.shape(score)))
