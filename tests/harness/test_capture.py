"""The capture on the real harness: equal to it where both speak, and complete where it is not."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_runs import ALL_TASKS, DOCUMENTS, Ran, Runner

from cod_harness.harness.scoring import repeats as scoring
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.ladder.store import read_store

SAMPLED = {
    "cod_t_two_filters": ("strict-match", "exact_match"),
    "cod_t_majority": ("score-first", "exact_match"),
    "cod_t_custom": ("none", "em"),
    "cod_t_aliases": ("remove_whitespace", "exact_match"),
}


def test_everything_is_captured(everything: Ran) -> None:
    assert everything.status == 0, everything.err
    [store] = everything.stores
    frame, settings = read_store(store)
    counts = frame.groupby("task").size().to_dict()
    assert counts == dict.fromkeys(
        [*SAMPLED, "cod_t_code", "cod_t_choice", "cod_t_choice_many", "cod_t_word"], DOCUMENTS
    )
    assert settings["rung"] == "f1"
    assert settings["ladder"] == "fakes"
    assert settings["tasks"]["cod_t_custom"]["repeats"] == 5
    assert settings["groups"]["cod_t_group"] == ["cod_t_custom", "cod_t_aliases"]
    cod = everything.results["cod"]
    assert cod["left_out"] == {"cod_t_rolling": "perplexity over running text has no right answer"}
    assert cod["tasks"] == settings["tasks"]


def test_the_pass_rate_is_printed_beside_the_harness_score(everything: Ran) -> None:
    _, settings = read_store(everything.stores[0])
    table = everything.out[everything.out.index("Captured pass rates") :].splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    printed = {row[0]: row for row in cells if row}
    for name in ("cod_t_custom", "cod_t_choice"):
        about = settings["tasks"][name]
        assert printed[name][1:6] == [
            about["filter"], about["metric"], f"{about['harness_score']:.4f}",
            f"{about['rate']:.4f}", str(about["repeats"] or "exact"),
        ]  # fmt: skip


def test_files_lie_together_and_tell_of_each_other(everything: Ran) -> None:
    [results] = everything.folder.rglob("results_*.json")
    [store] = everything.stores
    assert store.parent == results.parent
    assert re.fullmatch(r"cod_passrates_\d{4}-\d\d-\d\dT[\d-]+\.\d{6}Z\.parquet", store.name)
    assert read_store(store)[1]["results"] == results.name


def test_a_clock_set_back_does_not_let_an_old_capture_win(
    cod_run: Runner, ladder_file: Path, tmp_path: Path
) -> None:
    cod_run("cod_t_custom", folder=tmp_path, model="f1,skill=-3.0")
    [first] = tmp_path.rglob("cod_passrates_*")
    future = first.with_name("cod_passrates_2999-01-01T00-00-00.000000Z.parquet")
    first.rename(future)
    ran = cod_run("cod_t_custom", folder=tmp_path, model="f1,skill=3.0")
    [second] = set(ran.stores) - {future}
    read = read_passrates(tmp_path, read_ladder(ladder_file))
    assert read.frame["rate"].mean() == read_store(second)[0]["rate"].mean() > 0.5


@pytest.mark.parametrize("task", SAMPLED)
def test_first_repeat_is_the_harness_score(everything: Ran, task: str) -> None:
    """Document by document, under every filter that looks at one response."""
    filter_name, metric = SAMPLED[task]
    rows = [row for row in everything.samples(task) if row["filter"] == filter_name]
    assert len(rows) == DOCUMENTS
    first = _rescored(everything, task)
    assert [row[metric] for row in rows] == first
    about = everything.results["cod"]["tasks"][task]
    assert about["same_answer"] == DOCUMENTS
    assert about["first_repeat_score"] == pytest.approx(about["harness_score"], abs=1e-12)


def _rescored(ran: Ran, task: str) -> list[float]:
    """Score of repeat 0 of each document, from the responses in the log, by our scorer."""
    from lm_eval import tasks as harness_tasks
    from lm_eval.api.instance import Instance

    from cod_harness.harness.scoring.responses import answered

    loaded = harness_tasks.get_task_dict([task], harness_tasks.TaskManager())
    [object_] = loaded.values()
    rows = ran.samples(task)
    first_filter = rows[0]["filter"]
    object_._instances = []
    for row in rows:
        if row["filter"] == first_filter:
            instance = Instance(
                request_type="generate_until",
                doc=row["doc"],
                arguments=("prompt", {}),
                idx=0,
                metadata=(task, row["doc_id"], 5),
            )
            instance.resps = list(row["resps"][0])
            object_._instances.append(instance)
    object_.apply_filters()
    scored = scoring.score(task, object_, answered(object_), None, False)
    assert scored.agreeing == DOCUMENTS
    return [float(score) for score in scored.scores[:, 0]]


def test_every_repeat_counts(everything: Ran) -> None:
    """n_correct against a count by hand from the logged responses."""
    [store] = everything.stores
    frame, _ = read_store(store)
    rates = frame.set_index(["task", "question"])["n_correct"].to_dict()
    seen: dict[str, int] = defaultdict(int)
    checked = 0
    for row in everything.samples("cod_t_two_filters"):
        if row["filter"] != "strict-match":
            continue
        key = row["doc_hash"][:16]
        seen[key] += 1
        question = key if seen[key] == 1 else f"{key}.{seen[key]}"
        found = [re.findall(r"The answer is (-?[0-9.,]+)\.", text) for text in row["resps"][0]]
        by_hand = sum(bool(f) and f[0].rstrip(".") == row["doc"]["answer"] for f in found)
        assert rates["cod_t_two_filters", question] == by_hand
        checked += 1
    assert checked == DOCUMENTS
    # A document that occurs twice is two questions.
    assert max(seen.values()) == 2


def test_hashes_are_the_harness_own(everything: Ran) -> None:
    [store] = everything.stores
    frame, _ = read_store(store)
    for task in ("cod_t_aliases", "cod_t_choice_many"):
        ours = frame[frame["task"] == task]
        theirs = everything.samples(task)
        for name in ("doc_hash", "prompt_hash", "target_hash"):
            assert list(ours[name]) == [row[name] for row in theirs]


def test_pooled_metric_agrees_in_the_mean(everything: Ran) -> None:
    """pass@1 over all repeats is the mean of the single repeats' pass@1."""
    ours = everything.results["cod"]["tasks"]["cod_t_code"]
    theirs = everything.results["results"]["cod_t_code"]["pass@1,create_test"]
    assert ours["rate"] == pytest.approx(theirs)


