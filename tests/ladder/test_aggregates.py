from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.aggregates import (
    aggregate_table,
    ladder_aggregates,
    questions_behind,
    read_aggregates,
)
from cod_harness.ladder.manifest import Ladder, Model

RECORDED = Path(__file__).parents[1] / "harness/recorded/lm-eval-0.4.9"


def last_part(names: Sequence[str]) -> str:
    return names[0].rsplit("/", 1)[-1]


def written(path: Path, **content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_what_the_harness_wrote() -> None:
    found = read_aggregates([RECORDED], last_part)
    assert found.notes == ()
    (one,) = found.of("cod_t_choice", "acc")
    assert (one.model, one.filter, one.accuracy, one.n) == ("f1", "none", 0.5, 8)
    assert one.stderr == pytest.approx(0.1889822365)
    assert len(found.of("cod_t_two_filters", "exact_match")) == 2
    (strict,) = found.of("cod_t_two_filters", "exact_match", "strict-match")
    assert strict.filter == "strict-match"
    (group,) = found.of("cod_t_group", "em")  # of a group no count is told: it follows
    assert group.n == 8
    assert found.of("cod_t_choice", "f1") == []


@pytest.mark.parametrize(("right", "n"), [(1, 2), (3, 8), (70, 100), (1234, 14042)])
def test_the_count_follows_from_the_standard_error(right: int, n: int) -> None:
    p = right / n
    assert questions_behind(p, math.sqrt(p * (1 - p) / (n - 1))) == n


@pytest.mark.parametrize(("p", "stderr"), [(0, 0.1), (1, 0.1), (0.5, 0.0), (0.5, math.nan)])
def test_where_it_tells_nothing(p: float, stderr: float) -> None:
    assert questions_behind(p, stderr) is None


def test_files_of_version_0_3_have_no_filters_and_no_counts(tmp_path: Path) -> None:
    scores = {"acc": 0.7, "acc_stderr": math.sqrt(0.21 / 99), "ppl": 12.5, "acc_norm": True}
    path = written(tmp_path / "old.json", results={"arc": scores}, config={})
    found = read_aggregates([path], lambda names: "a")
    (one,) = found.values
    assert (one.task, one.metric, one.filter, one.n) == ("arc", "acc", "", 100)
    assert found.of("arc", "acc", "none") == [one]  # stands for every filter
    assert found.tasks == ["arc"]


def test_the_newest_of_a_model_counts(tmp_path: Path) -> None:
    for date, accuracy in ((2.0, 0.5), (1.0, 0.25)):
        results = {"arc": {"acc,none": accuracy}}
        written(tmp_path / f"org__a/results_{date}.json", results=results, date=date)
    found = read_aggregates([tmp_path], last_part)
    (one,) = found.values
    assert (one.model, one.accuracy, one.n) == ("a", 0.5, None)
    assert math.isnan(one.stderr)
    (note,) = found.notes
    assert "results_1.0.json: not used where results_2.0.json is newer" in note


def test_names_of_the_model_best_first(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def entry(names: Sequence[str]) -> str:
        asked.append(names)
        raise InputError("no entry fits")

    for args in ("pretrained=x/y,dtype=auto", {"pretrained": "x/y"}):
        path = written(
            tmp_path / "x__z/results.json",
            results={},
            config={"model_args": args},
            model_name="named",
        )
        found = read_aggregates([path], entry)
        assert asked.pop() == ["x/y", "named", "x/z"]
        assert found.notes == (f"{path}: not used: no entry fits",)


def test_files_that_the_ladder_names(tmp_path: Path) -> None:
    path = written(tmp_path / "any.json", results={"arc": {"acc,none": 0.5}})
    rungs = (Model("a", "rung", compute=1.0, results=(path,)), Model("b", "rung", compute=2.0))
    (one,) = ladder_aggregates(Ladder("l", rungs)).values
    assert one.model == "a"


def test_what_holds_no_results(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    faults = {
        tmp_path / "none.json": "no such file",
        tmp_path / "empty": "no results_",
        broken: "cannot be read as JSON",
        written(tmp_path / "other.json", scores={}): "has no `results`",
        written(tmp_path / "list.json", results=[]): "has no `results`",
    }
    for path, words in faults.items():
        with pytest.raises(InputError, match=words) as caught:
            read_aggregates([path], last_part)
        assert str(caught.value).startswith(str(path))


def test_a_table_of_accuracies(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        f"task,model,accuracy,stderr,n\narc,a,0.7,{math.sqrt(0.21 / 99)},\n"
        "arc,b,0.5,,40\narc,c,1,,\n"
    )
    found = aggregate_table(path)
    assert [(one.model, one.accuracy, one.n) for one in found.values] == [
        ("a", 0.7, 100),
        ("b", 0.5, 40),
        ("c", 1.0, None),
    ]
    pd.DataFrame(
        {"task": ["arc"], "model": ["a"], "accuracy": [0.25], "metric": ["acc"]}
    ).to_parquet(tmp_path / "t.parquet")
    (one,) = aggregate_table(tmp_path / "t.parquet").of("arc", "acc")
    assert one.accuracy == 0.25 and math.isnan(one.stderr)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task,model\na,b\n", "lacks the column accuracy"),
        ("task,model,accuracy\na,b,1.5\n", "row 1: accuracy is '1.5'; it lies in 0 to 1"),
        ("task,model,accuracy\na,b,\n", "row 1: accuracy is ''"),
        ("task,model,accuracy\na,b,0.5\na,c,x\n", "row 2: accuracy is 'x', not a number"),
        ("task,model,accuracy,stderr\na,b,0.5,-1\n", "row 1: stderr is '-1'"),
        ("task,model,accuracy,n\na,b,0.5,0\n", "row 1: n is '0'"),
        ("task,model,accuracy,n\na,b,0.5,2.5\n", "row 1: n is '2.5'"),
        ("task,model,accuracy\n,b,0.5\n", "row 1: task is empty"),
        ("task,model,accuracy\na,b,0.5\na,b,0.6\n", "row 2: a on b is row 1 too"),
    ],
)
def test_a_wrong_table_of_accuracies(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        aggregate_table(path)
    assert str(caught.value).startswith(str(path))
