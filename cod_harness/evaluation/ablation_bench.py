"""A recipe with one thing changed, tried on one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cod_harness.engine.methods import DEFAULT_METHOD, PAPER_METHOD
from cod_harness.evaluation.evidence import Evidence, Floats
from cod_harness.evaluation.records.ablation import Outcome, SubsetScore
from cod_harness.evaluation.records.base import codes, known, points_off, sentences
from cod_harness.evaluation.rolling import Hidden

if TYPE_CHECKING:
    from cod_harness.engine import COD
    from cod_harness.engine.arrays import Ints

BASES = (PAPER_METHOD, DEFAULT_METHOD)


@dataclass(frozen=True)
class Variant:
    """A recipe with one thing changed.

    Attributes:
        name: as in the paper's table.
        settings: parameters of `COD` that differ from the recipe's.
        clusterer: a name out of `engine.partitions.CLUSTERERS`; "" for the recipe's own.
        anchors: whether finished models of other families are used.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    clusterer: str = ""
    anchors: bool = True


class Bench:
    """Variants of a recipe on the evidence of one task; what two of them share is done once."""

    def __init__(self, evidence: Evidence, base: str) -> None:
        from cod_harness.engine import COD

        self.evidence, self.base = evidence, base
        self.recipe = {DEFAULT_METHOD: COD, PAPER_METHOD: COD.paper}[base]().get_params()
        if not self.recipe["trend"]:
            self.recipe["n_replicates"] = 0  # no table shows an interval, and no weight needs one
        self._labels: dict[str, Ints] = {}
        self._models: dict[str, COD] = {}

    def outcome(self, variant: Variant, hidden: Hidden, column: Floats) -> Outcome:
        """How one variant forecasts a hidden model, and what its clusters are like.

        column (n,) are the model's pass rates, for scoring alone.
        """
        from cod_harness.engine.baselines.partitions import mean_distance

        model = self._fitted(variant)
        forecast = model.forecast(hidden.compute)
        rates, labels = self.evidence.rates, model.labels_
        asked = (rates != 0).any(axis=1)
        predictable = model.classes_ == "predictable"
        subset = float(column[predictable].mean()) if predictable.any() else None
        share = known(forecast.subset.share)
        mean, whole = known(forecast.mean), known(forecast.subset.mean)
        return Outcome(
            task=self.evidence.task,
            target=hidden.model.name,
            role=hidden.role,
            compute=hidden.compute,
            variant=variant.name,
            verdict=forecast.verdict,
            reasons=sentences(forecast.reasons),
            codes=codes(forecast.reasons),
            forecast=mean,
            observed=hidden.observed,
            fe=points_off(mean, hidden.observed),
            subset=SubsetScore(forecast=whole, observed=subset, share=share),
            ee=points_off(whole, subset),
            tr=None if share is None else 100 * share,
            iad=known(mean_distance(rates, labels)),
            outliers=100 * float((labels[asked] < 0).mean()) if asked.any() else None,
            clusters=len(model.clusters_),
            map_rmse=known(model.mapping_.rmse),
            map_pieces=len(model.mapping_.knots) - 1,
        )

    def _fitted(self, variant: Variant) -> COD:
        from cod_harness.engine import COD

        settings = {**self.recipe, **variant.settings}
        key = repr((sorted(settings.items()), self._clusterer(variant), variant.anchors))
        if key not in self._models:
            evidence = self.evidence
            self._models[key] = COD(**settings).fit(
                evidence.rates,
                evidence.compute,
                evidence.n_samples,
                anchors=evidence.anchor_rates if variant.anchors and evidence.anchors else None,
                losses=evidence.losses,
                labels=self._clusters(variant),
            )
        return self._models[key]

    def _clusterer(self, variant: Variant) -> str:
        # No setting changes the published recipe's own clusters, so they are made once.
        own = "Improved-MeanShift" if self.base == PAPER_METHOD else ""
        return variant.clusterer or own

    def _clusters(self, variant: Variant) -> Ints | None:
        """Labels for `COD.fit`; None where the recipe clusters by itself."""
        from cod_harness.engine.baselines.partitions import CLUSTERERS, clustered

        name = self._clusterer(variant)
        if not name:
            return None
        if name not in self._labels:
            evidence = self.evidence
            self._labels[name] = clustered(
                CLUSTERERS[name],
                evidence.rates,
                evidence.compute,
                evidence.n_samples,
                evidence.anchor_rates if evidence.anchors else None,
            )
        return self._labels[name]
