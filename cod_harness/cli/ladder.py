"""`cod-harness ladder`: one run per model of a ladder, finished ones skipped, then the forecast."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cod_harness.arguments import ArgumentParser
from cod_harness.cli.outlook import Outlook
from cod_harness.errors import InputError
from cod_harness.harness.campaign.campaign import Campaign, execute
from cod_harness.harness.campaign.executors import LocalExecutor
from cod_harness.harness.campaign.progress import ending, last_words
from cod_harness.harness.capture import flags
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.read_ladder import read_ladder


def parser() -> argparse.ArgumentParser:
    """The parser of `cod-harness ladder`; what it does not know goes to every run."""
    arguments = ArgumentParser(
        prog="cod-harness ladder",
        allow_abbrev=False,
        description="Run the tasks on every model of a ladder that has `model`, one process each; "
        "skip those already measured; then forecast. Other arguments go to every `run`.",
    )
    arguments.add_argument("ladder", metavar="LADDER.yaml")
    arguments.add_argument("--tasks", "-t", nargs="+", required=True, metavar="TASK")
    arguments.add_argument("--output_path", "-o", required=True, metavar="OUT")
    arguments.add_argument("--jobs", "-j", default="1", metavar="N", help="runs at a time")
    return arguments


def main(argv: Sequence[str], follow: Callable[[Path, Ladder], None] | None = None) -> int:
    """Run a campaign. argv: the arguments after the word `ladder`. Returns the exit status.

    follow: what comes after the runs, given the output folder and the ladder, and may raise
    InputError; the forecast's table if None.

    0 all runs done and forecast made; 1 a run failed; 2 wrong input, said in one line.
    """
    try:
        campaign = asked(argv)
        with _ended_like_interrupted():
            failed = execute(campaign, LocalExecutor(campaign.jobs))
    except InputError as refusal:
        print(f"cod-harness: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ncod-harness: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    status = 1 if failed else 0
    try:
        follow = follow or Outlook(campaign.options.allow_mismatch).show
        follow(campaign.output, campaign.ladder)
    except InputError as refusal:
        print(f"cod-harness: no forecast: {refusal}", file=sys.stderr)
        status = status or 2
    for finished in failed:
        print(
            f"cod-harness: {finished.job.name} failed ({ending(finished.status)}): "
            f"{last_words(finished.job.log)}; log: {finished.job.log}",
            file=sys.stderr,
        )
    return status


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """Let `kill`, or a batch system's end of time, stop the children as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def asked(argv: Sequence[str]) -> Campaign:
    """The campaign a command line asks for. Raises InputError."""
    if argv and "-h" not in argv and "--help" not in argv and argv[0].startswith("-"):
        raise InputError("name the ladder file first: cod-harness ladder LADDER.yaml --tasks ...")
    known, rest = parser().parse_known_args(list(argv))
    if not known.jobs.isdigit() or int(known.jobs) < 1:
        raise InputError(f"--jobs {known.jobs}: a whole number of processes, 1 or more, is needed")
    for word in rest:
        name = word.partition("=")[0]
        if name in ("--model", "-M", "--model_args", "-a", "--cod", "--cod-rung", "--config"):
            raise InputError(f"{name}: comes from the ladder file here; leave it out")
    path = Path(known.ladder)
    ladder = read_ladder(path)
    # Wrong flags of ours are found here, not in every child.
    options, _ = flags.take(["--cod", str(path), *rest])
    tasks = ",".join(task for text in known.tasks for task in text.split(",") if task)
    return Campaign(
        ladder, path, tasks, Path(known.output_path), int(known.jobs), tuple(rest), options
    )
