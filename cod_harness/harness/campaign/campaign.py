"""One run per model of a ladder, finished ones skipped."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.campaign.executors import Executor, Finished, RungJob
from cod_harness.harness.campaign.progress import Progress
from cod_harness.harness.capture import flags
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.newest import newest
from cod_harness.ladder.store import model_of, stores_in
from cod_harness.messages import say

# Where the children's logs go, inside the output folder.
LOG_FOLDER = "cod_logs"
_LOOK_EVERY = 0.5  # seconds between looks at the children


@dataclass(frozen=True)
class Campaign:
    """What `cod-harness ladder` was asked for.

    rest: arguments for every run, `--cod*` flags among them; options: what those flags say.
    jobs: processes at a time.
    """

    ladder: Ladder
    path: Path
    tasks: str
    output: Path
    jobs: int
    rest: tuple[str, ...]
    options: flags.CaptureOptions


def jobs_of(campaign: Campaign) -> list[RungJob]:
    """One job per model and checkpoint, anchors and measured targets with a `model` included."""
    jobs = []
    for model in campaign.ladder.models:
        if model.model is None:
            continue
        for checkpoint, model_args in model.runs():
            name = f"{model.name}@{_last_part(checkpoint)}" if checkpoint else model.name
            command = [sys.executable, "-m", "cod_harness", "run", "--cod", str(campaign.path)]
            command += ["--cod-rung", model.name, "--cod-no-forecast"]
            command += ["--cod-checkpoint", checkpoint] if checkpoint else []
            command += ["--model", model.model]
            command += ["--model_args", model_args] if model_args else []
            command += ["--tasks", campaign.tasks, "--output_path", str(campaign.output)]
            log = campaign.output / LOG_FOLDER / f"{_file_name(name)}.log"
            jobs.append(RungJob(name, (*command, *campaign.rest), log))
    if not jobs:
        raise InputError(
            f"{campaign.path}: no entry has `model`; say for each how to run it, "
            "as in `model: hf` and `model_args: pretrained=FOLDER`"
        )
    return jobs


def unfinished(campaign: Campaign, jobs: Sequence[RungJob]) -> list[RungJob]:
    """The jobs whose tasks and settings no store in the output folder covers.

    A rung measured with other `model_args` than the ladder has now counts as done, and is named:
    they may say how it runs as well as what it is.
    """
    if not campaign.output.is_dir():
        return list(jobs)
    # The newest store of a model and task counts in the forecast; an older one covers nothing.
    stores, unreadable = stores_in(campaign.output, campaign.ladder.name)
    for problem in unreadable:
        say(f"left out: {problem}")
    counting, _ = newest(
        (
            ((*model_of(store.settings), task), store)
            for store in stores
            for task in (store.settings.get("request") or {}).get("tasks", [])
        ),
        date=lambda store: store.order,
    )
    requests: dict[tuple[str, str, str], Any] = {
        key: store.settings["request"] if store.settings.get("complete") else {}
        for key, store in counting.items()
    }
    left = []
    for job in jobs:
        options, rest = flags.take(job.command[4:])
        wanted = flags.request_of(rest, options.repeats, options.metrics)
        done = [requests.get((str(options.rung), options.checkpoint, t)) for t in wanted["tasks"]]
        if not all(found and found.get("settings") == wanted["settings"] for found in done):
            left.append(job)
            continue
        models = [found["model"] for found in done if found and found.get("model")]
        for before in [model for model in models if model != wanted["model"]][:1]:
            say(
                f"{job.name} was measured as {' '.join(before)}, the ladder now says "
                f"{' '.join(wanted['model'])}; if that is another model, move its files out of "
                f"{campaign.output} and run this again"
            )
    return left


def execute(campaign: Campaign, executor: Executor) -> list[Finished]:
    """Run what is left to run; return the jobs that failed. A failing one stops no other."""
    jobs = jobs_of(campaign)
    left = unfinished(campaign, jobs)
    if len(left) < len(jobs):
        names = ", ".join(job.name for job in jobs if job not in left)
        say(f"already measured, skipped: {names}")
    for job in left:
        # An earlier attempt's log would be taken for this one's.
        job.log.unlink(missing_ok=True)
        executor.submit(job)
    failed: list[Finished] = []
    done = 0
    progress = Progress(campaign.tasks, len(left), campaign.options.repeats or 1)
    try:
        while done < len(left):
            for finished in executor.poll():
                done += 1
                failed += [finished] if finished.status else []
                progress.ended(finished, done)
            progress.show(executor.running(), done)
            if done < len(left):
                time.sleep(_LOOK_EVERY)
    finally:
        executor.stop()
        progress.close()
    return failed


def _last_part(checkpoint: str) -> str:
    return checkpoint.rstrip("/").rsplit("/", 1)[-1]


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@-]+", "_", name)
