"""Pass rates out of Inspect's logs (`.eval`): the epochs of a sample are repeats of a question."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cod_harness.errors import InputError
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.ingest.readers import Asked, LogRates
from cod_harness.harness.scoring.correctness import passed
from cod_harness.notes import note


class InspectReader:
    """Reader of Inspect's logs (`readers.Reader`)."""

    patterns = ("*.eval",)

    def read(self, paths: Sequence[Path], asked: Asked) -> list[LogRates]:
        """The pass rates in some logs. Raises InputError where Inspect is not installed."""
        read: list[LogRates] = []
        unscored: dict[Path, int] = {}
        for path in paths:
            try:
                found, unscored[path] = _of_one(path, asked)
            except _NotUsed as reason:
                asked.leave(path, f": {reason}")
                continue
            read.append(found)
        kept: list[LogRates] = asked.newest((found.capture, found) for found in read)
        for found in kept:
            if unscored[found.path]:
                epochs = unscored[found.path]
                asked.notes.append(note("epochs_without_score", path=found.path, epochs=epochs))
        questions = sum(len(found.frame) for found in kept)
        asked.notes.append(
            note("inspect_logs_read", found=len(paths), used=len(kept), questions=questions)
        )
        return kept


class _NotUsed(Exception):
    """Why a log gives no pass rates; no reason to refuse the others of a folder."""


def _of_one(path: Path, asked: Asked) -> tuple[LogRates, int]:
    """The rates of a log, and how many epochs of its samples have no score."""
    try:
        from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries
    except ImportError:
        raise InputError(
            f"{path}: a log of Inspect; to read it pip install 'cod-harness[inspect]'"
        ) from None
    try:
        log = read_eval_log(path, header_only=True)
        samples = read_eval_log_sample_summaries(path)
    except Exception as error:  # of zip, JSON and pydantic, as the file is broken
        text = " ".join(str(error).split())[:120]
        raise _NotUsed(
            f"not a readable log of Inspect ({text}); take it out or copy it again"
        ) from None
    if log.status != "success":
        raise _NotUsed(f"its run ended with {log.status!r}")
    run = log.eval
    task = run.task.rsplit("/", 1)[-1]
    try:
        model, checkpoint = asked.entry(run.model)
        scorer, value = _scorer(task, samples, asked)
        rows, unscored = _rows(task, samples, scorer, value, asked.options)
    except InputError as refusal:
        raise _NotUsed(str(refusal)) from None
    metric = value or "value"
    epochs = max(row["n_samples"] for row in rows)
    about = {
        "version": run.task_version,
        "filter": scorer,
        "metric": metric,
        "repeats": epochs,
        "generation_kwargs": run.model_generate_config.model_dump(exclude_none=True),
        "questions": len(rows),
        "scored": f"{epochs} epochs a question, scores as logged by Inspect",
    }
    frame = pd.DataFrame(rows).assign(filter=scorer, metric=metric)
    return LogRates(path, (model, checkpoint, task), str(run.created), frame, about), unscored


def _scorer(task: str, samples: Sequence[Any], asked: Asked) -> tuple[str, str]:
    """The scorer that counts, and which of its values ("" where it gives only one)."""
    offered: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        for name, score in (sample.scores or {}).items():
            values = list(score.value) if isinstance(score.value, dict) else [""]
            offered.update((name, str(value)) for value in values)
    names = [f"{name}/{value or 'value'}" for name, value in offered]
    choice = asked.choice(task)
    if choice is not None:
        wanted = (choice[0], "" if choice[1] == "value" else choice[1])
        if wanted not in offered:
            raise InputError(f"no score {choice[0]}/{choice[1]}; it has {', '.join(names)}")
        return wanted
    if not offered:
        raise InputError("no sample has a score")
    if len(offered) > 1:
        raise InputError(
            f"several scores ({', '.join(names)}); say which counts with --metric {task}={names[0]}"
        )
    return next(iter(offered))


def _rows(
    task: str, samples: Sequence[Any], scorer: str, value: str, options: CaptureOptions
) -> tuple[list[dict[str, Any]], int]:
    """One row a sample, and how many epochs have no score."""
    unscored = 0
    scores: dict[str, list[float]] = {}
    hashes: dict[str, str] = {}
    for sample in samples:
        score = (sample.scores or {}).get(scorer)
        if score is None or sample.error:
            unscored += 1
            continue
        given = score.value[value] if value else score.value
        number = passed(_number(given, scorer), task, value or scorer, options.allow_fractional)
        question = str(sample.id)
        scores.setdefault(question, []).append(number)
        content = f"{sample.input}\n{sample.target}".encode()
        hashes.setdefault(question, hashlib.sha256(content).hexdigest())
    rows = [
        {
            "question": question,
            "n_correct": sum(given),
            "n_samples": len(given),
            "rate": sum(given) / len(given),
            "doc_hash": hashes[question],
        }
        for question, given in scores.items()
    ]
    if not rows:
        raise InputError("no sample has a score")
    return rows, unscored


def _number(given: Any, scorer: str) -> float:
    """A score as Inspect reckons it: "C" is 1 and "I" 0, as are yes and no; numbers are numbers.

    Raises InputError on other words: Inspect counts them as 0, and so hides that none is meant.
    """
    from inspect_ai.scorer import value_to_float

    if isinstance(given, str) and given not in ("C", "I", "P", "N"):
        try:
            return float(given)
        except ValueError:
            if given.lower() not in ("yes", "no", "true", "false"):
                raise InputError(f"the scorer {scorer} gives {given!r}, no number") from None
    return float(value_to_float()(given))
