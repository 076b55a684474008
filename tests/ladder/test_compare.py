from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.compare import (
    clones,
    differences,
    question_differences,
    refuse_serious,
    settings_differences,
)
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.store import COPIES

TASK: dict[str, Any] = {
    "version": 3,
    "filter": "strict",
    "metric": "exact_match",
    "repeats": 8,
    "generation_kwargs": {"temperature": 1.0, "until": ["\n"]},
    "num_fewshot": 8,
    "prompt_hash": "aa",
    "questions": 10,
}


def run(rung: str, **changes: Any) -> dict[str, Any]:
    return {"rung": rung, "checkpoint": "", "tasks": {"gsm": {**TASK, **changes}}}


def words(*runs: dict[str, Any]) -> list[str]:
    return [str(found) for found in settings_differences(runs)]


def test_equal_runs() -> None:
    assert words() == words(run("a")) == words(run("a"), run("b"), run("b")) == []


def test_draws_may_differ_and_the_unknown_is_not_compared() -> None:
    unknown = run("c", version=None, prompt_hash="", generation_kwargs=None)
    assert words(run("a"), run("b", repeats=100), unknown, {"rung": "d"}) == []


def test_differences_name_task_and_rungs() -> None:
    assert words(run("a"), run("b"), run("c", version=4)) == [
        "gsm: version is 3 on a and b, 4 on c"
    ]
    hot = {"temperature": 0.7, "until": ["\n"], "top_p": 0.7}
    assert words(run("a"), run("b", generation_kwargs=hot)) == [
        "gsm: generation setting temperature is 1.0 on a, 0.7 on b",
        "gsm: generation setting top_p is (not set) on a, 0.7 on b",
    ]
    many = [run(name) for name in "abcdefg"]
    assert words(*many, run("x", filter="loose")) == [
        "gsm: filter is strict on a, b, c, d and 3 more, loose on x"
    ]


def test_prompts_are_compared_on_equal_question_counts_only() -> None:
    assert words(run("a"), run("b", prompt_hash="bb")) == [
        "gsm: the hash of all prompts is aa on a, bb on b"
    ]
    (found,) = settings_differences([run("a"), run("b", prompt_hash="bb", questions=5)])
    assert found.kind == "missing" and "number of questions is 10 on a, 5 on b" in found.text


def table(**hashes: dict[str, list[str]]) -> PassRates:
    parts = [
        pd.DataFrame({"task": "t", "question": ["p", "q"], "model": model, "rate": 0.5, **columns})
        for model, columns in hashes.items()
    ]
    return PassRates(pd.concat(parts))


def test_questions_in_other_words() -> None:
    same = {"doc_hash": ["1", "2"], "prompt_hash": ["1", "2"]}
    assert question_differences(table(a=same, b=same, c={})) == []
    (found,) = question_differences(table(a=same, b=same | {"prompt_hash": ["1", "3"]}))
    assert found.kind == "content"
    assert found.text == ("t: the prompts of 1 of 2 questions differ (the first is 'q' on a and b)")


def test_missing_questions() -> None:
    frame = table(a={}, b={}, c={}).frame
    rates = PassRates(frame[~((frame["model"] == "b") & (frame["question"] == "q"))])
    (found,) = question_differences(rates)
    assert found.kind == "missing" and "of 2 questions some were not asked: b 1" in found.text


def test_the_questions_own_hashes_outrank_the_hash_of_all() -> None:
    hashes = {"prompt_hash": ["1", "2"]}
    runs = [
        {"rung": name, "tasks": {"t": {"prompt_hash": name, "questions": 2}}} for name in ("a", "b")
    ]
    alike = table(a=hashes, b=hashes)
    assert differences(PassRates(alike.frame, runs)) == []
    assert len(differences(PassRates(table(a={}, b={}).frame, runs))) == 1


def test_names_up_to_four_are_all_told() -> None:
    for names, told in (("a", "a"), ("abcd", "a, b, c and d"), ("abcde", "a, b, c, d and 1 more")):
        runs = [*map(run, names), run("x", version=4)]
        assert words(*runs) == [f"gsm: version is 3 on {told}, 4 on x"]


def test_what_is_serious_is_refused_unless_it_is_allowed() -> None:
    found = settings_differences([run("a"), run("b", version=4, questions=5, filter="x")])
    assert [one.kind for one in found] == ["settings", "settings", "missing"]
    with pytest.raises(InputError) as refused:
        refuse_serious(found, False, "run them alike or give")
    assert str(refused.value) == (
        "the runs differ: gsm: version is 3 on a, 4 on b (and 1 more differences); run them alike "
        "or give --allow-mismatch"
    )
    with pytest.raises(InputError, match=r"4 on b; do --allow"):
        refuse_serious(found[:1], False, "do")
    assert refuse_serious(found, True, "") == found[:2]
    assert refuse_serious(found[2:], False, "") == []


def test_samples_that_are_copies_are_told_of() -> None:
    def of(rung: str, share: float | None, task: str = "t") -> dict[str, Any]:
        return {"rung": rung, "tasks": {task: {"identical_share": share}}}

    runs = [of("a", 0.5), of("b", None), of("c", COPIES), of("c", 1.0), of("a", 1.0, "u"), {}]
    assert clones(PassRates(table(a={}).frame, runs)) == [
        "t: on c all samples of a question are the same, as from one seed or a cache: they count "
        "as one sample",
        "u: on a all samples of a question are the same, as from one seed or a cache: they count "
        "as one sample",
    ]
    assert clones(PassRates(table(a={}).frame, [of("a", COPIES - 0.01)])) == []
