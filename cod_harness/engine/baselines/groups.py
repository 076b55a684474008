"""COD without its map (5.2): K-Means groups, a law for each, their forecasts added up."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from cod_harness.engine import settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines.scales import AccuracyScale, NoScoreError, Scores
from cod_harness.engine.intervals import cluster_variance
from cod_harness.engine.measurements import Measurements
from cod_harness.engine.verdicts import no_questions

_SEED = 0


class GroupScale(AccuracyScale):
    """Accuracies of groups of questions with alike rows of pass rates; no question is left out."""

    def scores(self, ladder: Measurements, losses: Floats) -> Scores:
        alone = no_questions(ladder)
        if alone:
            raise NoScoreError(alone)
        rows = ladder.rates
        distinct = len(np.unique(rows, axis=0))
        k = max(1, min(settings.GROUPS, len(rows) // settings.GROUP_SIZE, distinct))
        labels = KMeans(k, n_init=3, random_state=_SEED).fit_predict(rows)
        groups = [labels == label for label in range(k)]
        values = np.array([rows[group].mean(axis=0) for group in groups])
        variance = np.array([cluster_variance(ladder, group) for group in groups])
        shares = np.array([group.mean() for group in groups])
        return Scores(values, np.sqrt(variance + settings.NOISE_FLOOR**2), shares)
