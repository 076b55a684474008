"""Scores of every repeat of every document, through the task's own filters and metrics.

The harness keeps one score a document: its filters collapse the repeats before
`process_results` sees them. Here each repeat gets an instance of its own (a shadow of the
harness's), the filters run once over the flat list of shadows, and `process_results` scores each
distinct filtered answer once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from cod_harness.harness.scoring import parallel
from cod_harness.harness.scoring.analytic import choice_rate, text_rate
from cod_harness.harness.scoring.correctness import metric_of, passed
from cod_harness.harness.scoring.responses import Answered
from cod_harness.harness.scoring.symbolic import remembered_symbols
from cod_harness.ladder.metrics import Correct, Pipeline, chosen


@dataclass
class Scored:
    """Scores of one task.

    correct: what counted. scores: (documents, repeats), 0 or 1 (or between, if allowed).
    agreeing: documents whose first shadow passed the filters to the very answer the harness got;
    None where the pipeline pools repeats and the two need not agree.
    """

    correct: Correct
    scores: npt.NDArray[np.float64]
    agreeing: int | None


def pipelines(task: Any) -> list[Pipeline]:
    """The task's filter pipelines, with a mark on those that look at several repeats at once."""
    return [
        Pipeline(ensemble.name, not _one_by_one(task) and _pools(ensemble))
        for ensemble in task._filters
    ]


def _one_by_one(task: Any) -> bool:
    """Whether the task's filters keep all repeats but look at them one by one (`repeated`)."""
    return bool(getattr(task, "one_by_one", False))


def _pools(ensemble: Any) -> bool:
    from lm_eval.filters.selection import MajorityVoteFilter, TakeFirstFilter, TakeKFilter

    kinds = [make.func if isinstance(make, partial) else make for make in ensemble.filters]
    # Without `take_first` the metric itself sees the whole list (code tasks: pass@k).
    return TakeFirstFilter not in kinds or bool({MajorityVoteFilter, TakeKFilter} & set(kinds))


def _for_one_response(ensemble: Any) -> Any:
    """The pipeline with every `take_first_k` set to 1: it refuses fewer responses than its k."""
    from lm_eval.filters.selection import TakeKFilter

    filters = [
        partial(make.func, **{**make.keywords, "k": 1})
        if isinstance(make, partial) and make.func is TakeKFilter
        else make
        for make in ensemble.filters
    ]
    return type(ensemble)(name=ensemble.name, filters=filters)


def score(
    name: str,
    task: Any,
    documents: Sequence[Answered],
    choice: tuple[str, str] | None,
    allow_fractional: bool,
    processes: int | None = None,
) -> Scored:
    """Score every repeat of every document, in up to `processes` processes (default: all cores).

    Raises InputError where no (filter, metric) fits or its values are no 0/1 scores.
    """
    repeats = min(document.repeats for document in documents)
    correct = _settle(name, task, documents[0], choice)
    answers = _filtered(task, documents, correct.filter, repeats)
    agreeing = _agreement(task, documents, answers, correct.filter)

    distinct: list[list[Any]] = []  # document -> its different answers
    where = np.zeros((len(documents), repeats), dtype=np.intp)  # repeat -> index among them
    for at, per_repeat in enumerate(answers):
        memo: dict[Any, int] = {}
        distinct.append([])
        for repeat, answer in enumerate(per_repeat):
            key = _key(answer)
            if key not in memo:
                memo[key] = len(distinct[at])
                distinct[at].append(answer)
            where[at, repeat] = memo[key]

    with _remembered_targets(task, documents), remembered_symbols(task):
        values = parallel.mapped(
            _document_scorer(name, task, documents, distinct, correct, allow_fractional),
            sizes=[len(different) for different in distinct],
            label=f"cod: scoring {name}",
            processes=processes,
        )
    scores = np.array([np.asarray(row)[where[at]] for at, row in enumerate(values)], dtype=float)
    return Scored(correct, scores.reshape(len(documents), repeats), agreeing)


def _document_scorer(
    name: str,
    task: Any,
    documents: Sequence[Answered],
    distinct: Sequence[Sequence[Any]],
    correct: Correct,
    allow_fractional: bool,
) -> Callable[[int], list[float]]:
    """Index of a document -> the scores of its different answers."""

    def scores_of(at: int) -> list[float]:
        document = documents[at].doc
        found = []
        for answer in distinct[at]:
            # Filtered answers may be lists that a metric changes in place.
            results = task.process_results(document, [copy.copy(part) for part in answer])
            value = metric_of(results, correct, name)
            found.append(passed(value, name, correct.metric, allow_fractional))
        return found

    return scores_of


def _settle(name: str, task: Any, document: Answered, choice: tuple[str, str] | None) -> Correct:
    """Choose (filter, metric) with the metrics the task really reports for a document."""
    offered = pipelines(task)
    tentative = chosen_filter(offered, choice)
    answer = _filtered(task, [document], tentative, 1)[0][0]
    reported = task.process_results(copy.copy(document.doc), list(answer))
    if choice is None:
        # A table may prefer another filter; the metrics are the same under every filter.
        return chosen(name, offered, list(reported))
    correct = Correct(*choice, source="user")
    metric_of(reported, correct, name)
    return chosen(name, offered, list(reported), choice)


