"""Groups of tasks as benchmarks of their own: MATH out of its seven subsets.

A group's questions are all its tasks' questions, each of the same weight. That is how the harness
weighs a group whose `weight_by_size` is true; a group that it weighs otherwise, or that it gives no
score, is none here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from cod_harness.ladder.rate_table import WHOLE
from cod_harness.ladder.store import Settings

# How far the harness's score of a group may be from the mean over all its questions.
_TOLERANCE = 1e-6


def pooled_groups(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Group -> tasks, for the groups of a results file whose score is the mean over all questions.

    results: as the harness writes it, with "results", "group_subtasks" and "n-samples". Groups
    inside of groups are taken apart into their tasks.
    """
    members = {
        str(name): [str(member) for member in found]
        for name, found in (results.get("group_subtasks") or {}).items()
        if found
    }
    scores = results.get("results") or {}
    counts = results.get("n-samples") or {}
    found: dict[str, list[str]] = {}
    for group in members:
        tasks = _tasks(group, members, ())
        sizes = [_size((counts.get(task) or {}).get("effective")) for task in tasks]
        if len(tasks) > 1 and all(sizes) and _is_mean(scores, group, tasks, sizes):
            found[group] = tasks
    return found


def _tasks(name: str, members: Mapping[str, Sequence[str]], above: tuple[str, ...]) -> list[str]:
    if name not in members or name in above:
        return [name]
    parts = [_tasks(member, members, (*above, name)) for member in members[name]]
    return list(dict.fromkeys(task for part in parts for task in part))


def _size(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 < value < float("inf") else 0.0


def _is_mean(
    scores: Mapping[str, Any], group: str, tasks: Sequence[str], sizes: Sequence[float]
) -> bool:
    compared = 0
    for key, value in (scores.get(group) or {}).items():
        found = [(scores.get(task) or {}).get(key) for task in tasks]
        parts = [float(part) for part in found if isinstance(part, (int, float))]
        known = isinstance(value, (int, float)) and len(parts) == len(tasks)
        if "," not in key or "stderr" in key or not known:
            continue
        mean = sum(p * n for p, n in zip(parts, sizes, strict=True)) / sum(sizes)
        if abs(mean - value) > _TOLERANCE:
            return False
        compared += 1
    return compared > 0


def groups_of(runs: Iterable[Settings]) -> dict[str, list[str]]:
    """Group -> tasks, as the runs name them under "pooled"; the first run that names one counts."""
    groups: dict[str, list[str]] = {}
    for run in runs:
        for name, tasks in (run.get("pooled") or {}).items():
            groups.setdefault(str(name), list(tasks))
    return groups


def with_groups(frame: pd.DataFrame, runs: Sequence[Settings]) -> pd.DataFrame:
    """The table with rows for every group that the runs name under "pooled".

    A model counts for a group once it was measured on all of its tasks. Questions are called
    `task/question`.
    """
    groups = groups_of(runs)
    known = set(pd.unique(frame["task"]))
    frames = [frame]
    for name, tasks in sorted(groups.items()):
        if name in known or not set(tasks) <= known:
            continue
        rows = frame[frame["task"].isin(tasks) & (frame["question"] != WHOLE)]
        if rows[rows["metric"] != ""]["metric"].nunique() > 1:
            continue  # several metrics are no one score
        measured = rows.groupby(["model", "checkpoint"])["task"].transform("nunique")
        rows = rows[measured == len(tasks)]
        if len(rows):
            question = rows["task"].astype(str) + "/" + rows["question"].astype(str)
            frames.append(rows.assign(task=name, question=question))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frame
