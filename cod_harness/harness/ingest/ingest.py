"""Pass rates out of runs made without the capture: the harness's `samples_*.jsonl`, logs of Inspect
and tables.

A question's pass rate comes from the best there is: scores of all repeats where the file states
them, all logged responses scored again through the task, softmax of logged log-likelihoods
(n_samples = 0), or the one logged score (n_samples = 1).
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.capture.guards import rung_of
from cod_harness.harness.ingest.inspect_logs import log_rates
from cod_harness.harness.ingest.pool import all_rates
from cod_harness.harness.ingest.rates import FileRates, SampleFile, rates_of
from cod_harness.harness.ingest.rescoring import TaskSource
from cod_harness.ladder.compare import differences
from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.foreign_table import TableColumns
from cod_harness.ladder.groups import pooled_groups
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_passrates import read_passrates

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")


def ingest(
    paths: Iterable[str | os.PathLike[str]],
    ladder: Ladder,
    metrics: Mapping[str, tuple[str, str]] | None = None,
    allow_fractional: bool = False,
    *,
    rung: str | None = None,
    columns: TableColumns | None = None,
    include_paths: Sequence[Path] = (),
    run_code: bool = False,
    allow_mismatch: bool = True,
    processes: int | None = None,
) -> PassRates:
    """Pass rates from output folders of earlier runs, samples files, logs of Inspect and tables.

    paths: folders (searched for `samples_*.jsonl` and `*.eval`), such files, tables and stores
    (`.parquet`, `.csv`). metrics: task -> (filter, metric) that counts as correct; of a log, its
    scorer and value. rung: the ladder entry that all samples are of; by default it is told by the
    model's name. columns: what a table's columns are called. include_paths: folders with task
    definitions, beside the harness's own. run_code: consent to run programs out of responses.
    allow_mismatch: go on where rungs were run differently. processes: at most so many; None for
    all cores.

    Of several runs of one model on one task the newest counts. What was read and set aside is said
    in `notes` of the result. Raises InputError naming file and line for what cannot be read.
    """
    import pandas as pd

    if rung is not None:
        ladder.find(rung)
    options = CaptureOptions(
        ladder.path or Path(), rung=rung, metrics=metrics or {}, allow_fractional=allow_fractional
    )
    notes: list[str] = []
    tables, files, logs = _found([Path(path) for path in paths])
    known = _tables(tables, ladder, columns)
    if known is not None:  # groups are made of tasks by whoever reads the result
        rows = known.frame[known.frame["task"].isin(_tasks_of(known))]
        known = PassRates.of_checked(rows.reset_index(drop=True), known.settings, known.notes)
    runs: list[dict[str, Any]] = list(known.settings) if known else []
    notes += known.notes if known else ()
    source = TaskSource(tuple(include_paths), run_code)
    wanted = _newest(files, ladder, options, _covered(known), notes)

    def work(file: SampleFile, advance: Callable[[int], None], share: int) -> FileRates:
        return rates_of(file, options, source, advance, share)

    read = all_rates(wanted, work, processes)
    frames = [known.frame] if known else []
    for found in read:
        notes += found.notes
        if found.refusal:
            notes.append(f"{found.file.path}: not used: {found.refusal}")
            continue
        frames.append(pd.DataFrame(found.frame_columns()))
        run: dict[str, Any] = {"rung": found.file.model, "checkpoint": found.file.checkpoint}
        run |= {"ladder": ladder.name, "lm_eval": found.file.results.get("lm_eval_version")}
        run["pooled"] = pooled_groups(found.file.results)
        runs.append({**run, "tasks": {found.file.task: found.about}})
    for log in log_rates(logs, ladder, options, notes):
        if log.key in _covered(known):
            notes.append(f"{log.path}: not used, its pass rates are already in a file given")
            continue
        frames.append(pd.DataFrame(log.rows))
        runs.append(log.about)
    if not frames:
        raise InputError(
            "no pass rates found; name folders with samples_*.jsonl (runs with --log_samples) or "
            "tables" + "".join(f"; {note}" for note in [n for n in notes if "not used" in n][:1])
        )
    rates = PassRates(pd.concat(frames, ignore_index=True), runs, notes)
    if read:
        notes += _account(files, read)
    notes += _mismatches(rates, allow_mismatch)
    return PassRates.of_checked(rates.frame, rates.settings, notes)


def _tables(
    paths: Sequence[Path], ladder: Ladder, columns: TableColumns | None
) -> PassRates | None:
    if not paths:
        return None
    if columns is None:
        return read_passrates(paths, ladder)
    return columns.read(paths, ladder)


def _tasks_of(rates: PassRates) -> list[str]:
    """Tasks, apart from the groups that reading made of them."""
    groups = {name for run in rates.settings for name in (run.get("pooled") or {})}
    measured = {task for run in rates.settings for task in (run.get("tasks") or {})}
    return [task for task in rates.tasks if task not in groups or task in measured]


def _mismatches(rates: PassRates, allow: bool) -> list[str]:
    """What differs between the models, as notes. Raises InputError where it may not."""
    found = differences(rates)
    notes = [f"models were run differently: {difference.text}" for difference in found]
    grave = [difference for difference in found if difference.kind != "missing"]
    if grave and not allow:
        more = f" (and {len(grave) - 1} more differences)" if len(grave) > 1 else ""
        raise InputError(
            f"{grave[0].text}{more}; name runs that were made alike, or say --allow-mismatch"
        )
    return notes


def _account(files: Sequence[Path], read: Sequence[FileRates]) -> list[str]:
    """What was read, used and set aside, and where the rates come from."""
    used = [found for found in read if not found.refusal]
    counts: Counter[str] = Counter()
    for found in used:
        counts += found.counts
    total = sum(found.file.path.stat().st_size for found in read)
    size = f"{total / 1e6:,.1f} MB" if total >= 1e6 else f"{total / 1e3:,.0f} kB"
    parts = [f"{count:,} {what}" for what, count in counts.items() if what != "used"]
    lines = [
        f"{len(files)} samples files found, {len(read)} read ({size}), {len(used)} "
        f"used: {counts['used']:,} questions" + "".join(f", {part}" for part in parts)
    ]
    ways: dict[str, list[str]] = {}
    for found in used:
        ways.setdefault(found.how, []).append(f"{found.file.task} on {found.file.model}")
    for how, names in ways.items():
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(f"{how}: {', '.join(names[:4])}{more}")
    return lines


def _covered(known: PassRates | None) -> set[tuple[str, str, str]]:
    """(model, checkpoint, task) of what was captured or given as a table."""
    if known is None:
        return set()
    columns = known.frame[["model", "checkpoint", "task"]].drop_duplicates()
    return {(str(m), str(c), str(t)) for m, c, t in columns.itertuples(index=False)}


def _newest(
    files: Sequence[Path],
    ladder: Ladder,
    options: CaptureOptions,
    covered: set[tuple[str, str, str]],
    notes: list[str],
) -> list[SampleFile]:
    """The newest samples of each model and task, apart from what is covered already."""
    newest: dict[tuple[str, str, str], SampleFile] = {}
    for path in files:
        found = _identified(path, ladder, options, notes)
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


def _found(paths: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Tables, samples files and logs of Inspect."""
    tables: list[Path] = []
    samples: list[Path] = []
    logs: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("samples_*.jsonl"))
            of_inspect = sorted(path.rglob("*.eval"))
            # Captured pass rates hold every repeat: they come before logged samples.
            if passrate_files(path) or not (inside or of_inspect):
                tables.append(path)  # without any, read_passrates says what is missing
            samples += inside
            logs += of_inspect
        elif not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
        elif path.suffix == ".jsonl":
            samples.append(path)
        elif path.suffix == ".eval":
            logs.append(path)
        else:
            tables.append(path)
    return tables, list(dict.fromkeys(samples)), list(dict.fromkeys(logs))