@pytest.mark.parametrize(("task", "gold"), [("cod_t_choice", [1]), ("cod_t_choice_many", [1, 3])])
def test_multiple_choice_rates_are_softmax(everything: Ran, task: str, gold: list[int]) -> None:
    [store] = everything.stores
    frame, _ = read_store(store)
    rates = frame[frame["task"] == task]
    assert set(rates["n_samples"]) == {0}
    rows = everything.samples(task)
    equal = 0
    for rate, row in zip(rates["rate"], rows, strict=True):
        lls = np.array([float(responses[0][0]) for responses in row["resps"]])
        weights = np.exp(lls) / np.exp(lls).sum()
        assert rate == pytest.approx(weights[gold].sum(), abs=1e-6)
        equal += float(int(lls.argmax()) in gold) == row["acc"]
    assert equal == DOCUMENTS
    about = everything.results["cod"]["tasks"][task]
    assert about["first_repeat_score"] == pytest.approx(about["harness_score"])


def test_one_loglikelihood_is_its_exponential(everything: Ran) -> None:
    [store] = everything.stores
    frame, _ = read_store(store)
    rates = frame[frame["task"] == "cod_t_word"]["rate"]
    for rate, row in zip(rates, everything.samples("cod_t_word"), strict=True):
        assert rate == pytest.approx(math.exp(float(row["resps"][0][0][0])), abs=1e-6)


def test_side_by_side_with_the_harness(everything: Ran, plain_run: Runner) -> None:
    """The same run without us: the same outputs, apart from what we add and the clock."""
    plain = plain_run(",".join(ALL_TASKS), "--log_samples")
    theirs, ours = plain.results, everything.results
    added = set(ours) - set(theirs)
    assert added == {"cod"}
    moving = {"date", "total_evaluation_time_seconds", "pretty_env_info"}
    for key in set(theirs) - moving:
        assert _without_addresses(ours[key]) == _without_addresses(theirs[key]), key
    assert everything.out.startswith(plain.out)
    for task in ("cod_t_majority", "cod_t_choice"):
        assert everything.samples(task) == plain.samples(task)


def _without_addresses(value: Any) -> str:
    """0.4.10 writes a metric's function into the configs with its place in memory."""
    return re.sub(r"0x[0-9a-f]+", "0x", json.dumps(value, sort_keys=True))


def test_repeats_and_other_metric(cod_run: Runner) -> None:
    """Without samples, flat form, with the user's own filter."""
    ran = cod_run(
        "cod_t_two_filters",
        "--cod-repeats",
        "12",
        "--cod-metric",
        "cod_t_two*=flexible-extract/exact_match",
        "--cod-rung",
        "f1",
    )
    assert ran.status == 0, ran.err
    frame, settings = read_store(ran.stores[0])
    assert set(frame["n_samples"]) == {12}
    assert set(frame["filter"]) == {"flexible-extract"}
    about = settings["tasks"]["cod_t_two_filters"]
    assert about["chosen_by"] == "user"
    assert about["same_answer"] == DOCUMENTS
    assert ran.results["configs"]["cod_t_two_filters"]["repeats"] == 12
    assert not list(ran.folder.rglob("samples_*"))


