"""Pass rates of several models on several tasks: one long table with matrix views."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cod_harness.errors import InputError, did_you_mean
from cod_harness.ladder.rate_table import WHOLE, checked
from cod_harness.ladder.store import Settings, write_capture, write_passrates
from cod_harness.notes import as_note

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TaskRates:
    """The pass rates of one task as a matrix.

    Attributes:
        task: name of the task.
        questions: the n question names, in order of first appearance in the table.
        models: the m model names, in the order asked for.
        rates: (n, m) pass rates in [0, 1]; NaN where a model wasn't asked the question.
        n_samples: (n, m) draws behind each rate; 0 for an analytic rate and where there is none.
        filter: lm-eval filter whose answers were judged; "" if unknown.
        metric: lm-eval metric that counts as correct; "" if unknown.
    """

    task: str
    questions: list[str]
    models: list[str]
    rates: Floats
    n_samples: npt.NDArray[np.int64]
    filter: str = ""
    metric: str = ""

    def on(self, models: Sequence[str]) -> TaskRates:
        """The same questions on some of the models, in the order given."""
        columns = [self.models.index(name) for name in models]
        return TaskRates(
            self.task,
            self.questions,
            list(models),
            self.rates[:, columns],
            self.n_samples[:, columns],
            self.filter,
            self.metric,
        )

    def keep(self, rows: npt.NDArray[np.bool_]) -> TaskRates:
        """Some of the questions; `rows` is a mask of shape (n,)."""
        return TaskRates(
            self.task,
            [name for name, kept in zip(self.questions, rows, strict=True) if kept],
            self.models,
            self.rates[rows],
            self.n_samples[rows],
            self.filter,
            self.metric,
        )

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """(n,) whether every model was asked the question."""
        asked: npt.NDArray[np.bool_] = np.all(~np.isnan(self.rates), axis=1)
        return asked


@dataclass(frozen=True, eq=False)
class _Cells:
    """The (n, m) cells of one task, all models that were measured on it.

    models: name -> column. first: the row that a cell was first filled by, counted within the task;
    their number where it is empty. filters, metrics: by column, the first that is known, and its
    row.
    """

    questions: list[str]
    models: dict[str, int]
    rates: Floats
    n_samples: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    filters: list[tuple[int, str]]
    metrics: list[tuple[int, str]]

    def on(self, task: str, models: Sequence[str]) -> TaskRates:
        """The cells of some models; questions in the order of first appearance among theirs."""
        taken = [(to, self.models[name]) for to, name in enumerate(models) if name in self.models]
        to, columns = [at for at, _ in taken], [column for _, column in taken]
        empty = int(self.first.max()) + 1 if self.first.size else 0
        appeared = self.first[:, columns].min(axis=1, initial=empty)
        asked = np.flatnonzero((~np.isnan(self.rates[:, columns])).any(axis=1))
        rows = asked[np.argsort(appeared[asked], kind="stable")]
        rates = np.full((len(rows), len(models)), np.nan)
        n_samples = np.zeros((len(rows), len(models)), dtype=np.int64)
        rates[:, to] = self.rates[rows][:, columns]
        n_samples[:, to] = self.n_samples[rows][:, columns]
        return TaskRates(
            task=task,
            questions=[self.questions[row] for row in rows],
            models=list(models),
            rates=rates,
            n_samples=n_samples,
            filter=min((self.filters[column] for column in columns), default=(0, ""))[1],
            metric=min((self.metrics[column] for column in columns), default=(0, ""))[1],
        )


class PassRates:
    """A long table of pass rates, one row per (task, question, model, checkpoint).

    Attributes:
        frame: the columns task, question, model, checkpoint ("" if none), n_correct,
            n_samples (0 for an analytic rate), rate, doc_hash, prompt_hash, target_hash, filter,
            metric ("" where unknown).
        settings: what is known of the runs behind it, one mapping per run (see `store`).
        notes: what was read and what was set aside (`notes.Note`: sentences with a code).

    Raises:
        InputError: the table is wrong; see `rate_table.checked`.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        settings: Iterable[Settings] = (),
        notes: Iterable[str] = (),
    ) -> None:
        self._take(checked(frame, "pass rates"), settings, notes)

    @classmethod
    def of_checked(
        cls,
        frame: pd.DataFrame,
        settings: Iterable[Settings] = (),
        notes: Iterable[str] = (),
    ) -> PassRates:
        """As the constructor, for a frame out of `rate_table.checked`; not checked again."""
        rates = cls.__new__(cls)
        rates._take(frame, settings, notes)
        return rates

    def _take(
        self, frame: pd.DataFrame, settings: Iterable[Settings], notes: Iterable[str]
    ) -> None:
        self.frame = frame
        self.settings = tuple(settings)
        self.notes = tuple(map(as_note, notes))
        self._whole: dict[str, _Cells] = {}

    def __repr__(self) -> str:
        return f"PassRates({len(self.tasks)} tasks, {len(self.models())} models)"

    @cached_property
    def _codes(self) -> dict[str, tuple[npt.NDArray[np.intp], npt.NDArray[np.object_]]]:
        """By column, a number for each row's text, and the texts."""
        found = {}
        for column in ("task", "question", "model", "filter", "metric"):
            codes, texts = pd.factorize(self.frame[column])
            found[column] = codes, np.asarray(texts, dtype=object)
        return found

    def _named(
        self, column: str, rows: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.intp], list[str]]:
        """A number for each row's text in a column, and the texts in order of appearance."""
        codes, texts = self._codes[column]
        numbers, known = pd.factorize(codes[rows])
        return numbers, [str(text) for text in texts[known]]

    @cached_property
    def _rows(self) -> dict[str, npt.NDArray[np.intp]]:
        codes, names = self._codes["task"]
        order = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes, minlength=len(names)))
        return dict(zip((str(name) for name in names), np.split(order, ends[:-1]), strict=True))

    @cached_property
    def _models(self) -> dict[str, list[str]]:
        return {task: self._named("model", rows)[1] for task, rows in self._rows.items()}

    @property
    def tasks(self) -> list[str]:
        """Task names, sorted."""
        return sorted(self._rows)

    def models(self, task: str | None = None) -> list[str]:
        """Names of the models measured, on one task or on any, in order of appearance."""
        if task is not None:
            return list(self._models.get(task, []))
        return [str(name) for name in pd.unique(self.frame["model"])]

    def whole(self, task: str) -> bool:
        """Whether only accuracies of the whole task are known, and no questions of it."""
        self._known(task)
        codes, texts = self._codes["question"]
        return bool((texts[codes[self._rows[task]]] == WHOLE).all())

    @cached_property
    def asked(self) -> npt.NDArray[np.intp]:
        """By row of the frame, a number for its question of its task."""
        tasks, _ = self._codes["task"]
        questions, texts = self._codes["question"]
        return pd.factorize(tasks * len(texts) + questions)[0]

    def questions(self, task: str) -> int:
        """The number of questions behind the accuracies of a task of which no more is known.

        As its runs tell, most of them alike; else the answers behind an accuracy; 0 if unknown.
        """
        told = [
            int(about["questions"])
            for run in self.settings
            for name, about in (run.get("tasks") or {}).items()
            if name == task and about.get("questions")
        ]
        if not told:
            told = list(self.frame["n_samples"].to_numpy()[self._rows[task]])
        return int(np.median(told))

    def only(self, tasks: Sequence[str]) -> PassRates:
        """The rows of some tasks.

        Raises:
            InputError: a task isn't there; the message lists those that are.
        """
        for task in tasks:
            self._known(task)
        kept = self.frame[self.frame["task"].isin(list(tasks))].reset_index(drop=True)
        return PassRates.of_checked(kept, self.settings, self.notes)

    def matrix(self, task: str, models: Sequence[str]) -> TaskRates:
        """The pass rates of one task on some models, as a matrix.

        The rates of a model's neighbouring checkpoints are averaged and their draws added up
        (appendix A.2). A question that a model wasn't asked is NaN there; questions that none of
        `models` was asked are left out.

        Raises:
            InputError: there is no such task.
        """
        self._known(task)
        if task not in self._whole:
            self._whole[task] = self._cells(task)
        return self._whole[task].on(task, models)

    def _cells(self, task: str) -> _Cells:
        """All of a task, put together once: forecasts and backtests ask for many parts of it."""
        rows = self._rows[task]
        models, names = self._named("model", rows)
        codes, questions = self._named("question", rows)
        shape = (len(questions), len(names))
        size = shape[0] * shape[1]
        cell = codes * shape[1] + models
        count = np.bincount(cell, minlength=size)
        rate = self.frame["rate"].to_numpy(dtype=float)[rows]
        samples = self.frame["n_samples"].to_numpy(dtype=float)[rows]
        total = np.bincount(cell, weights=rate, minlength=size)
        draws = np.bincount(cell, weights=samples, minlength=size)
        rates = np.full(size, np.nan)
        np.divide(total, count, out=rates, where=count > 0)
        first = np.full(size, len(rows))
        first[cell[::-1]] = np.arange(len(rows))[::-1]
        return _Cells(
            questions=questions,
            models={name: column for column, name in enumerate(names)},
            rates=rates.reshape(shape),
            n_samples=draws.astype(np.int64).reshape(shape),
            first=first.reshape(shape),
            filters=_first_known(*self._named("filter", rows), models, len(names)),
            metrics=_first_known(*self._named("metric", rows), models, len(names)),
        )

    def write(self, path: str | os.PathLike[str], **settings: Any) -> Path:
        """Write a store file of all rows and runs; `settings` are added to its metadata."""
        return write_passrates(path, self.frame, {**settings, "runs": list(self.settings)})

    def write_dated(self, folder: str | os.PathLike[str], **settings: Any) -> Path:
        """The same as `cod_passrates_<date>.parquet` in a folder."""
        runs = {**settings, "runs": list(self.settings)}
        return write_capture(folder, self.frame, runs, Path(folder))

    def _known(self, task: str) -> None:
        if task not in self._rows:
            raise InputError(
                f"no pass rates for the task {task!r}; there are some for {', '.join(self.tasks)}"
                f"{did_you_mean(task, self.tasks)}"
            )


def _first_known(
    codes: npt.NDArray[np.intp],
    texts: Sequence[str],
    columns: npt.NDArray[np.intp],
    count: int,
) -> list[tuple[int, str]]:
    """By column of the matrix, the first row with a text that is not empty, and the text."""
    found = [(len(codes), "")] * count
    for code, text in enumerate(texts):
        if not text:
            continue
        at, first = np.unique(columns[codes == code], return_index=True)
        rows = np.flatnonzero(codes == code)[first]
        for column, row in zip(at, rows, strict=True):
            found[column] = min(found[column], (int(row), text))
    return found
