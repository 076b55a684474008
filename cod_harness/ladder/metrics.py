"""Which (filter, metric) of a task counts as "correct".

Known families stand in a table; other tasks follow a stated order. The user's own choice
beats both. Whatever was chosen is recorded with the pass rates.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cod_harness.errors import InputError


@dataclass(frozen=True)
class Correct:
    """The filter pipeline and the metric that decide; source says who chose them."""

    filter: str
    metric: str
    source: str  # "user", "table" or "default"


@dataclass(frozen=True)
class Pipeline:
    """One filter pipeline of a task; pooled: it looks at several repeats of a question at once."""

    name: str
    pooled: bool


# Task-name pattern, filters and metrics, best first. What a run does not offer is passed over.
_FAMILIES: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]] = (
    (r"gsm8k.*|gsm_plus.*", ("strict-match", "score-first"), ("exact_match",)),
    (r"minerva_math.*|hendrycks_math.*|math(_.*)?", ("none",), ("math_verify", "exact_match")),
    (r"bbh.*", ("get-answer", "flexible-extract", "none"), ("exact_match", "acc")),
    (r"triviaqa.*|nq_open.*", ("remove_whitespace",), ("exact_match",)),
    (r"mbpp.*", ("none", "extract_code"), ("pass_at_1", "pass@1")),
    (r"humaneval.*", ("create_test",), ("pass@1", "pass_at_1")),
    (r"agieval.*", ("none",), ("acc",)),
    (r"drop", ("none",), ("em",)),  # f1 is partial credit, not a pass rate
    (r"mmlu_pro.*", ("custom-extract",), ("exact_match",)),
)

# Any other task: the first of these metrics that it reports, under its first filter that looks at
# one response at a time.
DEFAULT_METRICS = (
    "exact_match",
    "acc",
    "em",
    "pass@1",
    "pass_at_1",
    "math_verify",
    "prompt_level_strict_acc",
    "acc_norm",
    "mc1",
)

# What the last word of a logged metric is called where it is an accuracy.
ACCURACIES = (*DEFAULT_METRICS, "len_norm")

# Known to be partial credit, losses or corpus measures: refused by name before any model runs.
_NOT_A_PASS_RATE = frozenset(
    {"f1", "bleu", "chrf", "ter", "rouge1", "rouge2", "rougeL", "rougeLsum", "perplexity", "mcc"}
    | {"word_perplexity", "byte_perplexity", "bits_per_byte", "likelihood", "brier_score"}
    | {"ppl", "likelihood_diff", "likelihood_difference", "pct_stereotype"}
)


def chosen(
    task: str,
    pipelines: Sequence[Pipeline],
    metrics: Collection[str],
    choice: tuple[str, str] | None = None,
) -> Correct:
    """The (filter, metric) of `task`, from what it offers.

    pipelines in the task's own order; metrics: names it reports; choice: the user's.
    Raises InputError where the user's choice does not exist or nothing suitable does.
    """
    names = [pipeline.name for pipeline in pipelines]
    if choice is not None:
        for kind, wanted, offered in (
            ("filter", choice[0], names),
            ("metric", choice[1], sorted(metrics)),
        ):
            if wanted not in offered:
                raise InputError(
                    f"task {task}: no {kind} '{wanted}' as --cod-metric asks; it has "
                    + ", ".join(offered)
                )
        return Correct(*choice, source="user")
    for pattern, filters, preferred in _FAMILIES:
        # The configurations that ship are named after the harness's: cod_gsm8k.
        if re.fullmatch(pattern, task.removeprefix("cod_")):
            filter_name = next((name for name in filters if name in names), None)
            metric = next((name for name in preferred if name in metrics), None)
            if filter_name is not None and metric is not None:
                return Correct(filter_name, metric, source="table")
    single = [pipeline.name for pipeline in pipelines if not pipeline.pooled] or names
    usable = [name for name in metrics if name not in _NOT_A_PASS_RATE]
    metric = next((name for name in DEFAULT_METRICS if name in usable), None)
    if metric is None and len(usable) == 1:
        metric = usable[0]
    if metric is None:
        raise InputError(
            f"task {task}: none of its metrics ({', '.join(sorted(metrics))}) is a known 0/1 "
            f"score; name one with --cod-metric {task}={single[0]}/METRIC"
        )
    return Correct(single[0], metric, source="default")


def metric_choice(text: str, flag: str = "--cod-metric") -> tuple[str, tuple[str, str]]:
    """``gsm8k=strict-match/exact_match`` -> (task, (filter, metric))."""
    task, equals, choice = text.partition("=")
    # Filter names hold `@` and `-`; metric names may hold `/` in no known task, filters neither.
    name, slash, metric = choice.partition("/")
    if not (task and equals and name and slash and metric):
        raise InputError(
            f"{flag} {text}: write TASK=FILTER/METRIC, as in gsm8k=strict-match/exact_match"
        )
    return task, (name, metric)
