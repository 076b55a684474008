from __future__ import annotations

from typing import Any

import pandas as pd

from cod_harness.ladder.compare import differences, question_differences, settings_differences
from cod_harness.ladder.passrates import PassRates

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
