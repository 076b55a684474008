"""Refusals before any model has answered: one line, exit 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness_runs import Ran, Runner


def refused(ran: Ran, pattern: str) -> None:
    """One line on stderr, exit 2, no results, no request ever made."""
    import fake_model

    lines = [line for line in ran.err.splitlines() if line.startswith("cod-harness:")]
    assert ran.status == 2, ran.err
    assert len(lines) == 1, lines
    assert re.search(pattern, lines[0]), lines
    assert "Traceback" not in ran.err
    assert fake_model.FakeModel.calls == []
    assert not list(ran.folder.rglob("results_*"))


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    import fake_model

    fake_model.FakeModel.calls.clear()


def test_greedy_repeats(cod_run: Runner) -> None:
    refused(cod_run("cod_t_greedy", "--cod-repeats", "8"), r"8 repeats of greedy.*do_sample: false")
    refused(
        cod_run("cod_t_custom", "--gen_kwargs", "temperature=0"),
        r"5 repeats of greedy decoding \(temperature 0\)",
    )


@pytest.mark.parametrize(
    ("tasks", "flags"),
    [
        ("cod_t_greedy", ["--cod-repeats", "8"]),
        ("cod_t_group", ["--gen_kwargs", "do_sample=False"]),
        ("cod_t_choice,cod_t_custom", ["--gen_kwargs", "temperature=0"]),
    ],
)
def test_greedy_repeats_are_refused_before_the_model_loads(
    cod_run: Runner, monkeypatch: pytest.MonkeyPatch, tasks: str, flags: list[str]
) -> None:
    import fake_model

    monkeypatch.setattr(fake_model.FakeModel, "__init__", lambda *_, **__: 1 / 0)
    refused(cod_run(tasks, *flags), r"repeats of greedy decoding")


@pytest.mark.parametrize(
    ("model", "error", "remedy"),
    [
        ("hf", ModuleNotFoundError("No module named 'torch'"), "pip install 'cod-harness[hf]'"),
        ("local-completions", ModuleNotFoundError("No module named 'tenacity'"),
         "pip install 'cod-harness[api]'"),
        ("vllm", ImportError("attempted to use 'vllm'"), "pip install 'lm_eval[vllm]'"),
        ("cod-fake", ModuleNotFoundError("No module named 'x'"), "No module named 'x'"),
    ],
)  # fmt: skip
def test_what_a_model_lacks_is_named_with_the_line_that_installs_it(
    model: str,
    error: Exception,
    remedy: str,
    ladder_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from cod_harness.cli import run

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(run, "_run_harness", fail)
    words = ["--model", model, "--cod", str(ladder_file), "--output_path", str(tmp_path)]
    assert run.main(words) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.rstrip().endswith(remedy)


def test_request_cache(config_run: Runner) -> None:
    # From a file: 0.4.10 refuses its own flag.
    settings = {"tasks": ["cod_t_custom"], "cache_requests": {"cache_requests": True}}
    refused(config_run(**settings), "--cache_requests with 5 repeats")
    refused(config_run("--cod-repeats", "3", **settings), "--cache_requests with 3 repeats")


def test_answer_cache_without_do_sample(cod_run: Runner, tmp_path: Path) -> None:
    ran = cod_run(
        "cod_t_greedy",
        "--cod-repeats",
        "4",
        "--gen_kwargs",
        "temperature=1.0,do_sample=None",
        "--use_cache",
        str(tmp_path / "cache"),
    )
    refused(ran, "--use_cache with 4 repeats needs do_sample=True")


def test_rungs(cod_run: Runner) -> None:
    refused(cod_run("cod_t_custom", "--cod-rung", "f9"), "no model 'f9' in the ladder; it has f1, ")
    refused(cod_run("cod_t_custom", model="stranger"), "no entry fits the model stranger.*f1, f2")
    refused(cod_run("cod_t_custom", "--cod-rung", "f2"), "--cod-rung f2, but.* is the ladder's f1")


def test_metrics(cod_run: Runner) -> None:
    refused(cod_run("cod_t_custom", "--cod-metric", "x=none/em"), "no such task in this run")
    refused(cod_run("cod_t_custom", "--cod-metric", "cod_t_custom=no/em"), "no filter 'no'")
    refused(cod_run("cod_t_custom", "--cod-metric", "em"), "write TASK=FILTER/METRIC")


def test_ladder_and_task(cod_run: Runner, tmp_path: Path) -> None:
    refused(
        cod_run("cod_t_custom", ladder=tmp_path / "none.yaml"), "none.yaml: no such ladder file"
    )
    refused(cod_run("cod_t_custom", ladder=None), "--cod LADDER.yaml is missing")
    refused(cod_run("cod_t_custom", "--cod-repeat", "3"), "--cod-repeat: no such flag")
    refused(cod_run("cod_t_custom", "--cod-repeats", "0"), "--cod-repeats 0: a whole number")


def test_differences_from_other_rungs(cod_run: Runner, tmp_path: Path) -> None:
    import fake_model

    first = cod_run("cod_t_custom", folder=tmp_path, model="f1,skill=1.0")
    assert first.status == 0, first.err
    for path in tmp_path.rglob("results_*"):
        path.unlink()
    fake_model.FakeModel.calls.clear()
    more = {"model": "f2,skill=1.0", "folder": tmp_path}
    refused(
        cod_run("cod_t_custom", "--gen_kwargs", "temperature=0.7", **more),
        r"cod_t_custom: generation setting temperature is 0.7 on f2(,| and) 1.0 on f1",
    )
    refused(
        cod_run("cod_t_custom", "--system_instruction", "Be brief.", **more),
        "105 of 105 prompts differ from those of rung f1",
    )
    allowed = cod_run(
        "cod_t_custom", "--gen_kwargs", "temperature=0.7", "--cod-allow-mismatch", **more
    )
    assert allowed.status == 0, allowed.err


def test_more_draws_and_fewer_questions_are_no_difference(cod_run: Runner, tmp_path: Path) -> None:
    assert cod_run("cod_t_custom", folder=tmp_path).status == 0
    ran = cod_run(
        "cod_t_custom",
        "--cod-repeats",
        "9",
        "--limit",
        "6",
        folder=tmp_path,
        model="f2,skill=1.0",
    )
    assert ran.status == 0, ran.err


def test_a_broken_neighbour_is_named(cod_run: Runner, tmp_path: Path) -> None:
    stump = tmp_path / "f2" / "cod_passrates_2026-01-01T00-00-00.000000.parquet"
    stump.parent.mkdir()
    stump.write_bytes(b"PAR1")
    ran = cod_run("cod_t_custom", "--cod-no-forecast", folder=tmp_path)
    assert ran.status == 0, ran.err
    assert f"{stump}: not a readable Parquet file" in ran.err
    assert "this run is not compared with it" in ran.err
