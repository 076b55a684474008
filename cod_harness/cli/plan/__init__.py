"""`cod-harness plan`: what a campaign costs, and what to measure next."""

from __future__ import annotations

from collections.abc import Sequence

from cod_harness.arguments import ArgumentParser, add_allow_mismatch, add_json, parsed
from cod_harness.ladder.files import check_file

_ABOUT = """\
What a campaign costs before anything is spent (LADDER.yaml with --tasks), or, with what is measured
so far, what to measure or train next to narrow the forecasts (PATH... with --ladder)."""


def parser() -> ArgumentParser:
    """The parser of `cod-harness plan`."""
    made = ArgumentParser(
        prog="cod-harness plan",
        examples=(
            "cod-harness plan ladder.yaml --tasks cod_gsm8k,cod_math",
            "cod-harness plan out --ladder ladder.yaml --budget-flop 1e22",
        ),
        allow_abbrev=False,
        description=_ABOUT,
    )
    made.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="the ladder file alone, for the bill; else output folders, pass-rate files, tables",
    )
    bill = made.add_argument_group(
        "the bill",
        "What runs cost on the benchmarks that ship: prompts, generated tokens, requests and "
        "hours, for 16 draws a question, 16 and then 100 where they narrow the forecast, and 100 "
        "everywhere.",
    )
    bill.add_argument("--tasks", metavar="TASK,...", help="with --ladder: default all measured")
    bill.add_argument(
        "--tokens-per-second",
        metavar="X",
        help="tokens the largest model generates in a second; smaller ones are taken to be faster "
        "in proportion to their parameters",
    )
    after = made.add_argument_group(
        "what to measure next",
        "Further rungs, checkpoints, draws, an anchor: each with its cost and the width of the "
        "intervals that is expected after it.",
    )
    after.add_argument("--ladder", metavar="LADDER.yaml")
    after.add_argument("--target", metavar="NAME", action="append", help="default: all targets")
    after.add_argument("--budget-flop", metavar="F", help="training compute to spend, at most")
    after.add_argument("--budget-tokens", metavar="G", help="tokens to generate, at most")
    after.add_argument(
        "--answer-tokens",
        metavar="N",
        help="mean tokens of an answer, for tasks whose length is not known",
    )
    add_allow_mismatch(after)
    add_json(made)
    return made


def main(words: Sequence[str]) -> int:
    """Print the bill or the plan. Returns the exit status."""
    asked = parser().parse_args(words)
    check_file(asked.json)
    if asked.ladder is None:
        for name in ("target", "budget_flop", "budget_tokens", "answer_tokens", "allow_mismatch"):
            if getattr(asked, name):
                parser().error(f"--{name.replace('_', '-')} goes with PATH... --ladder LADDER.yaml")
        if not asked.tasks or len(asked.paths) > 1:
            parser().error("give LADDER.yaml --tasks TASK,..., or PATH... --ladder LADDER.yaml")
        from cod_harness.cli.plan.bill import print_bill

        speed = _positive(asked.tokens_per_second, "--tokens-per-second")
        return print_bill(asked.paths[0], asked.tasks, speed, asked.json)
    if asked.tokens_per_second:
        parser().error("--tokens-per-second goes with LADDER.yaml --tasks TASK,...")
    from cod_harness.cli.plan.after import print_plan

    return print_plan(
        asked,
        _positive(asked.budget_flop, "--budget-flop"),
        _positive(asked.budget_tokens, "--budget-tokens"),
        _positive(asked.answer_tokens, "--answer-tokens"),
        ["cod-harness", "plan", *words],
    )


def _positive(text: str | None, flag: str) -> float | None:
    from cod_harness.ladder.read_ladder import number

    def above(text: str) -> float:
        value = number(text)
        if not 0 < value < float("inf"):
            raise ValueError("a number above 0 is needed")
        return value

    return None if text is None else parsed(flag, text, above)
