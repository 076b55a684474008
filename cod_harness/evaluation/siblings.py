"""The benchmarks of one ladder beside each other: each forecast may learn from all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cod_harness.evaluation.evidence import Evidence
from cod_harness.evaluation.rolling import Origin


def beside_each_other(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence on some tasks, each with the abilities of its rungs on all the others.

    All must be made for one purpose: no rung of one may be hidden from another.
    """
    from cod_harness.engine.measurements import measurements
    from cod_harness.engine.views.irt import benchmark_abilities
    from cod_harness.engine.views.trend import Siblings

    usable = [one for one in evidence if not one.problem]
    if len(usable) < 2:
        return list(evidence)
    known: list[Mapping[str, tuple[float, float]]] = []
    for one in usable:
        ladder = measurements(one.rates, one.compute, one.n_samples, None)
        found = benchmark_abilities(ladder)
        pairs = zip(ladder.as_given(found.values), ladder.as_given(found.variance), strict=True)
        known.append(dict(zip((rung.name for rung in one.rungs), pairs, strict=True)))
    own = {one.task: abilities for one, abilities in zip(usable, known, strict=True)}
    nothing = (np.nan, np.nan)
    every: list[Evidence] = []
    for one in evidence:
        if not one.problem:
            rows = np.array(
                [
                    [abilities.get(rung.name, nothing) for rung in one.rungs]
                    for other, abilities in zip(usable, known, strict=True)
                    if other is not one
                ]
            )
            mine = np.array([own[one.task][rung.name] for rung in one.rungs])
            one = replace(one, siblings=Siblings(rows[..., 0], rows[..., 1]), abilities=mine)
        every.append(one)
    return every


def origins_beside_each_other(origins: Sequence[Origin]) -> list[Origin]:
    """Origins of several tasks, those that hide the same compute beside each other."""
    alike: dict[tuple[str, float], list[int]] = {}
    for place, origin in enumerate(origins):
        first = origin.hidden[0]
        # Measured targets are forecast from all rungs, rungs from those of less compute.
        compute = 0.0 if first.role == "target" else first.compute
        alike.setdefault((first.role, compute), []).append(place)
    every = list(origins)
    for places in alike.values():
        beside = beside_each_other([origins[place].evidence for place in places])
        for place, evidence in zip(places, beside, strict=True):
            every[place] = replace(origins[place], evidence=evidence)
    return every
