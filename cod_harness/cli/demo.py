"""`cod-harness demo`: ladder, capture, forecast and comparison on the models that ship."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import ArgumentParser
from cod_harness.demo.tasks import GROUP
from cod_harness.task_folder import task_folder

LADDER = Path(__file__).parents[1] / "demo" / "ladder.yaml"
REPEATS = 16
REPEATS_FULL = 100


def parser() -> argparse.ArgumentParser:
    """The parser of `cod-harness demo`."""
    arguments = ArgumentParser(
        prog="cod-harness demo",
        allow_abbrev=False,
        description="Run eight small benchmarks on the ladder of tiny models that ships, through "
        "lm_eval, and compare the forecast for the target with what the target scores.",
    )
    arguments.add_argument("--output_path", metavar="OUT", default="cod_demo")
    arguments.add_argument(
        "--full", action="store_true", help=f"{REPEATS_FULL} samples a question, not {REPEATS}"
    )
    return arguments


def main(argv: Sequence[str]) -> int:
    """Run the demo. argv: the arguments after the word `demo`. Returns the exit status."""
    asked = parser().parse_args(argv)
    # Nothing here is on a hub; two runs at a time share the cores better without BLAS threads.
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ.update(offline)
    jobs = os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from cod_harness.cli import ladder

    begun = time.monotonic()
    repeats = REPEATS_FULL if asked.full else REPEATS
    print(
        f"cod-harness: the shipped ladder on {GROUP}, {repeats} samples a question, "
        f"{jobs} runs at a time, into {asked.output_path}",
        file=sys.stderr,
    )
    status = ladder.main(
        [
            str(LADDER),
            *("--tasks", GROUP, "--output_path", asked.output_path, "--jobs", str(jobs)),
            *("--include_path", str(task_folder()), "--cod-include-only"),
            *("--cod-repeats", str(repeats)),
        ]
    )
    if status == 0:
        print(
            "\n`Measured` is what the target model really scored: it was run for this comparison, "
            "and no\nforecast has seen it. "
            f"({time.monotonic() - begun:.0f} s)"
        )
    return status