def chosen_filter(offered: Sequence[Pipeline], choice: tuple[str, str] | None) -> str:
    """A filter to look at the metrics with: the user's, else the first for single responses."""
    if choice is not None and any(pipeline.name == choice[0] for pipeline in offered):
        return choice[0]
    return next((pipeline.name for pipeline in offered if not pipeline.pooled), offered[0].name)


def _filtered(
    task: Any, documents: Sequence[Answered], filter_name: str, repeats: int
) -> list[list[list[Any]]]:
    """Document -> repeat -> filtered answers to the document's requests."""
    ensemble = next(found for found in task._filters if found.name == filter_name)
    shadows = []
    for document in documents:
        for repeat in range(repeats):
            for instance in document.instances:
                shadow = copy.copy(instance)
                shadow.resps = [instance.resps[repeat]]
                shadow.filtered_resps = {}
                shadows.append(shadow)
    # One application for all: some filters are costly to build, and some see the whole list.
    _for_one_response(ensemble).apply(shadows)
    answers = iter(shadow.filtered_resps[filter_name] for shadow in shadows)
    return [
        [[next(answers) for _ in document.instances] for _ in range(repeats)]
        for document in documents
    ]


def _agreement(
    task: Any,
    documents: Sequence[Answered],
    answers: Sequence[Sequence[Sequence[Any]]],
    filter_name: str,
) -> int | None:
    if next(found.pooled for found in pipelines(task) if found.name == filter_name):
        return None

    def own(instance: Any) -> Any:
        found = instance.filtered_resps.get(filter_name)
        return found[:1] if _one_by_one(task) and isinstance(found, list) else found

    return sum(
        all(
            _key([mine]) == _key([own(instance)])
            for mine, instance in zip(first[0], document.instances, strict=True)
        )
        for document, first in zip(documents, answers, strict=True)
    )


def _key(answer: Sequence[Any]) -> Any:
    """What makes two filtered answers the same. Text as it is, anything else by its repr."""
    return tuple(part if isinstance(part, str) else (type(part), repr(part)) for part in answer)


@contextmanager
def _remembered_targets(task: Any, documents: Sequence[Answered]) -> Iterator[None]:
    """While scoring, a stock task is given the targets it has named already.

    `doc_to_target` compiles a template at each call, which is most of an exact match's cost.
    A task with code of its own is left alone: its target may depend on more than the document.
    """
    from lm_eval.api.task import ConfigurableTask

    stock = (
        isinstance(task, ConfigurableTask)
        and type(task).process_results is ConfigurableTask.process_results
        and type(task).doc_to_target is ConfigurableTask.doc_to_target
        and not callable(task.config.process_results)
        and isinstance(task.config.doc_to_target, str)
    )
    if not stock:
        yield
        return
    original = task.doc_to_target
    targets = {id(document.doc): document.target for document in documents}

    def remembered(doc: Any, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs or id(doc) not in targets:
            return original(doc, *args, **kwargs)
        return copy.copy(targets[id(doc)])

    task.doc_to_target = remembered
    try:
        yield
    finally:
        del task.doc_to_target


def analytic_rates(name: str, task: Any, documents: Sequence[Answered]) -> list[float]:
    """Pass rates in [0, 1] that need no sampling (App. H; ours).

    Multiple choice: `choice_rate`. One log-likelihood (lambada and its like): `text_rate`.
    """
    if task.OUTPUT_TYPE == "loglikelihood":
        return [text_rate(_loglikelihoods(document)[0]) for document in documents]
    rates = []
    for document in documents:
        choices = list(task.doc_to_choice(document.doc))
        # With mutual information, a second set of requests without the question follows.
        lls = _loglikelihoods(document)[: len(choices)]
        rates.append(choice_rate(lls, gold_choices(task, document.doc, choices)))
    return rates


def greedy_correct(task: Any, documents: Sequence[Answered]) -> list[float]:
    """The harness's own `acc` of a multiple-choice document, 0 or 1, for checking against it."""
    correct = []
    for document in documents:
        choices = list(task.doc_to_choice(document.doc))
        lls = _loglikelihoods(document)[: len(choices)]
        correct.append(float(int(np.argmax(lls)) in gold_choices(task, document.doc, choices)))
    return correct


def _loglikelihoods(document: Answered) -> list[float]:
    return [float(instance.resps[0][0]) for instance in document.instances]


def gold_choices(task: Any, doc: Any, choices: Sequence[str]) -> list[int]:
    """Indices of the right choices, in the ways the harness lets a task state them.

    A gold outside the choices is dropped: the harness then counts the document as wrong.
    """
    gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    if isinstance(gold, str):
        gold = choices.index(gold) if gold in choices else -1
    indices = gold if isinstance(gold, list) else [gold]
    return sorted({int(index) for index in indices if 0 <= int(index) < len(choices)})