def _identified(
    path: Path, ladder: Ladder, options: CaptureOptions, notes: list[str]
) -> SampleFile | None:
    """Task, date and ladder entry of a samples file; None (with a note) for another model's."""
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise InputError(
            f"{path}: not named samples_TASK_DATE.jsonl as the harness names its files; rename it "
            "or leave it out"
        )
    results = _results(path, name["date"], notes)
    model_args = (results.get("config") or {}).get("model_args")
    captured = results.get("cod") or {}
    try:
        if captured.get("ladder") == ladder.name and options.rung is None:
            model, checkpoint = ladder.find(captured["rung"]), str(captured["checkpoint"])
        else:
            model, checkpoint = rung_of(ladder, options, _names(model_args, path.parent.name))
    except InputError as refusal:
        notes.append(f"{path}: not used: {refusal}")
        return None
    return SampleFile(path, name["task"], name["date"], model.name, checkpoint, results)


def _names(model_args: Any, folder: str) -> list[str]:
    from cod_harness.harness.capture.capture import model_names

    # The harness names the folder after the model, each `/` written as `__`.
    return [*model_names(model_args), f"pretrained={folder.replace('__', '/')}", folder]


def _results(path: Path, date: str, notes: list[str]) -> dict[str, Any]:
    """The results file of the same run; its settings go unchecked without it."""
    beside = path.parent / f"results_{date}.json"
    problem = "is missing"
    if beside.exists():
        try:
            found = json.loads(beside.read_text(encoding="utf-8", errors="replace"))
            if isinstance(found, dict):
                return found
            problem = "holds no JSON object"
        except (OSError, ValueError) as error:
            problem = f"cannot be read ({error})"
    text = f"{beside}: {problem}: version, shots and settings of that run are not checked"
    if text not in notes:
        notes.append(text)
    return {}
