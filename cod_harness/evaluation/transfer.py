"""Clusters of questions as a file, to be used on another ladder (5.3.1, App. E)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cod_harness.errors import InputError
from cod_harness.evaluation.evidence import Fit
from cod_harness.evaluation.records.base import known, provenance
from cod_harness.ladder.files import write_whole
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import read_parquet
from cod_harness.ladder.store import Settings, read_metadata

SCHEMA = "cod-clusters/1"
COLUMNS = ("task", "question", "doc_hash", "cluster", "class")
_METADATA_KEY = b"cod_clusters"
_OUTLIER = -1


class SavedClusters:
    """Which cluster each question belongs to, as one ladder showed it.

    Attributes:
        frame: one row per (task, question): doc_hash ("" if unknown), cluster (-1 for outliers and
            questions never answered) and class ("predictable", "non_extrapolatable", "outlier" or
            "zero").
        settings: where they come from: method, ladder, rungs, bandwidths, versions.
        path: the file they were read from, or None.

    >>> clusters = SavedClusters.read("clusters.parquet")                       # doctest: +SKIP
    >>> COD().fit(rates, compute, labels=clusters.labels("gsm8k", questions))   # doctest: +SKIP
    """

    def __init__(self, frame: pd.DataFrame, settings: Settings, path: Path | None = None) -> None:
        self.frame, self.settings, self.path = frame, settings, path

    def __repr__(self) -> str:
        return f"SavedClusters({len(self.frame)} questions of {', '.join(self.tasks)})"

    @classmethod
    def of(
        cls, rates: PassRates, ladder: Ladder, method: str, fits: Iterable[Fit]
    ) -> SavedClusters:
        """The clusters of fitted models, one per task.

        Args:
            rates: the pass rates they were fitted to, which know the hashes of the documents.
            ladder: the ladder they were fitted on.
            method: the method they are of, e.g. "cod".
            fits: what was fitted, by task or in any order.

        Raises:
            InputError: there is none.
        """
        parts, bandwidths, rungs = [], {}, []
        for fit in fits:
            evidence, model = fit.evidence, fit.model
            hashes = document_hashes(rates, evidence.task)
            columns = {
                "task": evidence.task,
                "question": evidence.questions,
                "doc_hash": [hashes.get(question, "") for question in evidence.questions],
                "cluster": model.labels_,
                "class": model.classes_,
            }
            parts.append(pd.DataFrame(columns))
            bandwidths[evidence.task] = known(model.bandwidth_)
            rungs += [rung.name for rung in evidence.rungs]
        if not parts:
            raise InputError("no task could be clustered, so there are no clusters to save")
        settings = {
            "method": method,
            "ladder": ladder.name,
            "rungs": list(dict.fromkeys(rungs)),
            "bandwidths": bandwidths,
            **provenance(),
        }
        return cls(pd.concat(parts, ignore_index=True), settings)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SavedClusters:
        """Read a file that `write` made.

        Raises:
            InputError: no such file, not Parquet, not of clusters, of a later schema, or wrong.
        """
        path = Path(path)
        settings = read_metadata(path, _METADATA_KEY)
        if settings is None or settings.get("schema") != SCHEMA:
            found = "no clusters" if settings is None else repr(settings.get("schema"))
            raise InputError(
                f"{path}: holds {found}, not {SCHEMA!r}; give a file made with --save-clusters"
            )
        frame = read_parquet(path)
        if tuple(frame.columns) != COLUMNS:
            raise InputError(f"{path}: has the columns {', '.join(frame.columns)}; save it again")
        wrong = frame.duplicated(["task", "question"]) | ~(frame["cluster"] >= _OUTLIER)
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            raise InputError(
                f"{path}: row {row + 1}: task {frame['task'][row]!r}, question "
                f"{frame['question'][row]!r} occurs twice or is in no cluster; save it again"
            )
        return cls(frame, {key: settings[key] for key in settings if key != "schema"}, path)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write a Parquet file, whole or not at all; never over an existing one.

        Raises:
            InputError: the file exists, or cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        about = json.dumps({"schema": SCHEMA, **self.settings}, ensure_ascii=False)
        fields = [(name, pa.int64() if name == "cluster" else pa.string()) for name in COLUMNS]
        schema = pa.schema(fields, metadata={_METADATA_KEY: about.encode("utf-8")})
        table = pa.Table.from_pandas(self.frame, schema=schema, preserve_index=False)
        # from_pandas adds metadata of its own; only ours is part of the format.
        table = table.replace_schema_metadata(schema.metadata)

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as stream:
                pq.write_table(table, stream, compression="zstd")

        return write_whole(path, write)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, sorted."""
        return sorted(set(self.frame["task"]))

    def labels(
        self, task: str, questions: Sequence[str], hashes: dict[str, str] | None = None
    ) -> npt.NDArray[np.intp]:
        """The clusters (n,) of some questions, for `COD.fit(labels=...)`.

        Args:
            task: name of the task.
            questions: its n questions, all of them, in any order.
            hashes: document hash of each question, where known, to be compared.

        Raises:
            InputError: the task is not there, or its questions are others.
        """
        where = f"{self.path or 'the saved clusters'}:"
        rows = self.frame[self.frame["task"] == task]
        if rows.empty:
            raise InputError(
                f"{where} no clusters of the task {task!r}; there are some of "
                f"{', '.join(self.tasks)}: name the runs of those, or save clusters of this one"
            )
        known = dict(zip(rows["question"], rows["cluster"], strict=True))
        new = [question for question in questions if question not in known]
        left = len(known) - (len(questions) - len(new))
        if new or left:
            first = f" (the first is {new[0]!r})" if new else ""
            raise InputError(
                f"{where} the questions of {task!r} are others: of {len(questions)} asked "
                f"{len(new)} have no cluster{first}, of {len(known)} clustered {left} were not "
                "asked of every model; use clusters of the same questions"
            )
        saved = dict(zip(rows["question"], rows["doc_hash"], strict=True))
        given = hashes or {}
        changed = [
            question
            for question in questions
            if saved[question] and given.get(question) and saved[question] != given[question]
        ]
        if changed:
            raise InputError(
                f"{where} the documents of {len(changed)} of {len(questions)} questions of "
                f"{task!r} are others (the first is {changed[0]!r}); use clusters of the same "
                "version of the task"
            )
        return np.array([known[question] for question in questions], dtype=np.intp)


def document_hashes(rates: PassRates, task: str) -> dict[str, str]:
    """The hash of every question's document, where some run tells it."""
    rows = rates.only([task]).frame
    told = rows[rows["doc_hash"] != ""].drop_duplicates("question")
    return dict(zip(told["question"], told["doc_hash"], strict=True))
