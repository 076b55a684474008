"""Draws in two stages: some for every question, then more where they narrow the forecast."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cod_harness.errors import InputError
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.ladder.draws import further_draws
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.read_passrates import read_passrates


def further_questions(
    folder: Path, ladder: Ladder, model: Model, task: str, options: CaptureOptions
) -> set[str]:
    """Names of the questions of a task that get `options.most` samples on a model.

    folder: the output folder of the first stage. Anchors, targets and tasks that are left out get
    no more. Raises InputError where a rung of the ladder has not had its first stage.
    """
    rungs = [rung for rung in ladder.rungs if rung.model is not None]
    if model not in rungs or (options.further_tasks and task not in options.further_tasks):
        return set()
    assert options.repeats is not None
    assert options.most is not None
    rates = read_passrates(folder, ladder) if passrate_files(folder) else None
    missing = [
        rung.name
        for rung in rungs
        if rates is None or task not in rates.tasks or rung.name not in rates.models(task)
    ]
    if rates is None or missing:
        raise InputError(
            f"--cod-further: {missing[0]} has no pass rates of {task} in {folder}; run the first "
            "stage (without --cod-further) on every rung"
        )
    table = rates.matrix(task, [rung.name for rung in rungs])
    compute = np.array([rung.compute for rung in rungs], dtype=float)
    chosen = further_draws(table.rates, compute, options.repeats, options.most)
    column = rungs.index(model)
    return {name for name, more in zip(table.questions, chosen[:, column], strict=True) if more}
