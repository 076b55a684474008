"""Our flags off the command line, the harness's left in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cod_harness.cli import main
from cod_harness.errors import InputError
from cod_harness.harness.capture.flags import CaptureOptions, from_environment, request_of, take


def test_the_rest_keeps_its_order() -> None:
    theirs = [
        *("--model", "hf", "--model_args", "pretrained=a,dtype=float32", "x=1"),
        *("-t", "gsm8k", "bbh", "--gen_kwargs", "temperature=1.0", 'stop=["a b"]', "-s"),
        *("--seed=1,2,3,4", "--limit", "-1", "-L5", "--wandb_args", "name=a -- b"),
    ]
    argv = list(theirs)
    argv[3:3] = ["--cod", "l.yaml"]
    argv[9:9] = ["--cod-repeats=7", "--cod-metric", "a=b/c", "--cod-metric", "d=maj@8/f"]
    argv += ["--cod-rung", "r1", "--cod-allow-mismatch"]
    options, rest = take(argv)
    assert rest == theirs
    assert options.ladder == Path("l.yaml")
    assert options.repeats == 7
    assert options.rung == "r1"
    assert options.metrics == {"a": ("b", "c"), "d": ("maj@8", "f")}
    assert options.allow_mismatch
    assert not options.allow_fractional
    assert options.forecast


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "--cod LADDER.yaml is missing"),
        (["--cod"], "expected one argument"),
        (["--cod", "l", "--cod-rungs", "a"], "--cod-rungs: no such flag"),
        (["--cod", "l", "--cod-repeats", "ten"], "--cod-repeats ten: a whole number"),
        (["--cod", "l", "--cod-metric", "a=b"], "write TASK=FILTER/METRIC"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        take(argv)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        # In the words of the newest, and of 0.4.10.
        (["--model_args", "pretrained"], "model_args: expected `key=value`, got|values to unpack"),
        (["--modle", "dummy"], r"unrecognized arguments: --modle dummy; did you mean '--model'\?"),
        (["--num_fewshot", "x"], "argument --num_fewshot/-f: invalid int value: 'x'"),
    ],
)
def test_the_harness_own_mistakes_are_one_line_too(
    words: list[str],
    message: str,
    tmp_path: Path,
    ladder_file: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    common = ["--model", "dummy", "--tasks", "t", "--output_path", str(tmp_path / "out")]
    assert main(["run", *common, "--cod", str(ladder_file), *words]) == 2
    told = capfd.readouterr()
    assert re.match(f"cod-harness: lm_eval(:| refuses the run:) .*({message})", told.err)
    assert told.err.count("\n") == 1 and told.out == ""


def test_a_request_is_what_is_measured_not_where() -> None:
    first = request_of(
        ["run", "--tasks", "b,a", "--model", "hf", "-o", "x", "--limit", "5", "-b", "8", "-s"],
        4,
        {},
    )
    second = request_of(["--limit=5", "-t", "a", "b", "-M", "hf", "--output_path", "y"], 4, {})
    asked = {"tasks": ["a", "b"], "settings": ["--limit 5", "repeats 4"], "model": ["hf"]}
    assert first == second == asked
    assert request_of(["-t", "a", "--limit", "6"], 4, {})["settings"] != first["settings"]


def test_environment() -> None:
    given = {"COD_LADDER": "l.yaml", "COD_RUNG": "a", "COD_REPEATS": "3", "COD_METRIC": "t=f/m"}
    assert from_environment(given) == CaptureOptions(
        Path("l.yaml"), rung="a", repeats=3, metrics={"t": ("f", "m")}
    )
    with pytest.raises(InputError, match="COD_LADDER is not set"):
        from_environment({})
