"""What a forecast is for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cod_harness.errors import InputError
from cod_harness.evaluation.records.forecast import compute_name
from cod_harness.ladder.manifest import Ladder, Model


@dataclass(frozen=True)
class Target:
    """A model that may not exist yet.

    Attributes:
        name: its name in the ladder, or its compute in words.
        compute: its training compute in FLOP.
    """

    name: str
    compute: float


def chosen_targets(
    ladder: Ladder, names: Sequence[str] | None, compute: float | Sequence[float] | None
) -> list[Target]:
    """What to forecast: the ladder's targets, those named, or an amount of compute.

    Args:
        ladder: the ladder.
        names: names of targets of the ladder; all of them if None and no `compute` is given.
        compute: training compute in FLOP of one more target, or of several, named after it.

    Raises:
        InputError: there is none, a name is no target's, or the compute is no amount of FLOP.
    """
    aims: list[Target] = []
    if names is not None:
        for name in dict.fromkeys(names):
            model = ladder.find(name)
            if model.role != "target":
                raise InputError(
                    f"{ladder.path or ladder.name}: {name!r} is listed as {_article(model)}, not "
                    "as a target; move it to `targets:`, or give --compute FLOP"
                )
            aims.append(Target(name, _compute(model)))
    elif compute is None:
        aims = [Target(model.name, _compute(model)) for model in ladder.targets]
    if compute is None:
        compute = []
    for amount in [compute] if isinstance(compute, (int, float)) else compute:
        if not (math.isfinite(amount) and amount > 0):
            raise InputError(f"the compute {amount:g} is no amount of FLOP; write e.g. 3.8e24")
        aims.append(Target(compute_name(amount), amount))
    if not aims:
        raise InputError(
            f"{ladder.path or ladder.name}: has no targets; add some under `targets:` "
            "or give --compute FLOP"
        )
    return aims


def _article(model: Model) -> str:
    return f"an {model.role}" if model.role == "anchor" else f"a {model.role}"


def _compute(model: Model) -> float:
    if model.compute is None:
        raise InputError(f"the target {model.name!r} has no compute; give it params and tokens")
    return model.compute
