"""Pass rates out of the harness's own logs, `samples_*.jsonl`.

A question's pass rate comes from the best there is: scores of all repeats where the file states
them, all logged responses scored again through the task, softmax of logged log-likelihoods
(n_samples = 0), or the one logged score (n_samples = 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cod_harness.errors import InputError
from cod_harness.harness.capture.guards import rung_of
from cod_harness.harness.ingest.pool import all_rates
from cod_harness.harness.ingest.rates import FileRates, SampleFile, rates_of
from cod_harness.harness.ingest.readers import Asked, LogRates
from cod_harness.ladder.groups import pooled_groups
from cod_harness.ladder.logs.results_file import read_results_file
from cod_harness.ladder.logs.samples_log import NoSample, task_and_date
from cod_harness.ladder.store import Capture
from cod_harness.notes import Note, note


class SamplesReader:
    """Reader of the harness's logs (`readers.Reader`)."""

    patterns = ("samples_*.jsonl",)

    def read(self, paths: Sequence[Path], asked: Asked) -> Iterator[LogRates]:
        """The pass rates in some logs, read in several processes where that pays."""

        def work(file: SampleFile, advance: Callable[[int], None], share: int) -> FileRates:
            try:
                return rates_of(file, asked.options, asked.source, advance, share)
            except NoSample as problem:  # one broken file must not cost the others
                return FileRates(file, refusal=problem.what)

        read = all_rates(_newest(paths, asked), work, asked.processes)
        for found in read:
            asked.notes += found.notes
            if found.refusal:
                asked.leave(found.file.path, f": {found.refusal}")
                continue
            file = found.file
            run = {"lm_eval": file.results.get("lm_eval_version")}
            yield LogRates(
                file.path,
                (file.model, file.checkpoint, file.task),
                file.date,
                pd.DataFrame(found.frame_columns()),
                found.about,
                {**run, "pooled": pooled_groups(file.results)},
            )
        if read:
            asked.notes += _account(paths, read)


def _account(files: Sequence[Path], read: Sequence[FileRates]) -> list[Note]:
    """What was read, used and set aside, and where the rates come from."""
    used = [found for found in read if not found.refusal]
    counts: Counter[str] = Counter()
    for found in used:
        counts += found.counts
    total = sum(found.file.path.stat().st_size for found in read)
    size = f"{total / 1e6:,.1f} MB" if total >= 1e6 else f"{total / 1e3:,.0f} kB"
    lines = [
        note(
            "logs_read",
            found=len(files),
            read=len(read),
            size=size,
            used=len(used),
            questions=counts["used"],
            aside={what: count for what, count in counts.items() if what != "used"},
        )
    ]
    ways: dict[str, list[str]] = {}
    for found in used:
        ways.setdefault(found.how, []).append(f"{found.file.task} on {found.file.model}")
    for how, names in ways.items():
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(note("rates_from", how=how, names=", ".join(names[:4]) + more))
    return lines


def _newest(files: Sequence[Path], asked: Asked) -> list[SampleFile]:
    """The newest samples of each model and task, apart from what is covered already."""
    wanted: list[tuple[Capture, SampleFile]] = []
    for path in files:
        found = _identified(path, asked)
        if found is None:
            continue
        key = (found.model, found.checkpoint, found.task)
        if key in asked.covered:
            asked.put_aside(note("known_already", path=path))
            continue
        wanted.append((key, found))
    return asked.newest(wanted)


def _identified(path: Path, asked: Asked) -> SampleFile | None:
    """Task, date and ladder entry of a samples file; None (with a note) for another model's."""
    name = task_and_date(path)
    if name is None:
        asked.put_aside(note("misnamed_log", path=path))
        return None
    task, date = name
    results = _results(path, date, asked.notes)
    model_args = (results.get("config") or {}).get("model_args")
    captured = results.get("cod") or {}
    try:
        if captured.get("ladder") == asked.ladder.name and asked.options.rung is None:
            model = asked.ladder.find(str(captured.get("rung")))
            checkpoint = str(captured.get("checkpoint", ""))
        else:
            names = _names(model_args, path.parent.name)
            model, checkpoint = rung_of(asked.ladder, asked.options, names)
    except InputError as refusal:
        asked.leave(path, f": {refusal}")
        return None
    return SampleFile(path, task, date, model.name, checkpoint, results)


def _names(model_args: Any, folder: str) -> list[str]:
    from cod_harness.harness.capture.capture import model_names

    # The harness names the folder after the model, each `/` written as `__`.
    return [*model_names(model_args), f"pretrained={folder.replace('__', '/')}", folder]


def _results(path: Path, date: str, notes: list[Note]) -> dict[str, Any]:
    """The results file of the same run; its settings go unchecked without it."""
    beside = path.parent / f"results_{date}.json"
    problem = "is missing"
    if beside.exists():
        try:
            return read_results_file(beside)
        except InputError as refusal:
            problem = str(refusal)
    unknown = note("settings_unknown", path=beside, problem=problem)
    if unknown not in notes:
        notes.append(unknown)
    return {}
