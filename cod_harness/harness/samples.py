"""Pass rates out of runs made without the capture: the harness's `samples_*.jsonl`.

One logged answer gives one 0/1 score a question (n_samples = 1); logged log-likelihoods of a
multiple-choice task give the analytic rate (n_samples = 0).
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.correctness import Pipeline, chosen, passed
from cod_harness.harness.flags import CaptureOptions
from cod_harness.harness.guards import choice_for, rung_of
from cod_harness.harness.responses import occurrence_names
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates, read_passrates

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")


@dataclass
class _SampleFile:
    """One task of one run. rows: filter -> logged samples, in the order of the file."""

    path: Path
    task: str
    date: str
    model: str
    checkpoint: str
    results: Mapping[str, Any]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def ingest(
    paths: Iterable[str | os.PathLike[str]],
    ladder: Ladder,
    metrics: Mapping[str, tuple[str, str]] | None = None,
    allow_fractional: bool = False,
) -> PassRates:
    """Pass rates from output folders of earlier runs, samples files and tables.

    paths: folders (searched for `samples_*.jsonl`), samples files, tables and stores (`.parquet`,
    `.csv`). metrics: task -> (filter, metric) that counts as correct. Of several runs of one
    model on one task the newest counts. What was set aside is said in `notes` of the result.
    Raises InputError naming file and line for what cannot be read.
    """
    options = CaptureOptions(
        ladder.path or Path(), metrics=metrics or {}, allow_fractional=allow_fractional
    )
    import pandas as pd

    notes: list[str] = []
    tables, files = _found([Path(path) for path in paths])
    known = read_passrates(tables, ladder) if tables else None
    runs: list[dict[str, Any]] = list(known.settings) if known else []
    notes += known.notes if known else ()
    rows: list[dict[str, Any]] = []
    for found in _newest(files, ladder, _covered(known), notes):
        found.rows = _read(found.path, notes)
        try:
            made, about = _rates(found, options, notes)
        except InputError as refusal:
            # One task without pass rates is no reason to refuse the others of a folder.
            notes.append(f"{found.path}: not used: {refusal}")
            continue
        rows += made
        run = {"rung": found.model, "checkpoint": found.checkpoint, "ladder": ladder.name}
        runs.append({**run, "tasks": {found.task: about}})
    frames = [pd.DataFrame(rows)] if rows else []
    frames += [known.frame] if known else []
    if not frames:
        raise InputError(
            "no pass rates found; name folders with samples_*.jsonl (runs with --log_samples) or "
            "tables" + "".join(f"; {note}" for note in notes[:1])
        )
    return PassRates(pd.concat(frames, ignore_index=True), runs, notes)


def _covered(known: PassRates | None) -> set[tuple[str, str, str]]:
    """(model, checkpoint, task) of what was captured or given as a table."""
    if known is None:
        return set()
    columns = known.frame[["model", "checkpoint", "task"]].drop_duplicates()
    return {(str(m), str(c), str(t)) for m, c, t in columns.itertuples(index=False)}


def _newest(
    files: Sequence[Path],
    ladder: Ladder,
    covered: set[tuple[str, str, str]],
    notes: list[str],
) -> list[_SampleFile]:
    """The newest samples of each model and task, apart from what is covered already."""
    newest: dict[tuple[str, str, str], _SampleFile] = {}
    for path in files:
        found = _identified(path, ladder, notes)
        if found is None:
            continue
        key = (found.model, found.checkpoint, found.task)
        if key in covered:
            notes.append(f"{path}: not used, its pass rates are already in a file given or found")
            continue
        older = newest.get(key)
        if older is None or older.date <= found.date:
            newest[key] = found
        if older is not None:
            stale = found if newest[key] is older else older
            notes.append(f"{stale.path}: not used, {newest[key].path.name} is newer")
    return list(newest.values())


def _found(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    tables: list[Path] = []
    samples: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("samples_*.jsonl"))
            # Captured pass rates hold every repeat: they come before logged samples.
            if passrate_files(path) or not inside:
                tables.append(path)  # without either, read_passrates says what is missing
            samples += inside
        elif not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
        elif path.suffix == ".jsonl":
            samples.append(path)
        else:
            tables.append(path)
    return tables, samples


def _identified(path: Path, ladder: Ladder, notes: list[str]) -> _SampleFile | None:
    """Task, date and ladder entry of a samples file; None (with a note) for another model's."""
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise InputError(f"{path}: not named samples_TASK_DATE.jsonl; is it a harness's file?")
    results = _results(path, name["date"])
    model_args = (results.get("config") or {}).get("model_args")
    captured = results.get("cod") or {}
    options = CaptureOptions(ladder.path or Path())
    try:
        if captured.get("ladder") == ladder.name:
            model, checkpoint = ladder.find(captured["rung"]), str(captured["checkpoint"])
        else:
            model, checkpoint = rung_of(ladder, options, _names(model_args, path.parent.name))
    except InputError as refusal:
        notes.append(f"{path}: not used: {refusal}")
        return None
    return _SampleFile(path, name["task"], name["date"], model.name, checkpoint, results)


def _names(model_args: Any, folder: str) -> list[str]:
    from cod_harness.harness.capture import model_names

    # The harness names the folder after the model, each `/` written as `__`.
    return [*model_names(model_args), f"pretrained={folder.replace('__', '/')}", folder]


