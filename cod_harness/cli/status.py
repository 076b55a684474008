"""`cod-harness status`: where a ladder's jobs are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import ArgumentParser, add_json
from cod_harness.harness.campaign.standing import Row, Standing, standing
from cod_harness.ladder.files import check_file, write_whole
from cod_harness.report.text.grid import grid, terminal_width


def parser() -> argparse.ArgumentParser:
    """The parser of `cod-harness status`."""
    arguments = ArgumentParser(
        prog="cod-harness status",
        examples=(
            "cod-harness status out",
            "cod-harness status out --json -",
        ),
        allow_abbrev=False,
        description="Say of each rung and task of a ladder whether it waits, runs, is done or has "
        "failed, on whatever engine it was started.",
    )
    arguments.add_argument("output", metavar="OUT", help="the --output_path of the ladder")
    add_json(arguments)
    return arguments


def main(argv: Sequence[str]) -> int:
    """Show where everything is. argv: the arguments after the word `status`."""
    asked = parser().parse_args(argv)
    check_file(asked.json)
    found = standing(Path(asked.output))
    text = json.dumps(found.document(), indent=2, ensure_ascii=False) + "\n"
    if asked.json == "-":
        print(text, end="")
        return 0
    if asked.json:
        write_whole(asked.json, text)
    print(_table(found), end="")
    return 0


def _table(found: Standing) -> str:
    rows = [[_name(row), row.task, row.state, _about(row)] for row in found.rows]
    counts = ", ".join(f"{n} {state}" for state, n in found.document()["counts"].items() if n)
    driver = (
        f"driven by process {found.driver.get('pid')} on {found.driver.get('host')}"
        if found.driver
        else "nobody drives it: the `ladder` command it was begun with goes on with it"
    )
    if all(row.state == "done" for row in found.rows):
        driver = "complete"
    headers = ["rung", "task", "state", "where"]
    lines = grid(headers, rows, terminal_width(), headers)
    return "\n".join([*lines, f"{found.ladder} on {found.executor}: {counts}; {driver}", ""])


def _name(row: Row) -> str:
    last = row.checkpoint.rstrip("/").rsplit("/", 1)[-1]
    return f"{row.rung}@{last}" if last else row.rung


def _about(row: Row) -> str:
    parts = []
    if row.shards and row.state != "done":
        parts.append(
            ", ".join(
                f"{n} {'shard' if n == 1 else 'shards'} {state}"
                for state, n in row.shards.items()
                if n
            )
        )
    if row.questions is not None:
        left = f", {row.left} left" if row.left else ""
        parts.append(f"{row.questions}/{row.total} {row.unit}{left}")
    if row.words and row.state != "done":
        parts.append(row.words if row.state == "failed" else f"before: {row.words}")
    return "; ".join(parts)
