"""Which filter and metric count."""

from __future__ import annotations

import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.metrics import Correct, Pipeline, chosen, metric_choice


def offered(*names: str, pooled: tuple[str, ...] = ()) -> list[Pipeline]:
    return [Pipeline(name, name in pooled) for name in names]


@pytest.mark.parametrize(
    ("task", "filters", "metrics", "found"),
    [
        ("gsm8k_cot", ("flexible-extract", "strict-match"), ("exact_match",), "strict-match"),
        ("cod_gsm8k", ("score-first", "none"), ("exact_match",), "score-first"),
        ("bbh_cot", ("none", "get-answer"), ("acc", "exact_match"), "get-answer"),
        ("drop", ("none",), ("f1", "em"), "none"),
    ],
)
def test_known_families(
    task: str, filters: tuple[str, ...], metrics: tuple[str, ...], found: str
) -> None:
    metric = "em" if task == "drop" else "exact_match"
    assert chosen(task, offered(*filters), metrics) == Correct(found, metric, "table")


def test_a_family_without_what_it_wants_is_any_task() -> None:
    assert chosen("gsm8k", offered("mine"), ["exact_match"]) == Correct(
        "mine", "exact_match", "default"
    )
    assert chosen("drop", offered("none"), ["acc"]) == Correct("none", "acc", "default")


def test_any_other_task() -> None:
    pipelines = offered("maj", "first", "last", pooled=("maj",))
    # The first that looks at one response, and the first metric in the stated order.
    assert chosen("t", pipelines, ["acc_norm", "acc"]) == Correct("first", "acc", "default")
    assert chosen("t", offered("maj", pooled=("maj",)), ["acc"]).filter == "maj"
    # The only one left counts; of two unknown ones none does.
    assert chosen("t", pipelines, ["odd", "f1"]).metric == "odd"
    with pytest.raises(InputError, match=r"its metrics \(even, odd\).*--cod-metric t=first/METRIC"):
        chosen("t", pipelines, ["odd", "even"])
    with pytest.raises(InputError, match="none of its metrics"):
        chosen("t", pipelines, ["f1"])


def test_the_user_decides() -> None:
    pipelines = offered("strict-match", "maj", pooled=("maj",))
    assert chosen("gsm8k", pipelines, ["f1"], ("maj", "f1")) == Correct("maj", "f1", "user")
    with pytest.raises(InputError, match="no filter 'x' as --cod-metric asks; it has strict-match"):
        chosen("gsm8k", pipelines, ["f1"], ("x", "f1"))
    with pytest.raises(InputError, match="no metric 'acc' as --cod-metric asks; it has em, f1"):
        chosen("gsm8k", pipelines, ["f1", "em"], ("maj", "acc"))


def test_a_choice_as_text() -> None:
    assert metric_choice("a=b@c/d") == ("a", ("b@c", "d"))
    for text in ("a", "a=", "a=b", "a=b/", "a=/b", "=a/b"):
        with pytest.raises(InputError, match="write TASK=FILTER/METRIC"):
            metric_choice(text)
    with pytest.raises(InputError, match=r"^--metric a: write"):
        metric_choice("a", "--metric")
