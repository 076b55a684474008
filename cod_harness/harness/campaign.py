"""`cod-harness ladder`: one run per model of a ladder, finished ones skipped, then the forecast."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError
from cod_harness.harness import flags
from cod_harness.harness.executor import Executor, Finished, LocalExecutor, RungJob
from cod_harness.harness.outlook import show_forecast, stores_of
from cod_harness.ladder.manifest import Ladder
from cod_harness.messages import quiet, say

# Where the children's logs go, inside the output folder.
LOG_FOLDER = "cod_logs"
_LOOK_EVERY = 0.5  # seconds between looks at the children
_SPEAK_EVERY = 30.0  # seconds between progress lines where stderr is not a terminal
_LOG_TAIL = 4096  # bytes of a log that are searched for its last progress bar

# tqdm: `Running generate_until requests:  40%|##  | 96/240 [00:04<00:06, 22.8it/s]`
_BAR = re.compile(rb"([^\r\n|]*?):?\s+\d+%\|[^|]*\|\s*(\d+)/(\d+) \[[\d:]+<([\d:?]+)")


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


def main(argv: Sequence[str]) -> int:
    """Run a campaign. argv: the arguments after the word `ladder`. Returns the exit status.

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
        show_forecast(campaign.output, campaign.ladder, campaign.options.allow_mismatch)
    except InputError as refusal:
        print(f"cod-harness: no forecast: {refusal}", file=sys.stderr)
        status = status or 2
    for finished in failed:
        print(
            f"cod-harness: {finished.job.name} failed ({_ending(finished.status)}): "
            f"{_last_words(finished.job.log)}; log: {finished.job.log}",
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
    ladder = Ladder.read(path)
    # Wrong flags of ours are found here, not in every child.
    options, _ = flags.take(["--cod", str(path), *rest])
    tasks = ",".join(task for text in known.tasks for task in text.split(",") if task)
    return Campaign(
        ladder, path, tasks, Path(known.output_path), int(known.jobs), tuple(rest), options
    )


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
    newest: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for settings in stores_of(campaign.output, campaign.ladder).values():
        request: Any = settings.get("request") or {}
        for task in request.get("tasks", []):
            key = (str(settings.get("rung")), str(settings.get("checkpoint") or ""), task)
            newest[key] = request if settings.get("complete") else {}
    left = []
    for job in jobs:
        options, rest = flags.take(job.command[4:])
        wanted = flags.request_of(rest, options.repeats, options.metrics)
        done = [newest.get((str(options.rung), options.checkpoint, t)) for t in wanted["tasks"]]
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
    progress = _Progress(campaign, len(left))
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


class _Progress:
    """One line on stderr: rung, tasks, questions, time left. Rewritten in place on a terminal."""

    def __init__(self, campaign: Campaign, total: int) -> None:
        self._tasks = campaign.tasks
        self._total = total
        self._live = sys.stderr.isatty()
        self._spoken = time.monotonic() - _SPEAK_EVERY + 5.0
        self._width = 0
        self._repeats = campaign.options.repeats or 1

    def show(self, running: Sequence[RungJob], done: int) -> None:
        """Say where the running jobs are."""
        if quiet() or (not self._live and time.monotonic() - self._spoken < _SPEAK_EVERY):
            return
        self._spoken = time.monotonic()
        parts = [f"{job.name} {_tail_progress(job.log, self._repeats)}" for job in running]
        if parts:
            self._write(f"[{done}/{self._total}] {self._tasks}: {'; '.join(parts)}")

    def ended(self, finished: Finished, done: int) -> None:
        """Say that a job has ended, on a line that stays."""
        if quiet() and finished.status == 0:
            return
        word = "done" if finished.status == 0 else f"FAILED ({_ending(finished.status)})"
        self._write(f"[{done}/{self._total}] {finished.job.name}: {word}")
        self.close()

    def _write(self, text: str) -> None:
        if self._live:
            text = text[:160]
            print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        else:
            print(f"cod-harness: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line standing."""
        if self._live and self._width:
            print(file=sys.stderr)
            self._width = 0


def _tail_progress(log: Path, repeats: int) -> str:
    """The last progress bar in a child's log, in words."""
    found = _BAR.findall(_tail(log))
    if not found:
        return "starting"
    label, done, total, left = (part.decode("utf-8", "replace").strip() for part in found[-1])
    if "generate" in label and int(total) % repeats == 0:
        done, total = str(int(done) // repeats), str(int(total) // repeats)
    unit = "questions" if label else "questions prepared"
    return f"{done}/{total} {unit}, {left} left"


def _tail(log: Path) -> bytes:
    try:
        with open(log, "rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _LOG_TAIL))
            return stream.read()
    except OSError:
        return b""


def _ending(status: int) -> str:
    return f"exit {status}" if status >= 0 else f"killed by signal {-status}"


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in re.split(rb"[\r\n]+", _tail(log)) if line.strip()]
    words = lines[-1].decode("utf-8", "replace") if lines else "it said nothing"
    return words[:200].removeprefix("cod-harness: ")


def _last_part(checkpoint: str) -> str:
    return checkpoint.rstrip("/").rsplit("/", 1)[-1]


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@-]+", "_", name)
