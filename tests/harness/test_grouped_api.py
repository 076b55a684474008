"""API models asked for all samples of a question at once, against a server with real faults."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from completion_server import Server, chance, serving

pytest.importorskip("tenacity", reason="API models: pip install 'lm-eval[api]'")
from harness_runs import Ran, captured

from cod_harness.ladder.store import read_store

QUESTIONS, REPEATS = 20, 10
WORDS = ("--limit", str(QUESTIONS), "--log_samples")


@pytest.fixture
def api_run(one_task_manager: None, ladder_file: Path, tmp_path: Path) -> Callable[..., Ran]:
    from cod_harness.cli import run

    def go(server: Server, *more: str, model: str = "local-completions", args: str = "") -> Ran:
        url = (
            server.url.replace("completions", "chat/completions") if "chat" in model else server.url
        )
        words = ["--model", model, "--tasks", "cod_t_two_filters", "--output_path", str(tmp_path)]
        words += ["--model_args", f"model=m,base_url={url},tokenizer_backend=None{args}"]
        words += ["--cod", str(ladder_file), "--cod-rung", "f1", "--cod-no-forecast"]
        words += ["--cod-repeats", str(REPEATS), *WORDS, *more]
        return captured(lambda: run.main(words), tmp_path)

    return go


def responses(ran: Ran) -> dict[str, list[str]]:
    """Prompt -> its samples, out of the harness's own log."""
    return {
        row["arguments"]["gen_args_0"]["arg_0"]: row["resps"][0]
        for row in ran.samples("cod_t_two_filters")
    }


def check_distribution(found: dict[str, list[str]]) -> None:
    """The counts of right answers against the exact rates: chi-squared over the questions."""
    squares = 0.0
    for prompt, texts in found.items():
        right = f" The answer is {sum(map(int, re.findall(r'[0-9]+', prompt)))}."
        p, n = chance(prompt), len(texts)
        squares += (sum(t == right for t in texts) - n * p) ** 2 / (n * p * (1 - p))
    questions = len(found)
    assert abs(squares - questions) < 4 * math.sqrt(2 * questions)


@pytest.mark.parametrize("args", ["", ",num_concurrent=8"], ids=["in turn", "at once"])
def test_one_request_for_all_samples(api_run: Callable[..., Ran], args: str) -> None:
    with serving() as server:
        ran = api_run(server, args=args)
    assert ran.status == 0, ran.err
    assert server.requests == QUESTIONS
    found = responses(ran)
    assert {len(texts) for texts in found.values()} == {REPEATS}
    assert sum(len(set(texts)) > 1 for texts in found.values()) >= QUESTIONS - 2
    assert all("cod_place" not in payload for payload in server.payloads)
    [store] = ran.stores
    frame, settings = read_store(store)
    assert set(frame["n_samples"]) == {REPEATS}
    about = settings["tasks"]["cod_t_two_filters"]
    assert about["same_answer"] == QUESTIONS
    assert about["first_repeat_score"] == pytest.approx(about["harness_score"])


def test_samples_follow_the_exact_rates(api_run: Callable[..., Ran]) -> None:
    with serving() as server:
        ran = api_run(server, "--cod-repeats", "200", args=",num_concurrent=8")
    assert ran.status == 0, ran.err
    assert server.requests == 2 * QUESTIONS  # 128 and 72
    check_distribution(responses(ran))


def test_split_requests_have_a_seed_each(api_run: Callable[..., Ran]) -> None:
    with serving() as server:
        ran = api_run(server, "--cod-n-max", "4")
    assert ran.status == 0, ran.err
    sizes = Counter(payload.get("n", 1) for payload in server.payloads)
    assert sizes[4] == 2 * QUESTIONS
    assert sizes[2] in (QUESTIONS, QUESTIONS + 1)  # where the first four are the same: a look
    assert len({payload["seed"] for payload in server.payloads}) >= 3 * QUESTIONS
    check_distribution(responses(ran))