def _results(path: Path, date: str) -> dict[str, Any]:
    try:
        found = json.loads((path.parent / f"results_{date}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(path: Path, notes: list[str]) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for number, line, last in _lines(path):
        try:
            sample = json.loads(line)
            rows.setdefault(str(sample["filter"]), []).append(sample)
            sample["doc_hash"], sample["resps"]
        except (ValueError, KeyError, TypeError) as error:
            if last and not line.endswith("\n"):
                notes.append(f"{path}: line {number} is cut off; the lines before it are used")
                break
            raise InputError(
                f"{path}: line {number}: not a logged sample ({error!r}); was the file edited?"
            ) from None
    if not rows:
        raise InputError(f"{path}: holds no samples; was the run broken off?")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line number (from 1), line, whether it is the last."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        previous: str | None = None
        number = 0
        for line in stream:
            if previous is not None:
                yield number, previous, False
            previous, number = line, number + 1
        if previous is not None:
            yield number, previous, True


def _rates(
    found: _SampleFile, options: CaptureOptions, notes: list[str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of pass rates and the task's settings."""
    offered = [Pipeline(name, pooled=name.startswith("maj")) for name in found.rows]
    first = next(iter(found.rows.values()))[0]
    reported = [name for name in first.get("metrics", []) if name in first]
    analytic = _analytic_rates(found, options)
    if analytic is not None:
        filter_name, metric = offered[0].name, "acc"
    else:
        correct = chosen(found.task, offered, reported, choice_for(found.task, options))
        filter_name, metric = correct.filter, correct.metric
    samples = found.rows[filter_name]
    logged = max((len(_responses(sample)) for sample in samples), default=1)
    if analytic is None and logged > 1:
        notes.append(
            f"{found.path}: {logged} responses a question are logged, their one logged score is "
            "used (n_samples = 1)"
        )
    rows = []
    questions = occurrence_names(str(sample["doc_hash"]) for sample in samples)
    for at, (question, sample) in enumerate(zip(questions, samples, strict=True)):
        if analytic is not None:
            rate = analytic[at]
        else:
            value = sample.get(metric)
            rate = passed(value, found.task, metric, options.allow_fractional)
        rows.append(
            {
                "task": found.task,
                "question": question,
                "model": found.model,
                "checkpoint": found.checkpoint,
                "n_correct": rate,
                "n_samples": 0 if analytic is not None else 1,
                "rate": rate,
                **{name: str(sample.get(name, "")) for name in _HASHES},
                "filter": filter_name,
                "metric": metric,
            }
        )
    config = (found.results.get("configs") or {}).get(found.task) or {}
    about = {
        "version": (found.results.get("versions") or {}).get(found.task),
        "filter": filter_name,
        "metric": metric,
        "repeats": 0 if analytic is not None else 1,
        "generation_kwargs": config.get("generation_kwargs") or {},
        "num_fewshot": (found.results.get("n-shot") or {}).get(found.task),
        "questions": len(rows),
    }
    return rows, about


_HASHES = ("doc_hash", "prompt_hash", "target_hash")


def _responses(sample: Mapping[str, Any]) -> list[Any]:
    responses = sample["resps"]
    return responses[0] if responses and isinstance(responses[0], list) else []


def _analytic_rates(found: _SampleFile, options: CaptureOptions) -> list[float] | None:
    """Softmax rates where the file holds log-likelihoods and the gold can be told; else None.

    The gold is told right when the likeliest choice is right exactly where the harness logged
    `acc` 1: a task may state its gold elsewhere than in the target.
    """
    samples = next(iter(found.rows.values()))
    choice = choice_for(found.task, options)
    if "acc" not in samples[0] or (choice is not None and choice[1] != "acc"):
        return None
    rates = []
    for sample in samples:
        lls = [_loglikelihood(responses) for responses in sample["resps"]]
        known = [value for value in lls if value is not None]
        if len(known) != len(lls) or not known:
            return None
        if len(known) == 1:
            rates.append(math.exp(min(0.0, known[0])))
            continue
        gold = _gold(sample, len(known))
        if float(known.index(max(known)) in gold) != float(sample["acc"]):
            return None
        weights = [math.exp(value - max(known)) for value in known]
        rates.append(sum(weights[at] for at in gold) / sum(weights))
    return rates


def _loglikelihood(responses: Any) -> float | None:
    """The log-likelihood in one request's responses: `[["-1.98", "False"]]`, or None."""
    try:
        value, greedy = responses[0]
        number = float(value)
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    return number if str(greedy) in ("True", "False") else None


def _gold(sample: Mapping[str, Any], choices: int) -> list[int]:
    try:
        target = ast.literal_eval(str(sample.get("target")))
    except (ValueError, SyntaxError):
        target = sample.get("target")
    if isinstance(target, str):
        continuations = [
            str(arguments.get("arg_1", "")).strip()
            for arguments in (sample.get("arguments") or {}).values()
        ]
        target = continuations.index(target.strip()) if target.strip() in continuations else -1
    indices = target if isinstance(target, (list, tuple)) else [target]
    return sorted({at for at in indices if isinstance(at, int) and 0 <= at < choices})
