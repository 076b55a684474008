"""Accuracies out of results files: one measurement a task and model, as rows of pass rates."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.metrics import Pipeline, chosen
from cod_harness.ladder.newest import newest
from cod_harness.ladder.rate_table import checked
from cod_harness.ladder.results.files import ResultsFile, is_number, results_files
from cod_harness.ladder.results.matching import Whose, matched
from cod_harness.ladder.results.rows import MOST, accuracy_rows, questions_behind
from cod_harness.ladder.store import Settings
from cod_harness.notes import Note, note

Choices = Mapping[str, tuple[str, str]]
"""Task, in which `*` stands for anything -> (filter, metric) that counts."""

_SHOWN = 6


@dataclass(frozen=True)
class Aggregate:
    """One accuracy of one model.

    Attributes:
        task: name of the task or group.
        whose: the ladder entry.
        filter: lm-eval filter; "" where the file's version had none.
        metric: lm-eval metric.
        accuracy: in [0, 1].
        stderr: its standard error; None if unknown.
        questions: their number; None where that cannot be told.
        shots: few-shot examples; None if unknown.
        file: the file.
    """

    task: str
    whose: Whose
    filter: str
    metric: str
    accuracy: float
    stderr: float | None
    questions: int | None
    shots: int | None
    file: ResultsFile


@dataclass(frozen=True, eq=False)
class Accuracies:
    """Rows of pass rates, a whole benchmark's accuracy each, the runs behind them, and notes.

    groups: group -> tasks, as the files have them.
    """

    frame: pd.DataFrame
    runs: list[Settings]
    notes: list[Note]
    groups: Mapping[str, Sequence[str]]


def results_accuracies(
    files: Sequence[ResultsFile],
    ladder: Ladder,
    pattern: str | None = None,
    choices: Choices | None = None,
) -> Accuracies:
    """The accuracies in some files, and in those that the ladder names under `results:`.

    Of several checkpoints of one model the last counts, unless the ladder's entries say which they
    mean; of several runs the newest, and one of all questions before one of a part. A task that the
    models were asked with several numbers of few-shot examples is as many tasks, `TASK@5-shot`.

    Args:
        files: results files.
        ladder: whose models they are of.
        pattern: see `matching.matched`.
        choices: what counts as correct where the files offer several metrics.

    Raises:
        InputError: see `matching.matched`; a file that the ladder names cannot be read.
    """
    named = {one: Whose(name) for name, one in _of_the_ladder(ladder)}
    places = {os.path.realpath(one.path) for one in named}
    rest = [one for one in files if os.path.realpath(one.path) not in places]
    found, notes = matched(rest, ladder, pattern) if rest else ({}, [])
    whose, told = _last_checkpoints({**named, **found})
    notes += told
    values: list[Aggregate] = []
    unused: dict[str, str] = {}
    groups: dict[str, Sequence[str]] = {}
    for one, model in whose.items():
        some, left = _values(one, model, choices or {})
        values += some
        unused |= left
        groups |= _groups(one)
    measured = {one.task for one in values}
    notes += _no_accuracy({task: why for task, why in unused.items() if task not in measured})
    values, told = _newest(values)
    notes += told
    values, told = _by_shots(values)
    notes += told
    return Accuracies(_frame(values), _runs(values, ladder.name), notes, groups)


def _of_the_ladder(ladder: Ladder) -> Iterator[tuple[str, ResultsFile]]:
    for model in ladder.models:
        for one in results_files(model.results):
            yield model.name, one


def _last_checkpoints(
    whose: Mapping[ResultsFile, Whose],
) -> tuple[dict[ResultsFile, Whose], list[Note]]:
    """Without the earlier checkpoints of entries that do not say which they mean.

    Runs of different numbers of few-shot examples are looked at apart: a model's checkpoints may
    have been evaluated more often in one way than in another.
    """
    many: dict[tuple[str, str, Any], list[ResultsFile]] = {}
    for one, model in whose.items():
        if not model.exact:
            key = (model.model, model.checkpoint, one.config.get("num_fewshot"))
            many.setdefault(key, []).append(one)
    stale: set[ResultsFile] = set()
    last: dict[str, str] = {}
    for (name, _, _), some in many.items():
        steps = {one.step for one in some}
        if len(steps) > 1:
            kept = max(some, key=lambda one: one.step)
            stale |= {one for one in some if one.step < kept.step}
            last[name] = kept.revision or "the one without a revision"
    kept_files = {one: model for one, model in whose.items() if one not in stale}
    if not stale:
        return kept_files, []
    same = set(last.values())
    which = f"{same.pop()} of each" if len(same) == 1 else _listed(last)
    return kept_files, [note("last_checkpoint", which=which, files=len(stale))]


def _listed(pairs: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {text}" for name, text in pairs.items())


def _values(
    one: ResultsFile, whose: Whose, choices: Choices
) -> tuple[list[Aggregate], dict[str, str]]:
    """The accuracies in a file, and by task what it has where that is none."""
    found = []
    unused: dict[str, str] = {}
    counts = one.content.get("n-samples")
    counts = counts if isinstance(counts, Mapping) else {}
    for task, scores in one.content["results"].items():
        numbers = {
            str(key): float(value)
            for key, value in scores.items()
            if is_number(value) and "_stderr" not in str(key)
        }
        numbers.pop("sample_len", None)
        if not numbers:
            continue  # the heading of a group that has no score of its own
        try:
            filter_name, metric = _correct(str(task), numbers, choices)
        except InputError:
            unused[str(task)] = ", ".join(dict.fromkeys(key.split(",")[0] for key in numbers))
            continue
        key = f"{metric},{filter_name}" if filter_name else metric
        accuracy = numbers[key]
        if not 0 <= accuracy <= 1:
            unused[str(task)] = f"{key} of {accuracy:g}"
            continue
        told = scores.get(f"{metric}_stderr,{filter_name}" if filter_name else f"{metric}_stderr")
        stderr = float(told) if is_number(told) and told > 0 else None
        count = counts.get(task)
        count = count.get("effective") if isinstance(count, Mapping) else None
        found.append(
            Aggregate(
                task=str(task),
                whose=whose,
                filter=filter_name,
                metric=metric,
                accuracy=accuracy,
                stderr=stderr,
                questions=int(count)
                if is_number(count) and 1 <= count <= MOST
                else questions_behind(accuracy, stderr),
                shots=_shots(one, str(task)),
                file=one,
            )
        )
    return found, unused


def _correct(task: str, numbers: Mapping[str, float], choices: Choices) -> tuple[str, str]:
    """The (filter, metric) that counts: the user's choice, else as a run of ours would choose."""
    offered: dict[str, list[str]] = {}
    for key in numbers:
        metric, _, filter_name = key.partition(",")
        offered.setdefault(metric, []).append(filter_name)
    for pattern, (filter_name, metric) in choices.items():
        if fnmatchcase(task, pattern):
            # Files of version 0.3 have no filters; whichever is asked for, they have the one.
            found = [name for name in offered.get(metric, []) if name in (filter_name, "")]
            if not found:
                raise InputError(f"task {task}: no {metric},{filter_name} in its results")
            return found[0], metric
    filters = list(dict.fromkeys(name for names in offered.values() for name in names))
    correct = chosen(task, [Pipeline(name, False) for name in filters], offered)
    has = offered[correct.metric]
    return (correct.filter if correct.filter in has else has[0]), correct.metric


