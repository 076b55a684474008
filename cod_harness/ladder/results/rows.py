"""The accuracy of a whole benchmark as a row of pass rates, and tables of such accuracies."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.metrics import ACCURACIES
from cod_harness.ladder.rate_table import WHOLE

LOG_COLUMNS = ("run", "metric", "value")  # of a log of metrics
ACCURACY_COLUMNS = ("accuracy", "stderr", "n")  # of a table of accuracies, beside task and model


MOST = 10**9  # questions that any benchmark may have


def questions_behind(accuracy: float, stderr: float | None) -> int | None:
    """How many questions a mean of 0s and 1s and its standard error are of.

    The harness's standard error is sqrt(p (1 - p) / (n - 1)). None where it tells nothing: at 0
    and at 1 it is 0 whatever n is.
    """
    # Errors smaller than of MOST questions, or beyond 1, are no standard errors of accuracies.
    if stderr is None or not (0 < accuracy < 1 and 0 < stderr <= 1):
        return None
    if not stderr**2 * MOST > accuracy * (1 - accuracy):
        return None
    return max(1, round(accuracy * (1 - accuracy) / stderr**2) + 1)


def accuracy_rows(table: pd.DataFrame) -> pd.DataFrame:
    """A table of accuracies as pass rates of one question each, `rate_table.WHOLE`.

    table: task, model, accuracy, stderr, n, and what other columns of pass rates it has. The
    draws behind a rate are as many as its standard error tells, else n, else as behind the task's
    other rows; 0 where nothing tells.
    """
    told = [
        questions_behind(accuracy, stderr) or n
        for accuracy, stderr, n in zip(table["accuracy"], table["stderr"], table["n"], strict=True)
    ]
    known = pd.Series(told, index=table.index, dtype=float)
    others = known.groupby(table["task"]).transform("median")
    draws = known.fillna(others).fillna(0.0).round()
    rows = table.drop(columns=list(ACCURACY_COLUMNS))
    accuracy = table["accuracy"].astype(float)
    return rows.assign(
        question=WHOLE, n_samples=draws.astype("int64"), n_correct=accuracy * draws, rate=accuracy
    )


def holds_accuracies(columns: Iterable[Hashable]) -> bool:
    """Whether a table of these columns has accuracies of whole benchmarks instead of pass rates of
    questions."""
    names = set(columns)
    return ("accuracy" in names and "question" not in names) or set(LOG_COLUMNS) <= names


def checked_accuracies(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Pass rates (see `accuracy_rows`) out of a table with the columns task, model, accuracy.

    stderr, n, filter and metric are read where they are there; empty cells are unknown: n then
    follows from the standard error, else from the task's other rows. Of a log of metrics, a table
    with run, metric and value, the accuracies are taken: metrics whose name ends in that of one
    (`metrics.ACCURACIES`).

    Raises:
        InputError: naming table, row and column.
    """
    if "accuracy" not in table and set(LOG_COLUMNS) <= set(table):
        table = _logged(table, where)
    frame = table.astype(object).where(table.notna(), "")
    missing = [name for name in ("task", "model", "accuracy") if name not in frame]
    if missing:
        raise InputError(
            f"{where}: lacks the column {missing[0]}; a table of accuracies has task, model, "
            "accuracy and, where known, stderr and n"
        )
    rows = [
        _row(cells, f"{where}: row {number}")
        for number, cells in enumerate(frame.to_dict("records"), start=1)
    ]
    if not rows:
        raise InputError(f"{where}: has no rows; nothing was measured in it")
    found = pd.DataFrame(rows)
    keys = list(found[["task", "model", "checkpoint"]].itertuples(index=False, name=None))
    for number, key in enumerate(keys, start=1):
        first = keys.index(key) + 1
        if first != number:
            raise InputError(f"{where}: row {number}: {key[0]} on {key[1]} is row {first} too")
    return accuracy_rows(found)


def _logged(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The accuracies in a log, where `some/arc_easy_acc` is the metric acc of arc_easy."""
    ends = "|".join(map(re.escape, sorted(ACCURACIES, key=len, reverse=True)))
    names = table["metric"].astype(str).str.extract(rf"^(?:.*/)?(.+?)[_/](?:({ends}))$")
    found = names.notna().all(axis=1)
    if not found.any():
        raise InputError(
            f"{where}: none of its metrics ends in the name of an accuracy "
            f"({', '.join(ACCURACIES)}); give a table of task, model, accuracy"
        )
    return pd.DataFrame(
        {
            "task": names[0][found],
            "model": table["run"][found],
            "metric": names[1][found],
            "accuracy": table["value"][found],
        }
    ).reset_index(drop=True)


def _row(cells: Mapping[Hashable, Any], where: str) -> dict[str, Any]:
    accuracy = _cell(cells, "accuracy", where)
    stderr, n = _cell(cells, "stderr", where), _cell(cells, "n", where)
    if not 0 <= accuracy <= 1:
        raise InputError(f"{where}: accuracy is {cells['accuracy']!r}; it lies in 0 to 1")
    if stderr < 0 or n < 1 or n > MOST or (n % 1) > 0:
        name = "stderr" if stderr < 0 else "n"
        raise InputError(f"{where}: {name} is {cells[name]!r}; correct it or leave it empty")
    known = questions_behind(accuracy, stderr) if math.isnan(n) else int(n)
    return {
        "task": _name(cells, "task", where),
        "model": _name(cells, "model", where),
        **{name: str(cells.get(name) or "") for name in ("checkpoint", "filter", "metric")},
        "accuracy": accuracy,
        "stderr": None if math.isnan(stderr) else stderr,
        "n": math.nan if known is None else float(known),
    }


def _name(cells: Mapping[Hashable, Any], column: str, where: str) -> str:
    text = str(cells[column] or "").strip()
    if not text:
        raise InputError(f"{where}: {column} is empty; name it")
    return text


def _cell(cells: Mapping[Hashable, Any], column: str, where: str) -> float:
    """A number; NaN where the cell is empty or the column is not there."""
    value = cells.get(column)
    try:
        return math.nan if value in (None, "") else float(str(value))
    except ValueError:
        raise InputError(f"{where}: {column} is {value!r}, not a number; correct it") from None
