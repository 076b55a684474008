"""What differs between the runs of a ladder that should have been alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.store import COPIES, Settings
from cod_harness.notes import Note, note

# "settings" and "content" make runs incomparable; "missing" questions can be left out.
Kind = Literal["settings", "content", "missing"]

# Of a task's settings. `repeats` is not among them: draws may differ, the weights know.
_COMPARED = ("version", "filter", "metric", "num_fewshot", "limit")
_NAMES_SHOWN = 4
_CONTENT = {"doc_hash": "documents", "prompt_hash": "prompts", "target_hash": "right answers"}


@dataclass(frozen=True)
class Difference:
    """One thing that isn't the same on all models.

    Attributes:
        kind: "settings" (how a task was run), "content" (a question's document, prompt or answer)
            or "missing" (a question that some models weren't asked).
        task: name of the task.
        text: one line, naming task and models.
    """

    kind: Kind
    task: str
    text: Note

    def __str__(self) -> str:
        return self.text


def settings_differences(runs: Sequence[Settings]) -> list[Difference]:
    """Differences in how the tasks of several runs were set.

    Compares task version, filter, metric, shots, every generation setting and, where the number
    of questions is the same, the hash of all prompts. What a run doesn't tell isn't compared.

    Args:
        runs: settings of runs as in `store.write_passrates`, with "rung" and "tasks".
    """
    tasks: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for run in runs:
        name = str(run.get("rung") or "?")
        for task, about in (run.get("tasks") or {}).items():
            tasks.setdefault(task, []).append((name, about))
    found: list[Difference] = []
    for task in sorted(tasks):
        found += _task_differences(task, tasks[task])
    return found


def _task_differences(
    task: str, runs: Sequence[tuple[str, Mapping[str, Any]]]
) -> Iterable[Difference]:
    for key in _COMPARED:
        known = [(name, about[key]) for name, about in runs if about.get(key) is not None]
        yield from _difference("settings", task, key, known)
    kwargs = [
        (name, about["generation_kwargs"])
        for name, about in runs
        if isinstance(about.get("generation_kwargs"), Mapping)
    ]
    for key in sorted({key for _, about in kwargs for key in about}):
        given = [(name, about.get(key, "(not set)")) for name, about in kwargs]
        yield from _difference("settings", task, f"generation setting {key}", given)
    counts = [
        (name, about["questions"]) for name, about in runs if about.get("questions") is not None
    ]
    unequal = list(_difference("missing", task, "the number of questions", counts))
    yield from unequal
    if not unequal:
        hashes = [(name, about["prompt_hash"]) for name, about in runs if about.get("prompt_hash")]
        yield from _difference("content", task, "the hash of all prompts", hashes)


def _difference(
    kind: Kind, task: str, what: str, values: Sequence[tuple[str, Any]]
) -> Iterable[Difference]:
    groups: dict[str, list[str]] = {}
    for name, value in values:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        names = groups.setdefault(text, [])
        if name not in names:
            names.append(name)
    if len(groups) > 1:
        parts = [f"{text} on {_listed(names)}" for text, names in groups.items()]
        yield Difference(
            kind, task, note("set_otherwise", task=task, what=what, values=", ".join(parts))
        )


def question_differences(rates: PassRates) -> list[Difference]:
    """Questions that some models weren't asked, or were asked in other words.

    Documents, prompts and right answers are compared by their hashes where those are known.
    """
    frame = rates.frame
    # One pass over all tasks: hundreds of thousands of rows are compared in well under a second.
    suspects = {column: _tasks_with_variants(frame, column, rates.asked) for column in _CONTENT}
    found: list[Difference] = []
    for task in rates.tasks:
        if rates.whole(task):
            continue  # its questions are not known
        for column, tasks in suspects.items():
            if task in tasks:
                found.append(_content_difference(task, column, rates.only([task]).frame))
        found += _missing(task, rates)
    return found


def _tasks_with_variants(
    frame: pd.DataFrame, column: str, asked: npt.NDArray[np.integer[Any]]
) -> set[str]:
    """The tasks of which some question has more than one hash, of those that are known.

    asked: a number for each row's question.
    """
    hashes, _ = pd.factorize(frame[column])
    known = (frame[column] != "").to_numpy()
    first = np.full(int(asked.max()) + 1, -1)
    first[asked[known][::-1]] = hashes[known][::-1]
    differs = known & (hashes != first[asked])
    return {str(task) for task in pd.unique(frame["task"][differs])}


def _content_difference(task: str, column: str, rows: pd.DataFrame) -> Difference:
    hashed = rows[rows[column] != ""]
    variants = hashed.drop_duplicates(["question", column])["question"]
    changed = pd.unique(variants[variants.duplicated()])
    question = str(changed[0])
    models = sorted(pd.unique(hashed["model"][hashed["question"] == question]))
    text = note(
        "other_content",
        task=task,
        what=_CONTENT[column],
        changed=len(changed),
        questions=rows["question"].nunique(),
        first=question,
        models=_listed(models),
    )
    return Difference("content", task, text)


def _missing(task: str, rates: PassRates) -> Iterable[Difference]:
    models = rates.models(task)
    matrix = rates.matrix(task, models)
    counts = np.isnan(matrix.rates).sum(axis=0)
    lacking = [f"{name} {count}" for name, count in zip(models, counts, strict=True) if count]
    if lacking:
        questions = len(matrix.questions)
        text = note("not_asked", task=task, questions=questions, lacking=_listed(lacking))
        yield Difference("missing", task, text)


def differences(rates: PassRates) -> list[Difference]:
    """All differences between the runs behind some pass rates, settings first.

    The hash of all prompts is left to the questions' own hashes where the table has them.
    """
    settings = settings_differences(rates.settings)
    questions = question_differences(rates)
    told = {found.task for found in questions}
    hashed = set(pd.unique(rates.frame["task"][rates.frame["prompt_hash"] != ""])) | told
    kept = [found for found in settings if found.kind == "settings" or found.task not in hashed]
    return kept + questions


def clones(rates: PassRates) -> list[Note]:
    """Tasks whose samples are copies of one, a note each: they count as one sample."""
    found: dict[str, list[str]] = {}
    for run in rates.settings:
        for task, about in (run.get("tasks") or {}).items():
            if float(about.get("identical_share") or 0.0) >= COPIES:
                found.setdefault(task, []).append(str(run.get("rung") or "?"))
    return [
        note("copies", task=task, models=_listed(list(dict.fromkeys(models))))
        for task, models in found.items()
    ]


def refuse_serious(found: Sequence[Difference], allowed: bool, remedy: str) -> list[Difference]:
    """The differences that make runs incomparable; questions that are missing can be left out.

    remedy: what to do, as words before `--allow-mismatch`. Raises InputError where there are some
    and they are not allowed.
    """
    serious = [difference for difference in found if difference.kind != "missing"]
    if serious and not allowed:
        more = f" (and {len(serious) - 1} more differences)" if len(serious) > 1 else ""
        raise InputError(f"the runs differ: {serious[0]}{more}; {remedy} --allow-mismatch")
    return serious


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _NAMES_SHOWN:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[:_NAMES_SHOWN])} and {len(names) - _NAMES_SHOWN} more"
