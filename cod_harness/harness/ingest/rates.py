"""Pass rates out of one samples file, read as a stream."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.capture.guards import choice_for
from cod_harness.harness.ingest.likelihoods import analytic_rate, is_analytic
from cod_harness.harness.ingest.rescoring import Rescorer, TaskSource
from cod_harness.harness.scoring.correctness import passed
from cod_harness.harness.scoring.responses import occurrence_names
from cod_harness.ladder.logs.samples_log import CutOff, NoSample, Sample, SamplesLog, filters_in
from cod_harness.ladder.metrics import Correct, Pipeline, chosen
from cod_harness.notes import Note, note

# Responses are scored in batches: enough for several processes, not so much that it fills memory.
_BATCH_BYTES = 16 << 20
_OF_OTHERS = "lines of other filters"
_HASHES = ("doc_hash", "prompt_hash", "target_hash")
_COLUMNS = ("n_correct", "n_samples", "rate", *_HASHES)


@dataclass
class SampleFile:
    """One task of one run: who was asked what, and what the run's results file tells."""

    path: Path
    task: str
    date: str
    model: str
    checkpoint: str
    results: Mapping[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        """The task's configuration as the harness wrote it down; empty if unknown."""
        found = (self.results.get("configs") or {}).get(self.task)
        return found if isinstance(found, Mapping) else {}

    @property
    def filters(self) -> list[str]:
        """The task's filters as its results tell them, in their order; none if unknown."""
        scores = (self.results.get("results") or {}).get(self.task)
        names = [str(key).partition(",") for key in scores] if isinstance(scores, Mapping) else []
        return list(dict.fromkeys(name for _, comma, name in names if comma))


@dataclass
class FileRates:
    """What came of one file.

    columns: the columns of the table of pass rates. about: the task's settings. how: in words,
    where the rates come from. counts: lines used and set aside. refusal: why there are no rates.
    """

    file: SampleFile
    columns: dict[str, list[Any]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    how: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[Note] = field(default_factory=list)
    refusal: str = ""

    def frame_columns(self) -> dict[str, Any]:
        """All columns, with task, model and question."""
        file, about = self.file, self.about
        return {
            "task": file.task,
            "question": occurrence_names(self.columns["doc_hash"]),
            "model": file.model,
            "checkpoint": file.checkpoint,
            **self.columns,
            "filter": about["filter"],
            "metric": about["metric"],
        }


def rates_of(
    file: SampleFile,
    options: CaptureOptions,
    source: TaskSource,
    advance: Callable[[int], None] = lambda _: None,
    processes: int | None = None,
) -> FileRates:
    """Pass rates of one file.

    Raises InputError naming file and line for what is no sample. A task that has no pass rates is
    told in `refusal`: it is no reason to refuse the others of a folder.
    """
    log = SamplesLog(file.path)
    first = log.first()
    # Told by the run's results file the filters need not be looked for, and the log is read once.
    if str(first["filter"]) in file.filters:
        found = _read(file, log, first, file.filters, options, source, advance, processes)
        if found.counts["used"] or found.refusal:
            return found
        log = SamplesLog(file.path)  # lines of the filter that counts were taken out
    names = list(dict.fromkeys([*filters_in(file.path), str(first["filter"])]))
    found = _read(file, log, first, names, options, source, advance, processes)
    if not found.counts["used"] and not found.refusal:
        raise NoSample(file.path, "holds no samples; was the run broken off?")
    return found


def _read(
    file: SampleFile,
    log: SamplesLog,
    first: Sample,
    filters: list[str],
    options: CaptureOptions,
    source: TaskSource | None,
    advance: Callable[[int], None],
    processes: int | None,
) -> FileRates:
    """The rates of a log by one of these filters; no sample used where it has no line.

    source: None where responses are not to be scored again.
    """
    found = FileRates(file)
    try:
        reader = _Reader(found, first, filters, options, source, processes)
        try:
            reader.read(log, advance)
        except (
            NotRescored
        ) as refusal:  # further on in the file: all of it goes by its logged scores
            found.notes.append(reader.by_logged_scores(refusal))
            log = SamplesLog(file.path)
            again = _read(file, log, first, filters, options, None, advance, processes)
            return replace(again, notes=[*found.notes, *again.notes])
        others = log.filters.total() - log.filters[reader.correct.filter]
        if others:
            found.counts[_OF_OTHERS] = others
    except NoSample:
        raise
    except InputError as refusal:
        found.refusal = str(refusal)
    return found


class NotRescored(InputError):
    """The task makes nothing of the responses that are logged."""


class _NoScore(Exception):
    """A sample whose score is missing or no number."""


def _number(value: Any, name: str) -> Any:
    # Compared as they are: float() fails on whole numbers beyond its range.
    if isinstance(value, (int, float)) and abs(value) < 1e300:
        return value
    raise _NoScore(f"{name} is {str(value)[:60]!r}, no number")


class _Reader:
    """Reads one file; which of the five ways to a pass rate it goes is settled at the start."""

    def __init__(
        self,
        found: FileRates,
        first: Sample,
        filters: list[str],
        options: CaptureOptions,
        source: TaskSource | None,
        processes: int | None,
    ) -> None:
        self.found, self.options = found, options
        task = found.file.task
        choice = choice_for(task, options)
        # The analytic rate stands beside the logged accuracy until all of the file agrees with it.
        self.analytic = is_analytic(first, choice)
        self.logged_repeats = len(first["resps"][0])
        stated = found.file.config.get("repeats")
        known = stated if isinstance(stated, int) and stated > 0 else None
        self.repeats = known or self.logged_repeats
        self.rescorer: Rescorer | None = None
        offered = [Pipeline(name, pooled=name.startswith("maj")) for name in filters]
        # A first line without its score is one line less, as any other.
        reported: list[str] = first.get("metrics", [])
        self.per_repeat = isinstance(first.get("scores_per_repeat"), Mapping)
        self.counted = "n_correct" in reported
        repeated = max(self.repeats, self.logged_repeats) > 1
        again = repeated and not self.analytic and not self.per_repeat and not self.counted
        if source is not None and again:
            offered, reported = self._prepare(source, first, offered, reported, processes)
        if self.analytic:
            self.correct = Correct(filters[0], "acc", "analytic")
        else:
            self.correct = chosen(task, offered, reported, choice)
        self.columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self.analytic_rates: list[float] = []
        self.batch: list[tuple[int, int, Sample]] = []  # line, place in the columns, sample
        self.batch_bytes = 0
        self.agreeing = self.compared = 0
        self.same = self.repeated = 0  # questions of several responses, and those all alike
        self.unusable: dict[int, str] = {}  # place in the columns -> what is wrong

    def _prepare(
        self,
        source: TaskSource,
        first: Sample,
        offered: list[Pipeline],
        reported: list[str],
        processes: int | None,
    ) -> tuple[list[Pipeline], list[str]]:
        """Rebuild the task; without it the logged score of each question has to do."""
        file = self.found.file
        try:
            task = source.rebuilt(file.task, first.get("doc"))
            rescorer = Rescorer(file.task, task, processes)
            logged = {pipeline.name for pipeline in offered}
            both = [pipeline for pipeline in rescorer.pipelines if pipeline.name in logged]
            if not both:
                raise InputError("the task's filters have other names now")
            tried = chosen(file.task, both, reported, choice_for(file.task, self.options))
            rescorer.scores([first], 1, (tried.filter, tried.metric), True)
        except InputError as refusal:
            self.found.notes.append(self.by_logged_scores(refusal))
            return offered, reported
        self.rescorer = rescorer
        return both, reported

    def by_logged_scores(self, why: InputError) -> Note:
        """What is said where responses are not scored again."""
        path = self.found.file.path
        return note("logged_scores", path=path, repeats=self.logged_repeats, why=why)

    def read(self, log: SamplesLog, advance: Callable[[int], None]) -> None:
        found, path = self.found, self.found.file.path
        seen: set[tuple[str, str]] = set()
        try:
            for number, size, sample in log.samples(self.correct.filter, advance):
                if str(sample["filter"]) != self.correct.filter:
                    continue
                key = (str(sample.get("doc_id")), str(sample["doc_hash"]))
                if key in seen and "doc_id" in sample:
                    found.counts["written twice"] += 1
                    continue
                seen.add(key)
                try:
                    self._take(number, size, sample)
                except _NoScore as problem:
                    log.broken.append(f"{path}: line {number}: {problem}")
                    continue
                found.counts["used"] += 1
        except CutOff as cut:
            found.counts["cut off"] += 1
            found.notes.append(note("cut_off", path=path, line=cut.line))
        self._flush()
        self._leave_out(log)
        if log.broken:
            found.counts["broken and left out"] = len(log.broken)
            first, lines = log.broken[0], len(log.broken)
            found.notes.append(note("broken_lines", first=first, lines=lines))
        self._say_cut_short()
        if self.columns["rate"]:
            self._finish()

    def _leave_out(self, log: SamplesLog) -> None:
        """Take rows out that scoring could make nothing of."""
        log.broken += self.unusable.values()
        self.found.counts["used"] -= len(self.unusable)
        for name, values in self.columns.items():
            self.columns[name] = [one for at, one in enumerate(values) if at not in self.unusable]

    def _say_cut_short(self) -> None:
        """A copy that was broken off between two lines looks whole; the results know better."""
        file = self.found.file
        count = ((file.results.get("n-samples") or {}).get(file.task) or {}).get("effective")
        there = self.found.counts["used"] + self.found.counts["broken and left out"]
        if isinstance(count, int) and there < count:
            self.found.notes.append(note("cut_short", path=file.path, there=there, told=count))

    def _take(self, number: int, size: int, sample: Sample) -> None:
        """Take a sample in. Raises _NoScore, before anything is kept, where it holds no score."""
        drawn = min(len(responses) for responses in sample["resps"])
        within = min(drawn, self.repeats)
        score = self._logged(sample, within) if self.rescorer is None else None
        rate = analytic_rate(sample) if self.analytic else None
        columns = self.columns
        for name in _HASHES:
            columns[name].append(str(sample.get(name, "")))
        columns["n_correct"].append(math.nan)
        columns["n_samples"].append(0)
        columns["rate"].append(math.nan)
        at = len(columns["rate"]) - 1
        if rate is None:  # the gold stands elsewhere: the logged accuracy is what there is
            self.analytic = False
        else:
            self.analytic_rates.append(rate)
        if within > 1:
            self.repeated += 1
            first = sample["resps"][0][:within]
            self.same += all(response == first[0] for response in first)
        if drawn > self.repeats:
            self.found.counts["with padding cut"] += 1
        elif drawn < self.repeats and self.repeats == self.logged_repeats:
            self.found.counts["with fewer responses"] += 1
        if score is not None:
            self._set(at, *score)
            return
        if within != self._batched_repeats():
            self._flush()
        self.batch.append((number, at, sample))
        self.batch_bytes += size
        if self.batch_bytes > _BATCH_BYTES:
            self._flush()

    def _logged(self, sample: Sample, drawn: int) -> tuple[float, int]:
        """(right answers, answers) as the file itself states them."""
        task, metric = self.found.file.task, self.correct.metric
        fractional = self.options.allow_fractional
        if self.per_repeat:
            scores = _per_repeat(sample.get("scores_per_repeat"), metric, self.correct.filter)
            if scores is not None:
                if drawn > 1:
                    scores = scores[:drawn]
                values = [passed(_number(one, metric), task, metric, fractional) for one in scores]
                return sum(values), len(values)
        if self.counted and not self.analytic:
            count = sample.get("n_correct")
            right = float(_number(count, "n_correct"))
            if not 0 <= right <= drawn:
                raise _NoScore(f"n_correct is {count} of {drawn} responses")
            return right, drawn
        if metric not in sample:
            raise _NoScore(f"has no {metric}, which earlier lines have")
        return passed(_number(sample[metric], metric), task, metric, fractional), 1

    def _batched_repeats(self) -> int:
        if not self.batch:
            return -1
        drawn = min(len(responses) for responses in self.batch[0][2]["resps"])
        return min(drawn, self.repeats)

    def _flush(self) -> None:
        if not self.batch or self.rescorer is None:
            return
        try:
            scores = list(self._scores([sample for _, _, sample in self.batch]))
        except InputError as problem:
            scores = self._scores_one_by_one(problem)
        for (_, at, sample), row in zip(self.batch, scores, strict=True):
            if row is None:
                continue
            self._set(at, float(row.sum()), len(row))
            logged = sample.get(self.correct.metric)
            if isinstance(logged, (int, float)):
                self.compared += 1
                self.agreeing += logged == row[0]
        self.batch, self.batch_bytes = [], 0

    def _scores(self, samples: list[Sample]) -> Any:
        assert self.rescorer is not None
        correct = (self.correct.filter, self.correct.metric)
        fractional = self.options.allow_fractional
        return self.rescorer.scores(samples, self._batched_repeats(), correct, fractional)

    def _scores_one_by_one(self, problem: InputError) -> list[Any]:
        """The scores of a batch in which something cannot be scored; None for that.

        Raises NotRescored where it is most of the file so far: then it is the task that does not
        fit.
        """
        scores: list[Any] = []
        for number, at, sample in self.batch:
            try:
                scores.append(self._scores([sample])[0])
            except InputError as why:
                scores.append(None)
                self.unusable[at] = f"{self.found.file.path}: line {number}: {why}"
                if 2 * len(self.unusable) > len(self.columns["rate"]):
                    raise NotRescored(str(problem)) from None
        return scores

    def _set(self, at: int, right: float, drawn: int) -> None:
        self.columns["n_correct"][at] = right
        self.columns["n_samples"][at] = drawn
        self.columns["rate"][at] = right / drawn

    def _finish(self) -> None:
        found, file = self.found, self.found.file
        if self.analytic:
            self.columns["rate"] = self.analytic_rates
            self.columns["n_samples"] = [0] * len(self.analytic_rates)
            self.columns["n_correct"] = [math.nan] * len(self.analytic_rates)
        found.columns = self.columns
        drawn = max(self.columns["n_samples"])
        told = {"identical_share": self.same / self.repeated} if self.repeated and drawn > 1 else {}
        found.how = self._how(drawn)
        pooled = self.rescorer is not None and any(
            p.pooled for p in self.rescorer.pipelines if p.name == self.correct.filter
        )
        if self.compared > self.agreeing and not pooled:
            found.notes.append(
                note(
                    "other_definition",
                    path=file.path,
                    agreeing=self.agreeing,
                    compared=self.compared,
                )
            )
        results = file.results
        found.about = {
            "version": (results.get("versions") or {}).get(file.task),
            "filter": self.correct.filter,
            "metric": self.correct.metric,
            "chosen_by": self.correct.source,
            "repeats": drawn,
            "generation_kwargs": file.config.get("generation_kwargs") or {},
            "num_fewshot": (results.get("n-shot") or {}).get(file.task),
            "questions": len(self.columns["rate"]),
            "scored": found.how,
            **told,
        }

    def _how(self, drawn: int) -> str:
        if self.analytic:
            return "analytic rates of log-likelihoods"
        if self.rescorer is not None:
            return f"{drawn} responses a question, re-scored"
        if self.per_repeat or self.counted:
            return f"{drawn} responses a question, scores as logged"
        return "one logged score a question"


def _per_repeat(scores: Any, metric: str, filter_name: str) -> list[Any] | None:
    """One metric's scores of all repeats in the harness's coming format; None if it has none."""
    if not isinstance(scores, Mapping):
        return None
    for key in (metric, f"{metric},{filter_name}"):
        found = scores.get(key)
        if isinstance(found, list) and found:
            return found
    return None
