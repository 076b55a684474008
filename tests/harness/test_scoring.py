"""Scoring apart from any run: choices, values, processes, occurrences."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from cod_harness.errors import InputError
from cod_harness.harness.scoring import parallel
from cod_harness.harness.scoring.correctness import passed
from cod_harness.harness.scoring.responses import (
    answered,
    identical_share,
    occurrence_names,
    tasks_in,
)
from cod_harness.ladder.metrics import Correct, Pipeline, chosen


@pytest.mark.parametrize(
    ("task", "filters", "metrics", "expected"),
    [
        ("gsm8k_cot", ["strict-match", "flexible-extract"], ["exact_match"], "strict-match"),
        ("minerva_math_algebra", ["none"], ["exact_match", "math_verify"], "none/math_verify"),
        ("minerva_math_algebra", ["none"], ["exact_match"], "none/exact_match"),
        ("bbh_cot_fewshot_navigate", ["get-answer"], ["exact_match"], "get-answer/exact_match"),
        ("triviaqa", ["remove_whitespace"], ["exact_match"], "remove_whitespace/exact_match"),
        ("mbpp", ["none"], ["pass_at_1"], "none/pass_at_1"),
        ("humaneval", ["create_test"], ["pass@1"], "create_test/pass@1"),
        ("agieval_math", ["none"], ["acc"], "none/acc"),
        ("drop", ["none"], ["em", "f1"], "none/em"),
        ("mmlu_pro_law", ["custom-extract"], ["exact_match"], "custom-extract/exact_match"),
        ("unheard_of", ["first"], ["f1", "score"], "first/score"),
    ],
)
def test_known_tasks(task: str, filters: list[str], metrics: list[str], expected: str) -> None:
    offered = [Pipeline(name, pooled=False) for name in filters]
    found = chosen(task, offered, metrics)
    assert f"{found.filter}/{found.metric}".startswith(expected)


def test_pooled_pipelines_come_last() -> None:
    offered = [Pipeline("maj@8", pooled=True), Pipeline("score-first", pooled=False)]
    assert chosen("x", offered, ["acc"]) == Correct("score-first", "acc", "default")
    assert chosen("x", offered[:1], ["acc"]).filter == "maj@8"


def test_no_pass_rate_among_the_metrics() -> None:
    with pytest.raises(InputError, match=r"task x: none of its metrics \(bleu, rouge1\).*--cod-me"):
        chosen("x", [Pipeline("none", pooled=False)], ["rouge1", "bleu"])


@pytest.mark.parametrize("value", [0.4, 2, -1, float("nan"), (1, 0), "1", None, [1.0]])
def test_only_zero_and_one(value: object) -> None:
    with pytest.raises(InputError, match="task t: metric m has the value"):
        passed(value, "t", "m", allow_fractional=False)


def test_fractions_when_allowed() -> None:
    assert passed(0.4, "t", "m", allow_fractional=True) == 0.4
    assert passed(True, "t", "m", allow_fractional=False) == 1.0
    with pytest.raises(InputError):
        passed(1.4, "t", "m", allow_fractional=True)


def test_occurrences() -> None:
    assert occurrence_names(["a" * 64, "b" * 64, "a" * 64]) == ["a" * 16, "b" * 16, "a" * 16 + ".2"]


def _task(*responses: list[str], repeats: int) -> SimpleNamespace:
    instances = [
        SimpleNamespace(doc_id=at, doc={"q": at}, idx=0, arguments=("p", {}), resps=texts)
        for at, texts in enumerate(responses)
    ]
    for instance in instances:
        instance.repeats = repeats
    return SimpleNamespace(instances=instances[::-1], doc_to_target=lambda doc: "t")


def test_padding_is_cut_to_the_repeats() -> None:
    """Under several processes the last request gets responses that are only there for the batch."""
    documents = answered(_task(["a", "b"], ["c", "d", "e", "f"], repeats=2))
    assert [document.instances[0].resps for document in documents] == [["a", "b"], ["c", "d"]]


def test_identical_share() -> None:
    assert identical_share(answered(_task(["a", "a"], ["c", "d"], repeats=2))) == 0.5


def test_tasks_in_either_form() -> None:
    one, two = SimpleNamespace(), SimpleNamespace()
    nested = {object(): {"a": one, "inner": {"b": two}}}
    flat = {"tasks": {"a": one, "b": two}, "groups": {}, "group_map": {}}
    assert tasks_in(nested) == tasks_in(flat) == {"a": one, "b": two}


def _slow(at: int) -> list[float]:
    time.sleep(0.02)
    return [float(at), float(os.getpid())]


def test_slow_scorers_run_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "WORTH_PROCESSES", 0.1)
    monkeypatch.setattr(parallel, "_JUDGED_AFTER", 0.1)
    monkeypatch.setattr(parallel, "_CHUNK_SECONDS", 0.1)
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    found = parallel.mapped(_slow, [1] * 40, "test")
    assert [row[0] for row in found] == [float(at) for at in range(40)]
    assert len({row[1] for row in found}) == 3


def test_processes_that_die_leave_the_work_to_this_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parallel, "WORTH_PROCESSES", 0.1)
    monkeypatch.setattr(parallel, "_JUDGED_AFTER", 0.1)
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    here = os.getpid()

    def dies(at: int) -> list[float]:
        if os.getpid() != here:
            os._exit(1)
        return _slow(at)

    found = parallel.mapped(dies, [1] * 30, "test")
    assert [row[0] for row in found] == [float(at) for at in range(30)]
    assert "scoring goes on in one process" in capsys.readouterr().err


def test_refusals_come_out_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "WORTH_PROCESSES", 0.1)
    monkeypatch.setattr(parallel, "_JUDGED_AFTER", 0.1)
    monkeypatch.setattr(parallel, "cores", lambda: 2)

    def refuses(at: int) -> list[float]:
        if at == 25:
            raise InputError("not 0 or 1")
        return _slow(at)

    with pytest.raises(InputError, match="not 0 or 1"):
        parallel.mapped(refuses, [1] * 30, "test")
