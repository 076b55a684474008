"""Groups that the harness weighs by their questions; the others are none here."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from cod_harness.ladder.groups import pooled_groups, with_groups


def results(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "results": {
            "g": {"acc,none": 0.4, "acc_stderr,none": 0.9, "alias": "g"},
            "one": {"acc,none": 0.2, "acc_stderr,none": 0.1},
            "two": {"acc,none": 0.5, "acc_stderr,none": 0.1},
        },
        "group_subtasks": {"g": ["one", "two"], "one": [], "two": []},
        "n-samples": {"one": {"effective": 10}, "two": {"effective": 20}},
    }
    return found | changes


def test_a_group_whose_score_is_the_mean_over_all_questions() -> None:
    assert pooled_groups(results()) == {"g": ["one", "two"]}
    assert pooled_groups({}) == {}


@pytest.mark.parametrize(
    "score",
    [
        {"acc,none": 0.35},  # the mean of means
        {"acc,none": 0.4 + 2e-6},
        {"acc_stderr,none": 0.4},  # nothing to compare
        {"acc,none": "0.4"},
        {"acc": 0.4},
        {"acc,none": 0.4, "em,none": 0.4},  # of which the tasks have none
        {},
    ],
)
def test_a_score_that_is_another(score: dict[str, Any]) -> None:
    scores = results()["results"] | {"g": score}
    found = pooled_groups(results(results=scores))
    assert found == ({"g": ["one", "two"]} if "em,none" in score else {})


def test_a_score_within_rounding() -> None:
    scores = results()["results"] | {"g": {"acc,none": 0.4 + 5e-7}}
    assert pooled_groups(results(results=scores)) == {"g": ["one", "two"]}


def test_every_score_has_to_be_the_mean() -> None:
    scores = {
        "g": {"acc,none": 0.4, "em,none": 0.9},
        "one": {"acc,none": 0.2, "em,none": 0.1},
        "two": {"acc,none": 0.5, "em,none": 0.1},
    }
    assert pooled_groups(results(results=scores)) == {}


def test_sizes_must_be_known_and_tasks_several() -> None:
    assert pooled_groups(results(**{"n-samples": {"one": {"effective": 10}}})) == {}
    assert pooled_groups(results(group_subtasks={"g": ["two"]})) == {}


def test_groups_inside_of_groups_are_taken_apart() -> None:
    nested = {"g": ["inner", "two"], "inner": ["one", "g"]}  # a circle ends
    found = pooled_groups(results(group_subtasks=nested))
    assert found.get("g", ["one", "two"])[0] == "one"
    plain = {"g": ["inner", "two", "one"], "inner": ["one"]}  # a task counts once
    assert pooled_groups(results(group_subtasks=plain)) == {"g": ["one", "two"]}


def table(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["task", "question", "model", "metric"])
    return frame.assign(checkpoint="", rate=0.5)


def test_a_model_counts_once_it_has_all_tasks() -> None:
    rows = [("one", "p", "a", ""), ("two", "p", "a", ""), ("one", "p", "b", "")]
    found = with_groups(table(*rows), [{"pooled": {"g": ["one", "two"]}}, {}])
    group = found[found["task"] == "g"]
    assert group[["question", "model"]].to_numpy().tolist() == [["one/p", "a"], ["two/p", "a"]]
    assert len(found) == 5


def test_groups_that_cannot_be_had() -> None:
    rows = [("one", "p", "a", ""), ("two", "p", "a", "")]
    frame = table(*rows)
    for pooled in ({"one": ["one", "two"]}, {"g": ["one", "three"]}, {}):
        assert with_groups(frame, [{"pooled": pooled}]) is frame
    several = table(("one", "p", "a", "acc"), ("two", "p", "a", "em"))
    assert with_groups(several, [{"pooled": {"g": ["one", "two"]}}]) is several
    half_known = table(("one", "p", "a", "acc"), ("two", "p", "a", ""))
    assert len(with_groups(half_known, [{"pooled": {"g": ["one", "two"]}}])) == 4
    # A checkpoint is measured on its own.
    apart = table(*rows).assign(checkpoint=["x", "y"])
    assert with_groups(apart, [{"pooled": {"g": ["one", "two"]}}]) is apart


def test_the_first_run_that_names_a_group_says_what_is_in_it() -> None:
    rows = [("one", "p", "a", ""), ("two", "p", "a", ""), ("three", "p", "a", "")]
    runs = [{"pooled": {"g": ["one", "two"]}}, {"pooled": {"g": ["one", "three"]}}]
    found = with_groups(table(*rows), runs)
    assert found[found["task"] == "g"]["question"].tolist() == ["one/p", "two/p"]


def test_a_task_of_unknown_size_weighs_nothing() -> None:
    """Were it counted as one question, the group's score would be the mean."""
    scores = results()["results"] | {"g": {"acc,none": (10 * 0.2 + 0.5) / 11}}
    for size in ({}, {"effective": None}, {"effective": 0}, {"effective": float("inf")}):
        counts = {"one": {"effective": 10}, "two": size}
        assert pooled_groups(results(**{"results": scores, "n-samples": counts})) == {}
