"""`cod-harness ladder`: everything a ladder needs measured, finished ones skipped; the forecast."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cod_harness.arguments import ArgumentParser, whole
from cod_harness.cli.outlook import Outlook, worth_drawing
from cod_harness.errors import InputError
from cod_harness.harness.campaign.campaign import (
    JOB_FOLDER,
    Campaign,
    joined,
    second_stage,
    unfinished,
    units_of,
)
from cod_harness.harness.campaign.driver import Cancelled, Outcome, execute
from cod_harness.harness.campaign.executors import Executor, Room, executor
from cod_harness.harness.campaign.progress import ending, last_words
from cod_harness.harness.campaign.records import words
from cod_harness.harness.campaign.slurm import sbatch_options
from cod_harness.harness.capture import flags
from cod_harness.ladder.files import check_folder
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.messages import say

# What comes after the runs, given the output folder and the ladder; may raise InputError.
Follow = Callable[[Path, Ladder], None]
# Merges at a time, where the runs are elsewhere: they score on the machine of the driver.
_MERGES = 2


def parser() -> argparse.ArgumentParser:
    """The parser of `cod-harness ladder`; what it does not know goes to every run."""
    arguments = ArgumentParser(
        prog="cod-harness ladder",
        examples=(
            "cod-harness ladder ladder.yaml --tasks gsm8k_cot --output_path out \\",
            "    --cod-repeats 16 --gen_kwargs do_sample=True,temperature=1.0",
            "cod-harness ladder ladder.yaml --tasks cod_suite --output_path out --dry-run",
        ),
        allow_abbrev=False,
        description="Run the tasks on every model of a ladder that has `model`; skip what is "
        "measured already; then forecast. Other arguments go to every `run`. The same command "
        "goes on where an earlier one ended, and finds its jobs again.",
    )
    arguments.add_argument("ladder", metavar="LADDER.yaml")
    arguments.add_argument("--tasks", "-t", nargs="+", required=True, metavar="TASK")
    arguments.add_argument("--output_path", "-o", required=True, metavar="OUT")
    arguments.add_argument(
        "--jobs", "-j", metavar="N", help="runs at a time (default: 1; on a cluster all)"
    )
    where = arguments.add_argument_group("where the runs are executed")
    where.add_argument(
        "--executor",
        metavar="NAME",
        help="local (default), slurm or ray; `cluster:` in the ladder file sets another default",
    )
    where.add_argument(
        "--shards",
        metavar="N",
        help="each task's questions in N runs, then merged; auto: as many as keep --jobs busy",
    )
    where.add_argument(
        "--retries", metavar="R", default="0", help="times a run that failed is tried again"
    )
    where.add_argument(
        "--detach", action="store_true", help="submit and return; see `cod-harness status OUT`"
    )
    where.add_argument(
        "--dry-run", action="store_true", help="print the scripts and commands, run nothing"
    )
    where.add_argument(
        "--sbatch", metavar="OPTIONS", default="", help='as in "--partition=gpu --time=4:00:00"'
    )
    where.add_argument(
        "--ray-address", metavar="A", help="of a Ray cluster; auto: the one of this machine"
    )
    return arguments


def main(argv: Sequence[str], follow: Follow | None = None) -> int:
    """Run a campaign. argv: the arguments after the word `ladder`. Returns the exit status.

    0 all runs done and forecast made, or handed over with --detach; 1 a run failed; 2 wrong input,
    said in one line.

    follow: what comes after the runs; the forecast's table if None.
    """
    try:
        known, campaign, room = asked(argv)
        engine = executor(known.executor, room)
        if known.dry_run:
            return _dry_run(campaign, engine)
        if known.detach and not engine.stays:
            raise InputError(
                f"--detach: jobs of --executor {known.executor} end with this process; use slurm "
                "or ray, or `nohup cod-harness ladder ... &`"
            )
        return _run(campaign, engine, room, known.detach, follow)
    except InputError as refusal:
        print(f"cod-harness: {refusal}", file=sys.stderr)
        return 2


def _run(
    campaign: Campaign, engine: Executor, room: Room, detach: bool, follow: Follow | None
) -> int:
    here = executor("local", replace(room, jobs=_MERGES)) if engine.stays else None
    out = campaign.output
    try:
        with _ended_like_interrupted():
            outcome = execute(campaign, engine, here, detach=detach)
            if campaign.options.most and not (outcome.failed or outcome.away or outcome.shared):
                further = _further_tasks(campaign)
                if further:
                    campaign = second_stage(campaign, further)
                    outcome = execute(campaign, engine, here, detach=detach)
    except Cancelled:
        print(f"\ncod-harness: cancelled by `cod-harness cancel {out}`", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        gone = "stopped; the same command goes on from here"
        if engine.stays:
            gone = (
                f"left; jobs that were submitted go on: see `cod-harness status {out}`; the same "
                "command finds them again"
            )
        print(f"\ncod-harness: {gone}", file=sys.stderr)
        return 130
    if outcome.away:
        _say_away(campaign, outcome)
        return 1 if outcome.failed else 0
    return _told(campaign, outcome, follow)


def _further_tasks(campaign: Campaign) -> list[str]:
    """The tasks that get the second stage of their draws."""
    options = campaign.options
    assert options.most is not None
    try:
        return worth_drawing(campaign.output, campaign.ladder, options.most, options.allow_mismatch)
    except InputError as refusal:  # said again by the forecast that follows
        say(f"no second stage of draws: {refusal}")
        return []


def _told(campaign: Campaign, outcome: Outcome, follow: Follow | None) -> int:
    """The forecast, and what failed."""
    status = 1 if outcome.failed else 0
    if outcome.shared is not None:
        job = outcome.shared.job
        print(
            f"cod-harness: stopped at {job.name}, since every rung would end alike: "
            f"{words(outcome.shared)}; log: {job.log}",
            file=sys.stderr,
        )
        return 2
    try:
        follow = follow or Outlook(campaign.options.allow_mismatch).show
        follow(campaign.output, campaign.ladder)
    except InputError as refusal:
        print(f"cod-harness: no forecast: {refusal}", file=sys.stderr)
        status = status or 2
    _say_failed(outcome)
    return status


def _say_failed(outcome: Outcome) -> None:
    for finished in outcome.failed:
        job = finished.job
        print(
            f"cod-harness: {job.name} failed ({ending(finished)}): {last_words(job.log)}; "
            f"log: {job.log}",
            file=sys.stderr,
        )


def _say_away(campaign: Campaign, outcome: Outcome) -> None:
    _say_failed(outcome)
    runs = "1 job goes on" if outcome.away == 1 else f"{outcome.away} jobs go on"
    say(
        f"{runs} without this command: see `cod-harness status {campaign.output}`; the same "
        "command collects what they measure and forecasts"
    )


def _dry_run(campaign: Campaign, engine: Executor) -> int:
    units = joined(campaign, unfinished(campaign, units_of(campaign)))
    jobs = [job for unit in units for job in (unit.parts or (unit.whole,)) if not unit.kept(job)]
    print(engine.script(jobs), end="")
    merges = [unit.whole for unit in units if unit.parts]
    if merges:
        print("\n# on this machine, each when its shards are there")
        print(executor("local", Room(campaign.output / JOB_FOLDER)).script(merges), end="")
    return 0


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """Let `kill`, or a batch system's end of time, stop the children as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def asked(argv: Sequence[str]) -> tuple[argparse.Namespace, Campaign, Room]:
    """What a command line asks for: its own words, the campaign, and the executor's room.

    Raises InputError.
    """
    if argv and "-h" not in argv and "--help" not in argv and argv[0].startswith("-"):
        raise InputError("name the ladder file first: cod-harness ladder LADDER.yaml --tasks ...")
    known, rest = parser().parse_known_args(_sbatch_joined(argv))
    for word in rest:
        name = word.partition("=")[0]
        if name in ("--model", "-M", "--model_args", "-a", "--cod", "--cod-rung", "--config"):
            raise InputError(f"{name}: comes from the ladder file here; leave it out")
        if name in ("--cod-shard", "--cod-merge"):
            raise InputError(f"{name}: comes from --shards here; leave it out")
    path = Path(known.ladder)
    ladder = read_ladder(path)
    cluster = ladder.cluster
    known.executor = known.executor or cluster.executor or "local"
    local = known.executor == "local"
    jobs = _at_least_one("--jobs", known.jobs, "processes") if known.jobs else 1 if local else None
    if known.shards == "auto" and jobs is None:
        raise InputError("--shards auto: as many as keep --jobs busy; say how many with --jobs N")
    shards = known.shards or "1"
    # Wrong flags of ours are found here, not in every child.
    options, _ = flags.take(["--cod", str(path), *rest])
    output = Path(known.output_path)
    check_folder(output)
    extra = dict(cluster.ray) | ({"address": known.ray_address} if known.ray_address else {})
    room = Room(output / JOB_FOLDER, jobs, cluster.setup, extra)
    parts = 0 if shards == "auto" else _at_least_one("--shards", shards, "shards")
    campaign = Campaign(
        ladder=ladder,
        path=path,
        tasks=tuple(task for text in known.tasks for task in text.split(",") if task),
        output=output,
        rest=tuple(rest),
        options=options,
        jobs=jobs,
        shards=parts,
        retries=whole("--retries", known.retries),
        sbatch=sbatch_options(known.sbatch),
        together=local and parts == 1 and all(model.shards is None for model in ladder.models),
        engine={"executor": known.executor, "options": extra},
    )
    return known, campaign, room


def _sbatch_joined(argv: Sequence[str]) -> list[str]:
    # argparse takes a value that begins with a dash for the next flag.
    words, joined_words = list(argv), []
    while words:
        word = words.pop(0)
        if word == "--sbatch" and words:
            word = f"--sbatch={words.pop(0)}"
        joined_words.append(word)
    return joined_words


def _at_least_one(flag: str, text: str, what: str) -> int:
    return flags.repeats_of(text, flag, what)
