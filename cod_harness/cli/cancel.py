"""`cod-harness cancel`: end a ladder's jobs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import ArgumentParser
from cod_harness.harness.campaign.standing import cancel
from cod_harness.messages import say


def parser() -> argparse.ArgumentParser:
    """The parser of `cod-harness cancel`."""
    arguments = ArgumentParser(
        prog="cod-harness cancel",
        examples=(
            "cod-harness cancel out",
            "cod-harness status out && cod-harness cancel out",
        ),
        allow_abbrev=False,
        description="End all jobs of a ladder, on whatever engine it was started. What is measured "
        "stays, and the same `ladder` command goes on from there.",
    )
    arguments.add_argument("output", metavar="OUT", help="the --output_path of the ladder")
    return arguments


def main(argv: Sequence[str]) -> int:
    """End everything. argv: the arguments after the word `cancel`."""
    asked = parser().parse_args(argv)
    ended = cancel(Path(asked.output))
    say(f"{ended} {'job' if ended == 1 else 'jobs'} cancelled; what is measured stays")
    return 0
