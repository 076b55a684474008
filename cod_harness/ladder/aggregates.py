"""Accuracies without questions: what the harness's `results_*.json` hold on their own.

They know neither questions nor repeats, so that they serve forecasts of a benchmark as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from cod_harness.errors import InputError
from cod_harness.ladder.logs.results_file import read_results_file
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.newest import newest
from cod_harness.ladder.rate_table import read_columns

_REMEDY = "name a results_*.json that lm-eval wrote, or its folder"


@dataclass(frozen=True)
class Aggregate:
    """One accuracy of one model.

    Attributes:
        task: name of the task or group.
        model: name of the ladder entry.
        filter: lm-eval filter; "" where the file's version had none.
        metric: lm-eval metric.
        accuracy: in [0, 1].
        stderr: its standard error; NaN if unknown.
        n: questions behind it; None where that cannot be told.
        path: the file.
        date: when it was measured, as a number that sorts by time.
    """

    task: str
    model: str
    filter: str
    metric: str
    accuracy: float
    stderr: float
    n: int | None
    path: Path
    date: float = 0.0


@dataclass(frozen=True)
class Aggregates:
    """Accuracies of several models; `notes` say which files and values were not used."""

    values: tuple[Aggregate, ...]
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> list[str]:
        """Names of tasks and groups, sorted."""
        return sorted({one.task for one in self.values})

    def of(self, task: str, metric: str, filter: str = "") -> list[Aggregate]:
        """The accuracies of each model on a task by one metric; of any filter, unless it is named.

        A file of an old version names no filter, and stands for all.
        """
        return [
            one
            for one in self.values
            if (one.task, one.metric) == (task, metric) and filter in ("", one.filter or filter)
        ]


def read_aggregates(paths: Iterable[Path], entry: Callable[[Sequence[str]], str]) -> Aggregates:
    """The accuracies in results files of any version since 0.3; folders are searched.

    Of several of one model, task, filter and metric the newest counts.

    Args:
        paths: files and folders.
        entry: the ladder entry of a model by what it may be called, best first. Its InputError is
            noted, and the file left out.

    Raises:
        InputError: a path is missing, is no results file, or holds none.
    """
    found: list[Aggregate] = []
    notes: list[str] = []
    for path in _files(paths):
        content = _content(path)
        try:
            model = entry(_names(content, path))
        except InputError as refusal:
            notes.append(f"{path}: not used: {refusal}")
            continue
        found += _values(content, model, path)
    return _newest(found, notes)


def ladder_aggregates(ladder: Ladder) -> Aggregates:
    """The accuracies in the files that the ladder names under `results:`.

    Raises:
        InputError: as `read_aggregates`.
    """
    found: list[Aggregate] = []
    for model in ladder.models:
        for path in _files(model.results):
            found += _values(_content(path), model.name, path)
    return _newest(found, [])


def aggregate_table(path: Path) -> Aggregates:
    """The accuracies in a `.csv` or `.parquet` with the columns task, model, accuracy.

    stderr, n, filter and metric are read where they are there; empty cells are unknown.

    Raises:
        InputError: naming file, row and column.
    """
    frame = read_columns(path)
    frame = frame.astype(object).where(frame.notna(), "")
    missing = [name for name in ("task", "model", "accuracy") if name not in frame]
    if missing:
        raise InputError(
            f"{path}: lacks the column {missing[0]}; a table of accuracies has task, model, "
            "accuracy and, where known, stderr and n"
        )
    found = []
    for row, cells in enumerate(frame.to_dict("records"), start=1):
        where = f"{path}: row {row}"
        accuracy = _cell(cells, "accuracy", where)
        stderr, n = _cell(cells, "stderr", where), _cell(cells, "n", where)
        if not 0 <= accuracy <= 1:
            raise InputError(f"{where}: accuracy is {cells['accuracy']!r}; it lies in 0 to 1")
        if stderr < 0 or n < 1 or (n % 1) > 0:
            name = "stderr" if stderr < 0 else "n"
            raise InputError(f"{where}: {name} is {cells[name]!r}; correct it or leave it empty")
        found.append(
            Aggregate(
                task=_name(cells, "task", where),
                model=_name(cells, "model", where),
                filter=str(cells.get("filter") or ""),
                metric=str(cells.get("metric") or ""),
                accuracy=accuracy,
                stderr=stderr,
                n=questions_behind(accuracy, stderr) if math.isnan(n) else int(n),
                path=path,
            )
        )
    keys = [(one.task, one.model, one.filter, one.metric) for one in found]
    for row, key in enumerate(keys, start=1):
        first = keys.index(key) + 1
        if first != row:
            raise InputError(f"{path}: row {row}: {key[0]} on {key[1]} is row {first} too")
    return Aggregates(tuple(found))


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


def questions_behind(accuracy: float, stderr: float) -> int | None:
    """How many questions a mean of 0s and 1s and its standard error are of.

    The harness's standard error is sqrt(p (1 - p) / (n - 1)). None where it tells nothing: at 0
    and at 1 it is 0 whatever n is.
    """
    if not (0 < accuracy < 1 and stderr > 0):
        return None
    return round(accuracy * (1 - accuracy) / stderr**2) + 1


def _newest(found: Sequence[Aggregate], notes: Sequence[str]) -> Aggregates:
    kept, replaced = newest(
        (((one.task, one.model, one.filter, one.metric), one) for one in found),
        date=lambda one: (one.date, str(one.path)),
    )
    stale = {(one.stale.path, one.newer.path) for one in replaced}
    told = [f"{old}: not used where {new.name} is newer" for old, new in sorted(stale)]
    return Aggregates(tuple(kept.values()), (*notes, *told))


def _files(paths: Iterable[Path]) -> list[Path]:
    files: dict[Path, None] = {}
    for path in paths:
        inside = sorted(path.rglob("results*.json")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no results_*.json in this folder; {_REMEDY}")
        files |= dict.fromkeys(inside)
    return list(files)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = read_results_file(path)
    except InputError as problem:
        raise InputError(f"{path}: {problem}; {_REMEDY}") from None
    if "results" not in content:
        raise InputError(f"{path}: has no `results`; {_REMEDY}")
    return content


def _names(content: Mapping[str, Any], path: Path) -> list[str]:
    """What the model may be called, best first."""
    config = content.get("config")
    args = config.get("model_args") if isinstance(config, Mapping) else None
    if isinstance(args, str):
        args = dict(part.split("=", 1) for part in args.split(",") if "=" in part)
    told = args.get("pretrained") if isinstance(args, Mapping) else None
    # The harness names the folder after the model, each `/` written as `__`.
    known = [told, content.get("model_name"), path.parent.name.replace("__", "/")]
    return [str(name) for name in dict.fromkeys(known) if name]


def _values(content: Mapping[str, Any], model: str, path: Path) -> list[Aggregate]:
    date = content.get("date")
    counts = content.get("n-samples") or {}
    found = []
    for task, scores in content["results"].items():
        for key, value in scores.items() if isinstance(scores, Mapping) else ():
            metric, _, name = str(key).partition(",")
            if metric.endswith("_stderr") or not _number(value) or not 0 <= value <= 1:
                continue
            told = scores.get(f"{metric}_stderr,{name}" if name else f"{metric}_stderr")
            stderr = float(told) if _number(told) else math.nan
            count = (counts.get(task) or {}).get("effective")
            found.append(
                Aggregate(
                    task=str(task),
                    model=model,
                    filter=name,
                    metric=metric,
                    accuracy=float(value),
                    stderr=stderr,
                    n=int(count) if _number(count) else questions_behind(float(value), stderr),
                    path=path,
                    date=float(date) if _number(date) else 0.0,
                )
            )
    return found


def _number(value: Any) -> TypeGuard[float]:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and math.isfinite(value)
