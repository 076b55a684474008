"""Latent ability as a baseline (arXiv 2606.07616): see `views.irt`; its trend is a straight line.

With the log-log link that line is Eq. 4 without c and g for every question, its difficulty being
log a.
"""

from __future__ import annotations

import numpy as np

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines.scales import NoScoreError, Scores, whole
from cod_harness.engine.intervals import accuracy_variance
from cod_harness.engine.measurements import Measurements
from cod_harness.engine.verdicts import because, no_questions
from cod_harness.engine.views.irt import Abilities, Link, abilities, log_log


class AbilityScale:
    """Abilities of the rungs; an accuracy is the population's mean chance at an ability.

    Attributes after `scores`: abilities_, with the population of difficulties.
    """

    abilities_: Abilities

    def __init__(self, link: Link = log_log, recent: float = settings.RECENT) -> None:
        """recent: weight of each of the last three rungs in the line, the others having 1."""
        self.link = link
        self.recent = recent

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        alone = no_questions(ladder)
        if alone:
            raise NoScoreError(alone)
        found = abilities(ladder, accuracy_variance(ladder), self.link)
        if found is None:
            raise NoScoreError(because("always_answered"))
        self.abilities_ = found
        floor = settings.NOISE_FLOOR / settings.ABILITY_SLOPE
        sigma = np.sqrt(found.variance + floor**2)
        late = ladder.compute >= np.unique(ladder.compute)[-3]
        return whole(found.values, sigma / np.sqrt(np.where(late, self.recent, 1.0)))

    def accuracy(self, score: Floats) -> Floats:
        return self.abilities_.accuracy(score)