def test_majority_vote_over_one_response(cod_run: Runner) -> None:
    ran = cod_run("cod_t_majority", "--cod-metric", "cod_t_majority=maj@3/exact_match")
    assert ran.status == 0, ran.err
    about = ran.results["cod"]["tasks"]["cod_t_majority"]
    assert about["filter"] == "maj@3"
    assert "same_answer" not in about
    frame, _ = read_store(ran.stores[0])
    assert frame["n_correct"].sum() == pytest.approx(about["rate"] * DOCUMENTS * 5)
    assert 0.0 < about["rate"] < 1.0


def test_config_file(config_run: Runner) -> None:
    ran = config_run(tasks=["cod_t_custom"], model_args={"pretrained": "f3", "skill": 1.5})
    assert ran.status == 0, ran.err
    assert read_store(ran.stores[0])[1]["rung"] == "f3"


def test_a_config_file_without_output_path(
    config_run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fake_model

    monkeypatch.setattr(fake_model.FakeModel, "__init__", lambda *_, **__: 1 / 0)
    ran = config_run(tasks=["cod_t_custom"], output_path=None)
    assert ran.status == 2
    assert "--output_path is missing" in ran.err


def test_a_place_that_cannot_be_written_is_found_before_the_model_loads(
    cod_run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fake_model

    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(fake_model.FakeModel, "__init__", lambda *_, **__: 1 / 0)
    for folder in (tmp_path / "file", tmp_path / "file" / "out"):
        ran = cod_run("cod_t_custom", folder=folder)
        assert ran.status == 2
        assert "is a file, not a folder" in ran.err
    assert (tmp_path / "file").read_text() == "mine"


def test_without_output_path(cod_run: Runner) -> None:
    ran = cod_run("cod_t_custom", output=False)
    assert ran.status == 2
    assert "--output_path is missing" in ran.err
    assert not ran.out


def test_identical_repeats_are_said_loudly(cod_run: Runner) -> None:
    ran = cod_run("cod_t_custom", model="f1,skill=1.0,clones=True")
    assert ran.status == 0
    assert "WARNING: task cod_t_custom: all 5 repeats are identical" in ran.err
    assert "seed" in ran.err
    assert any("identical" in text for text in ran.results["cod"]["warnings"])


def test_partial_credit_is_refused_after_the_results(cod_run: Runner) -> None:
    ran = cod_run("cod_t_partial,cod_t_custom", "--cod-repeats", "2")
    assert ran.status == 2
    assert re.search(r"task cod_t_partial: metric digits has the value 0\.\d+, not 0 or 1", ran.err)
    assert "digits,none" in ran.results["results"]["cod_t_partial"]
    assert set(read_store(ran.stores[0])[0]["task"]) == {"cod_t_custom"}
    allowed = cod_run("cod_t_partial", "--cod-repeats", "2", "--cod-allow-fractional")
    assert allowed.status == 0, allowed.err
    assert 0 < read_store(allowed.stores[0])[0]["rate"].mean() < 1


def test_own_failure_leaves_the_results(cod_run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(scoring, "score", broken)
    ran = cod_run("cod_t_custom")
    assert ran.status == 1
    assert "ZeroDivisionError: on purpose" in ran.err
    assert "cod-harness ingest" in ran.err
    assert "em,none" in ran.results["results"]["cod_t_custom"]
    assert not ran.stores


def test_harness_without_evaluate(cod_run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A future version with another signature: the run completes, ingest is named."""
    from lm_eval import evaluator

    real = evaluator.evaluate

    def evaluate(model: Any = None, **others: Any) -> Any:
        return real(lm=others.pop("lm", model), **others)

    monkeypatch.setattr(evaluator, "evaluate", evaluate)
    ran = cod_run("cod_t_custom")
    assert ran.status == 1
    assert "no evaluator.evaluate(lm, task_dict, ...)" in ran.err
    assert "cod-harness ingest" in ran.err
    assert "em,none" in ran.results["results"]["cod_t_custom"]
    assert "cod" not in ran.results


def test_forecast_once_there_are_four_rungs(cod_run: Runner, tmp_path: Path) -> None:
    for number, (name, skill) in enumerate((("f1", 0.5), ("f2", 1.0), ("f3", 1.5), ("f4", 2.0))):
        assert not list(tmp_path.glob("cod_forecast_*.json")), number
        ran = cod_run("cod_t_custom", model=f"{name},skill={skill}", folder=tmp_path)
        assert ran.status == 0, ran.err
    assert len(list(tmp_path.glob("cod_forecast_*.json"))) == 1
    assert "cod_t_custom" in ran.out.split("|em")[-1]
    assert "big" in ran.out
