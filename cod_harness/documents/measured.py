"""What a model really scored, out of the `results_*.json` that lm-eval writes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cod_harness.documents.register import RegisteredTask
from cod_harness.errors import InputError
from cod_harness.ladder.logs.results_file import REMEDY, named_results_file
from cod_harness.notes import Note, note

_SAMPLING = ("do_sample", "temperature", "top_p")


@dataclass(frozen=True, eq=False)
class Results:
    """One results file. date: when the evaluation began; None if it does not say."""

    path: Path
    content: Mapping[str, Any]
    date: datetime | None
    sha256: str

    @property
    def model(self) -> str | None:
        """The ladder entry that was measured, if the run was captured."""
        captured = self.content.get("cod") or {}
        return str(captured["rung"]) if "rung" in captured else None


@dataclass(frozen=True)
class Measured:
    """A measured accuracy in [0, 1]. kind: what it is; differs: why the forecast was of another
    quantity, '' if it was of this one."""

    value: float
    kind: str
    differs: str


def read_results(paths: Sequence[str | Path]) -> tuple[list[Results], list[Note]]:
    """The results files among some paths, oldest first; folders are searched.

    Returns:
        The files, and for each that is none, and is left out, what is wrong with it.

    Raises:
        InputError: a path is missing, or none of the files is a results file.
    """
    files: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(path.rglob("results_*.json"))
            if not inside:
                raise InputError(f"{path}: no results_*.json in this folder; {REMEDY}")
            files |= dict.fromkeys(inside)
        else:
            files[path] = None
    read, problems = [], []
    for path in files:
        try:
            read.append(_results(path))
        except InputError as problem:
            problems.append(str(problem))
    if not read:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    never = datetime.min.replace(tzinfo=timezone.utc)
    left = [note("results_unreadable", problem=problem) for problem in problems]
    return sorted(read, key=lambda one: (one.date or never, str(one.path))), left


def measured(results: Results, task: str, about: RegisteredTask) -> Measured | Note:
    """The accuracy on a task that a forecast was made for, or why there is none.

    Args:
        results: the file.
        task: name of the task.
        about: what the register says of the forecast's task (metric, filter, samples, ...).
    """
    scores = results.content["results"].get(task)
    if scores is None:
        return note("task_not_measured", results=results.path.name, task=task)
    key = f"{about.metric},{about.filter or 'none'}"
    captured = ((results.content.get("cod") or {}).get("tasks") or {}).get(task) or {}
    same = (captured.get("metric"), captured.get("filter")) == (about.metric, about.filter)
    if same and _fraction(captured.get("rate")):
        return Measured(float(captured["rate"]), "pass rate", _difference(results, task, about))
    if not about.metric:
        return note("metric_unknown", task=task)
    # Files of version 0.3 know no filters.
    value: Any = scores.get(key, scores.get(about.metric))
    if not _fraction(value):
        numbers = [name for name, one in scores.items() if "," in name and _fraction(one)]
        others = [name for name in numbers if "_stderr" not in name]
        return note(
            "metric_not_measured",
            results=results.path.name, task=task, metric=key, others=", ".join(others),
        )  # fmt: skip
    differs = _difference(results, task, about)
    if not about.samples:
        differs = (
            f"the forecast is of the mean probability of the right option, {key} is the share of "
            "questions where it is the likeliest" + (f"; {differs}" if differs else "")
        )
    return Measured(float(value), key, differs)


def _difference(results: Results, task: str, about: RegisteredTask) -> str:
    """What was run otherwise than on the ladder, as far as both sides tell."""
    content, run = results.content, about.run
    found = []
    pairs = [
        ("version", run.get("version"), (content.get("versions") or {}).get(task)),
        ("few-shot examples", run.get("num_fewshot"), (content.get("n-shot") or {}).get(task)),
    ]
    config = (content.get("configs") or {}).get(task) or {}
    wanted, used = run.get("generation_kwargs"), config.get("generation_kwargs") or {}
    if wanted and isinstance(wanted, Mapping) and isinstance(used, Mapping):
        pairs += [(key, wanted.get(key), used.get(key)) for key in _SAMPLING]
    count = (content.get("n-samples") or {}).get(task) or {}
    pairs.append(("questions", about.questions, count.get("effective")))
    for name, ladder, here in pairs:
        if ladder is not None and here is not None and ladder != here:
            found.append(f"{name} {here} here, {ladder} on the ladder")
    return "; ".join(found)


def _results(path: Path) -> Results:
    content = named_results_file(path)
    seconds = content.get("date")
    date = None
    if isinstance(seconds, (int, float)) and 0 < seconds < 1e11:
        date = datetime.fromtimestamp(seconds, timezone.utc)
    return Results(path, content, date, hashlib.sha256(path.read_bytes()).hexdigest())


def _fraction(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and 0 <= value <= 1
