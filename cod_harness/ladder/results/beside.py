"""Accuracies of whole benchmarks beside pass rates of questions: which of them count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.rate_table import WHOLE
from cod_harness.notes import Note, note

_SHOWN = 6


def not_covered(
    rows: pd.DataFrame, known: pd.DataFrame, groups: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """The accuracies that nothing better tells: whose model was not measured on the task, nor on
    the tasks of the group, question by question.

    rows, known: long tables of pass rates; groups: group -> tasks.
    """
    measured = set(known[["model", "task"]].itertuples(index=False, name=None))

    def covered(model: str, task: str, above: tuple[str, ...] = ()) -> bool:
        if (model, task) in measured:
            return True
        parts = [] if task in above else groups.get(task, [])
        return bool(parts) and all(covered(model, part, (*above, task)) for part in parts)

    pairs = rows[["model", "task"]].itertuples(index=False, name=None)
    kept = [not covered(model, task) for model, task in pairs]
    return rows[kept].reset_index(drop=True)


def on_rungs(frame: pd.DataFrame, ladder: Ladder) -> tuple[pd.DataFrame, list[Note]]:
    """The table without tasks of which a target's or an anchor's accuracy is all that is known."""
    rungs = {model.name for model in ladder.rungs}
    useful = set(frame["task"][(frame["question"] != WHOLE) | frame["model"].isin(rungs)])
    others = sorted(set(frame["task"]) - useful)
    if not others or not useful:
        return frame, []
    kept = frame[frame["task"].isin(useful)].reset_index(drop=True)
    return kept, [note("no_rung", tasks=_listed(others))]


def of_one_kind(frame: pd.DataFrame, ladder: Ladder | None) -> tuple[pd.DataFrame, list[Note]]:
    """The table with each task measured in one way on all rungs, and notes on what that takes.

    Where a rung is known by its accuracy alone, the questions of the others are averaged: nothing
    can be clustered then. An anchor that is known so says nothing of clusters and is left out; a
    target's accuracy is what its forecast is held against. A mean probability of the right option
    (analytic rates) is no accuracy, and never meets one.
    """
    whole = (frame["question"] == WHOLE).to_numpy()
    tasks = set(frame["task"][whole]) & set(frame["task"][~whole])
    if not tasks:
        return frame, []
    roles = {model.name: model.role for model in ladder.models} if ladder else {}
    averaged: list[str] = []
    notes: list[Note] = []
    parts = [frame[~frame["task"].isin(tasks)]]
    for task in sorted(tasks):
        mine = frame["task"] == task
        alone, asked = frame[mine & whole], frame[mine & ~whole]
        if (asked["n_samples"] == 0).any():
            parts.append(asked)
            names = _listed(alone["model"])
            notes.append(note("probabilities", task=task, names=names))
            continue
        role = alone["model"].map(lambda name: roles.get(name, "rung"))
        if (role == "rung").any():
            averaged.append(task)
            parts += [alone, _averaged(asked)]
            continue
        if (role == "anchor").any():
            names = _listed(alone["model"][role == "anchor"])
            notes.append(note("anchors_without_questions", task=task, names=names))
        parts += [asked, alone[role == "target"]]
    if averaged:
        notes.append(note("averaged", tasks=_listed(averaged)))
    return pd.concat(parts, ignore_index=True), notes


def _averaged(asked: pd.DataFrame) -> pd.DataFrame:
    """One row for each model and checkpoint of a task; its draws are the questions."""
    grouped = asked.groupby(["task", "model", "checkpoint"], sort=False)
    first = grouped.first()
    first["rate"], first["n_samples"] = grouped["rate"].mean(), grouped.size()
    first["n_correct"] = first["rate"] * first["n_samples"]
    found = first.reset_index().assign(question=WHOLE, doc_hash="", prompt_hash="", target_hash="")
    return found[list(asked.columns)]


def _listed(names: Sequence[str]) -> str:
    every = list(dict.fromkeys(map(str, names)))
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
