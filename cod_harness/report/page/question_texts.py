"""Texts of example questions, out of the samples that lm-eval logged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.ladder.logs.samples_log import CutOff, SamplesLog, samples_files, task_and_date

_FIELDS = ("question", "problem", "query", "input", "prompt", "text", "passage", "sentence")
_LONGEST = 240  # characters shown of a question


def question_texts(document: Forecasts, paths: Sequence[str | Path]) -> dict[str, dict[str, str]]:
    """Per task the texts of its clusters' example questions, as far as the samples hold them.

    Args:
        document: the record of a forecast.
        paths: `samples_*.jsonl` files, or folders with some anywhere below.

    Raises:
        InputError: a path is not there, is no log of samples, or holds none of the questions.
    """
    wanted = {
        name: {one for cluster in task.clusters for one in cluster.examples}
        for name, task in document.tasks.items()
    }
    found: dict[str, dict[str, str]] = {}
    files = [file for path in paths for file in _files(Path(path))]
    for file in files:
        task, _ = task_and_date(file) or ("", "")
        missing = wanted.get(task, set()) - set(found.get(task, {}))
        if not missing:
            continue
        by_hash = {name.partition(".")[0]: name for name in missing}
        digits = {len(name) for name in by_hash}
        for sample in _samples(file):
            for size in digits:
                name = by_hash.get(str(sample.get("doc_hash", ""))[:size])
                if name:
                    found.setdefault(task, {})[name] = _text(sample)
    if not found:
        raise InputError(
            f"{', '.join(str(path) for path in paths)}: none of the forecast's questions is in "
            f"{len(files)} samples_*.jsonl there; give the folder of a run with --log_samples"
        )
    return found


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return samples_files(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; give a run made with --log_samples")
    return [path]


def _samples(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        for _, _, sample in SamplesLog(file).samples(None):
            yield sample
    except CutOff:  # what was logged before stands
        return


def _text(sample: Mapping[str, Any]) -> str:
    doc = sample.get("doc")
    texts = doc if isinstance(doc, Mapping) else {}
    said = next((str(texts[key]) for key in _FIELDS if texts.get(key)), "")
    if not said:
        said = next((value for value in texts.values() if isinstance(value, str) and value), "")
    said = " ".join((said or json.dumps(doc, ensure_ascii=False)).split())
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."