def test_a_run_is_reproducible_as_a_whole(api_run: Callable[..., Ran], tmp_path: Path) -> None:
    runs = []
    for _ in range(2):
        with serving() as server:
            runs.append(responses(api_run(server, args=",num_concurrent=4")))
        for path in tmp_path.rglob("*202*"):
            path.unlink()
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("fault", "requests", "said"),
    [
        ({"ignores_n": True}, QUESTIONS * REPEATS, "with 1 choices; going on one by one"),
        ({"most": 4}, 3 * QUESTIONS, "with 4 choices; going on with n=4"),
        ({"copies": True}, QUESTIONS * REPEATS, "copies for n=10; going on one by one"),
    ],
)
def test_what_a_server_does_with_n_is_noticed_at_the_first_answer(
    api_run: Callable[..., Ran], fault: dict[str, Any], requests: int, said: str
) -> None:
    with serving(**fault) as server:
        ran = api_run(server, args=",num_concurrent=8")
    assert ran.status == 0, ran.err
    assert said in ran.err
    assert requests <= server.requests <= requests + 2
    found = responses(ran)
    assert {len(texts) for texts in found.values()} == {REPEATS}
    check_distribution(found)


def test_a_server_that_refuses_n(api_run: Callable[..., Ran]) -> None:
    with serving(refuses_n=True) as server:
        ran = api_run(server, args=",max_retries=1")
    assert ran.status == 0, ran.err
    assert "refuses n=10 (HTTP 400)" in ran.err
    assert server.requests == 1 + QUESTIONS * REPEATS
    check_distribution(responses(ran))


def test_one_by_one_on_demand_with_a_seed_each(api_run: Callable[..., Ran]) -> None:
    with serving() as server:
        ran = api_run(server, "--cod-n-max", "1")
    assert ran.status == 0, ran.err
    assert all("n" not in payload for payload in server.payloads)
    assert len({payload["seed"] for payload in server.payloads}) == QUESTIONS * REPEATS
    check_distribution(responses(ran))


@pytest.mark.parametrize("args", ["", ",num_concurrent=8"], ids=["in turn", "at once"])
def test_a_server_that_does_not_sample_is_refused(api_run: Callable[..., Ran], args: str) -> None:
    with serving(frozen=True, copies=True) as server:
        ran = api_run(server, args=args)
    assert ran.status == 2
    assert server.requests <= 5
    [line] = [line for line in ran.err.splitlines() if line.startswith("cod-harness: http")]
    assert "no sampling takes place" in line
    assert "turn off the server's cache" in line
    assert not ran.stores


def test_sure_answers_are_no_copies(
    api_run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("completion_server.chance", lambda prompt: 1.0)
    with serving() as server:
        ran = api_run(server)
    assert ran.status == 0, ran.err
    assert server.requests == QUESTIONS + 2  # the second sample, and the open request


def test_chats(api_run: Callable[..., Ran]) -> None:
    with serving() as server:
        ran = api_run(
            server,
            "--apply_chat_template",
            model="local-chat-completions",
            args=",num_concurrent=4",
        )
    assert ran.status == 0, ran.err
    assert server.requests == QUESTIONS
    assert all(payload["n"] == REPEATS for payload in server.payloads)


def test_an_answer_without_text_is_an_empty_one(api_run: Callable[..., Ran]) -> None:
    with serving(none_first=True) as server:
        ran = api_run(server, args=",num_concurrent=4")
    assert ran.status == 0, ran.err
    assert {texts[0] for texts in responses(ran).values()} == {""}
    assert {len(texts) for texts in responses(ran).values()} == {REPEATS}


def test_a_failing_request_is_tried_again(api_run: Callable[..., Ran]) -> None:
    with serving(failures=1) as server:
        ran = api_run(server, args=",num_concurrent=4")
    assert ran.status == 0, ran.err
    assert server.requests == QUESTIONS + 1


def test_n_among_the_settings_is_refused(api_run: Callable[..., Ran]) -> None:
    with serving() as server:
        ran = api_run(server, "--gen_kwargs", "n=10")
    assert ran.status == 2
    assert "n among the generation settings" in ran.err
    assert server.requests == 0


def test_without_our_flags_nothing_changes(one_task_manager: None, tmp_path: Path) -> None:
    """The harness alone: a request for each clone, all with its seed."""
    from lm_eval import evaluator

    with serving() as server:
        evaluator.simple_evaluate(
            model="local-completions",
            model_args=f"model=m,base_url={server.url},tokenizer_backend=None",
            tasks=["cod_t_two_filters"],
            limit=3,
        )
    assert server.requests == 3 * 5
    assert {payload["seed"] for payload in server.payloads} == {1234}
    assert json.dumps(server.payloads).count('"n"') == 0