def _shots(one: ResultsFile, task: str) -> int | None:
    configs = one.content.get("configs")
    config = configs.get(task) if isinstance(configs, Mapping) else None
    shots = one.content.get("n-shot")
    for told in (
        shots.get(task) if isinstance(shots, Mapping) else None,
        config.get("num_fewshot") if isinstance(config, Mapping) else None,
        one.config.get("num_fewshot"),
    ):
        if is_number(told):
            return int(told)
    return None


def _groups(one: ResultsFile) -> dict[str, Sequence[str]]:
    found = one.content.get("group_subtasks")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): tasks for name, tasks in found.items() if isinstance(tasks, list) and tasks}


def _no_accuracy(unused: Mapping[str, str]) -> list[Note]:
    """Notes on tasks without an accuracy, those of the same metrics together."""
    alike: dict[str, list[str]] = {}
    for task, why in sorted(unused.items()):
        alike.setdefault(why, []).append(task)
    return [note("no_accuracy", tasks=_few(tasks), scores=why) for why, tasks in alike.items()]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _newest(values: Sequence[Aggregate]) -> tuple[list[Aggregate], list[Note]]:
    kept, replaced = newest(
        (((one.task, one.shots, one.whose), one) for one in values),
        date=lambda one: (not one.file.limited, one.file.date, str(one.file.path)),
    )
    stale: dict[tuple[ResultsFile, ResultsFile], list[str]] = {}
    for pair in replaced:
        stale.setdefault((pair.stale.file, pair.newer.file), []).append(pair.stale.task)
    notes = []
    for (old, new), tasks in sorted(stale.items(), key=lambda item: str(item[0][0].path)):
        if old.limited > new.limited:
            why = "is of all questions"
        elif old.date[:10] == new.date[:10]:
            why = "counts, of the same day" if old.date else "counts, neither says when it was made"
        else:
            why = "is newer"
        few = _few(sorted(tasks))
        notes.append(note("replaced_results", path=old.path, tasks=few, newer=new.path, why=why))
    return list(kept.values()), notes


