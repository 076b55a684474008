"""Each shipped configuration on local documents: captured rates against those counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import (
    AGIEVAL_CHOICE,
    AGIEVAL_GENERATING,
    BBH_SUBSETS,
    DROP,
    GSM8K,
    MATH_SUBSETS,
    MBPP,
    MMLU_PRO_SUBSETS,
    TRIVIAQA,
    Benchmark,
    agieval_choice,
    agieval_generating,
    bbh_subset,
    math_subset,
    mmlu_pro_subset,
)

Evaluate = Callable[..., Any]


def check(benchmark: Benchmark, results: Any) -> None:
    """Samples and results hold what was counted by hand."""
    rows = [row for row in results["samples"][benchmark.task] if row["filter"] == benchmark.filter]
    assert len(rows) == len(benchmark.rates)
    for row in rows:
        prompt = row["arguments"][0][0]
        part = max(benchmark.rates, key=prompt.rfind)
        assert row["pass_rate"] == pytest.approx(benchmark.rates[part]), part
        if benchmark.answers:
            told = benchmark.answers[part]
            assert row["n_correct"] == sum(right for _, right in told)
            assert row[benchmark.metric] == told[0][1]  # the harness's own: the first repeat
            assert len(row["resps"][0]) == 8
    mean = sum(benchmark.rates.values()) / len(benchmark.rates)
    scores = results["results"][benchmark.task]
    assert scores[f"pass_rate,{benchmark.filter}"] == pytest.approx(mean)
    if benchmark.answers:
        assert scores[f"n_correct,{benchmark.filter}"] == pytest.approx(
            8 * sum(benchmark.rates.values())
        )


@pytest.mark.parametrize("benchmark", [GSM8K, TRIVIAQA, DROP], ids=lambda found: found.task)
def test_single(benchmark: Benchmark, local: Any, evaluate: Evaluate) -> None:
    check(benchmark, evaluate(local([benchmark]), [benchmark.task]))


def test_shots(local: Any, evaluate: Evaluate) -> None:
    """The paper's: GSM8K 8, TriviaQA 5, DROP 3, BBH 3, MMLU-Pro 5."""
    found = [GSM8K, TRIVIAQA, DROP, bbh_subset("snarks"), mmlu_pro_subset("law")]
    results = evaluate(local(found), [one.task for one in found])
    shots = {task: results["n-shot"][task] for task in results["results"]}
    assert shots == {
        "cod_gsm8k": 8,
        "cod_triviaqa": 5,
        "cod_drop": 3,
        "cod_bbh_snarks": 3,
        "cod_mmlu_pro_law": 5,
    }
    prompt = results["samples"]["cod_triviaqa"][0]["arguments"][0][0]
    assert prompt.count("Question:") == 6


def grouped(group: str, members: list[Benchmark], results: Any, metric: str) -> None:
    for benchmark in members:
        check(benchmark, results)
    scores = results["results"][group]
    key = f"pass_rate,{members[0].filter}"
    rates = [rate for benchmark in members for rate in benchmark.rates.values()]
    assert scores[key] == pytest.approx(sum(rates) / len(rates))
    assert f"{metric},{members[0].filter}" in scores


def test_bbh(local: Any, evaluate: Evaluate) -> None:
    assert len(BBH_SUBSETS) == 27
    members = [bbh_subset(subset) for subset in BBH_SUBSETS]
    grouped("cod_bbh", members, evaluate(local(members), ["cod_bbh"]), "exact_match")


def test_mmlu_pro(local: Any, evaluate: Evaluate) -> None:
    assert len(MMLU_PRO_SUBSETS) == 14
    members = [mmlu_pro_subset(subset) for subset in MMLU_PRO_SUBSETS]
    grouped("cod_mmlu_pro", members, evaluate(local(members), ["cod_mmlu_pro"]), "exact_match")


def test_math(local: Any, evaluate: Evaluate) -> None:
    pytest.importorskip("math_verify", reason="needs pip install 'cod-harness[math]'")
    members = [math_subset(subset) for subset in MATH_SUBSETS]
    grouped("cod_math", members, evaluate(local(members), ["cod_math"]), "math_verify")


def test_agieval(local: Any, evaluate: Evaluate) -> None:
    members = [agieval_choice(subset) for subset in AGIEVAL_CHOICE]
    members += [agieval_generating(subset) for subset in AGIEVAL_GENERATING]
    assert len(members) == 21
    grouped("cod_agieval", members, evaluate(local(members), ["cod_agieval"]), "acc")


def test_mbpp(local: Any, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    configured = local([MBPP])
    with pytest.raises(ValueError, match="unsafe"):
        evaluate(configured, ["cod_mbpp"])
    check(MBPP, evaluate(configured, ["cod_mbpp"], confirm_run_unsafe_code=True))


def test_mbpp_without_consent(
    local: Any, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL"):
        evaluate(local([MBPP]), ["cod_mbpp"], confirm_run_unsafe_code=True)
