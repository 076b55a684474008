"""A ladder of five rungs, an anchor and two targets, and pass rates on it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from cod_harness.ladder.manifest import Ladder, Model

RUNGS = ("r1", "r2", "r3", "r4", "r5")
QUESTIONS = 40


def made_ladder(rungs: tuple[str, ...] = RUNGS) -> Ladder:
    models = [
        Model(
            name, "rung", compute=10.0 ** (18 + place), params=1e6, tokens=1e9, loss=3 - place / 9
        )
        for place, name in enumerate(rungs)
    ]
    return Ladder(
        "made",
        tuple(models),
        (Model("anchor", "anchor"),),
        (Model("big", "target", compute=1e24), Model("huge", "target", compute=1e25)),
    )


def made_table(task: str = "t", questions: int = QUESTIONS) -> pd.DataFrame:
    """Rates that rise from rung to rung; the first quarter of the questions stays at zero."""
    parts = []
    for place, model in enumerate((*RUNGS, "anchor", "big")):
        correct = np.full(questions, 2 * place + 2)
        correct[: questions // 4] = 0
        parts.append(
            pd.DataFrame(
                {
                    "task": task,
                    "question": [f"q{number}" for number in range(questions)],
                    "model": model,
                    "n_correct": correct,
                    "n_samples": 20,
                    "filter": "strict",
                    "metric": "exact_match",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


class Seen(list[SimpleNamespace]):
    """The calls a method got, in order."""
