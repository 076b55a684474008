"""Checkpoints of a running training job, held against the forecast of where they should be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cod_harness.errors import InputError, did_you_mean
from cod_harness.evaluation.records.forecast import compute_name
from cod_harness.ladder.read_ladder import number

_COLUMNS = ("task", "compute", "accuracy")


@dataclass(frozen=True)
class Checkpoint:
    """One measured result of a job.

    Attributes:
        task: name of the benchmark.
        name: what the checkpoint is called, or its compute in words.
        compute: training compute so far, in FLOP.
        accuracy: in [0, 1].
    """

    task: str
    name: str
    compute: float
    accuracy: float


def read_checkpoints(path: str | os.PathLike[str], tasks: Sequence[str]) -> list[Checkpoint]:
    """The checkpoints in a CSV file: columns task, compute, accuracy and, if wanted, name.

    Args:
        path: the file.
        tasks: those that can be forecast.

    Raises:
        InputError: no such file, a missing column, an unknown task, or a value that is none.
    """
    place = Path(path)
    if not place.is_file():
        raise InputError(f"{place}: no such file; check the path of --observed")
    try:
        table = pd.read_csv(place, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{place}: not a readable CSV file: {reason}; correct it") from None
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise InputError(
            f"{place}: lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it needs "
            "task, compute (FLOP) and accuracy (0 to 1), and may have name"
        )
    if table.empty:
        raise InputError(f"{place}: has no rows; nothing was observed in it")
    found = []
    for row, cells in enumerate(table.to_dict("records"), start=1):
        where = f"{place}: row {row}"
        task = str(cells["task"])
        if task not in tasks:
            raise InputError(
                f"{where}: no task {task!r} in the pass rates; {', '.join(tasks)}"
                f"{did_you_mean(task, tasks)}"
            )
        compute = _value(where, "compute", str(cells["compute"]))
        if not compute > 0:
            raise InputError(f"{where}: compute is {compute:g}; give training FLOP, above 0")
        accuracy = _value(where, "accuracy", str(cells["accuracy"]))
        if not 0 <= accuracy <= 1:
            raise InputError(f"{where}: accuracy is {accuracy:g}; give a share between 0 and 1")
        name = str(cells.get("name") or compute_name(compute))
        found.append(Checkpoint(task, name, compute, accuracy))
    return found


def _value(where: str, column: str, text: str) -> float:
    try:
        return number(text)
    except ValueError as error:
        raise InputError(f"{where}: {column} {text!r}: {error}; correct it") from None