def _by_shots(values: Sequence[Aggregate]) -> tuple[list[Aggregate], list[Note]]:
    """Tasks that models were asked in several ways, as tasks of their own.

    A way in which few models were asked is left out; where no model was asked in two ways they
    stay one task, whose runs then differ.
    """
    ways: dict[str, Counter[int | None]] = {}
    twice: set[str] = set()
    seen: dict[tuple[str, str], set[int | None]] = {}
    for one in values:
        ways.setdefault(one.task, Counter())[one.shots] += 1
        mine = seen.setdefault((one.task, one.whose.model), set())
        mine.add(one.shots)
        if len(mine) > 1:
            twice.add(one.task)
    kept: list[Aggregate] = []
    rare: dict[int | None, list[str]] = {}
    for one in values:
        count = ways[one.task]
        if one.task not in twice:
            kept.append(one)
            continue
        often = [shots for shots, number in count.items() if 2 * number >= max(count.values())]
        if one.shots not in often:
            rare.setdefault(one.shots, []).append(one.task)
        elif len(often) == 1:
            kept.append(one)
        else:
            kept.append(replace(one, task=f"{one.task}@{one.shots}-shot"))
    notes = [
        note("few_models", shots=shots, tasks=_few(sorted(set(tasks))))
        for shots, tasks in rare.items()
    ]
    named = sorted({one.task for one in kept} - set(ways))
    if named:
        notes.append(note("tasks_by_shots", first=named[0]))
    return kept, notes


def _frame(values: Sequence[Aggregate]) -> pd.DataFrame:
    if not values:
        return pd.DataFrame()
    rows = [
        {
            "task": one.task,
            "model": one.whose.model,
            "checkpoint": one.whose.checkpoint,
            "filter": one.filter,
            "metric": one.metric,
            "accuracy": one.accuracy,
            "stderr": one.stderr,
            "n": one.questions,
        }
        for one in values
    ]
    return checked(accuracy_rows(pd.DataFrame(rows)), "the results")


def _runs(values: Sequence[Aggregate], ladder: str) -> list[Settings]:
    """The settings of the runs, as far as the files tell, one entry a file."""
    runs: dict[ResultsFile, Settings] = {}
    for one in values:
        content = one.file.content
        run = runs.setdefault(
            one.file,
            {
                "rung": one.whose.model,
                "checkpoint": one.whose.checkpoint,
                "ladder": ladder,
                "lm_eval": content.get("lm_eval_version"),
                "tasks": {},
            },
        )
        plain = one.task.partition("@")[0] if one.task not in content["results"] else one.task
        versions, configs = content.get("versions"), content.get("configs")
        about = {
            "version": versions.get(plain) if isinstance(versions, Mapping) else None,
            "num_fewshot": one.shots,
            "filter": one.filter or None,
            "metric": one.metric,
            "questions": one.questions,
            "limit": str(one.file.config.get("limit")) if one.file.limited else "none",
        }
        config = configs.get(plain) if isinstance(configs, Mapping) else None
        if isinstance(config, Mapping):
            about["generation_kwargs"] = config.get("generation_kwargs")
        run["tasks"][one.task] = {key: value for key, value in about.items() if value is not None}
    return list(runs.values())
