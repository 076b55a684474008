"""What a ladder has to measure, cut into jobs, and what of it is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.campaign.jobs import COMMAND, Job
from cod_harness.harness.capture import flags
from cod_harness.harness.capture.shards import Share, shard_file, shard_folder
from cod_harness.ladder.draws import carrying_rungs
from cod_harness.ladder.files import file_name
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.newest import newest
from cod_harness.ladder.store import model_of, stores_in
from cod_harness.messages import say

# Inside the output folder: the jobs' logs, and what the campaign knows of its jobs.
LOG_FOLDER = "cod_logs"
JOB_FOLDER = "cod_jobs"


@dataclass(frozen=True)
class Campaign:
    """What `cod-harness ladder` was asked for.

    rest: arguments for every run, `--cod*` flags among them; options: what those flags say.
    jobs: runs at a time; None for as many as the executor has room for. shards: parts of each
    task's questions where the rung says nothing, 0 for as many as keep `jobs` busy. sbatch:
    options for SLURM that override the ladder file's. together: a rung's tasks are one job. engine:
    the executor's name and what it is told, kept for `status` and `cancel`.
    """

    ladder: Ladder
    path: Path
    tasks: tuple[str, ...]
    output: Path
    rest: tuple[str, ...]
    options: flags.CaptureOptions
    jobs: int | None = 1
    shards: int = 1
    retries: int = 0
    sbatch: Mapping[str, str] = field(default_factory=dict)
    together: bool = True
    engine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unit:
    """Some tasks of one rung and checkpoint, measured as one: by one job, or by shards and a merge.

    whole: the run, or what makes a run of the shards. folder: where the shards are kept.
    """

    rung: str
    checkpoint: str
    tasks: tuple[str, ...]
    whole: Job
    parts: tuple[Job, ...] = ()
    folder: Path = Path()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs of the unit, in the order they can begin in."""
        return (*self.parts, self.whole)

    def share(self, job: Job) -> Share | None:
        """The shard that a job of this unit runs; None if it is the whole."""
        return Share(self.parts.index(job) + 1, len(self.parts)) if job in self.parts else None

    def kept(self, job: Job) -> bool:
        """Whether that job's shard is there."""
        part = self.share(job)
        return part is not None and shard_file(self.folder, part).exists()


def units_of(campaign: Campaign) -> list[Unit]:
    """One unit per model, checkpoint and task; anchors and targets with a `model` are run too.

    By rising compute, a model's tasks side by side: what is wrong with one shows early.
    """
    runs = [
        (model, checkpoint, model_args, task)
        for model in campaign.ladder.models
        if model.model is not None
        for checkpoint, model_args in model.runs()
        for task in campaign.tasks
    ]
    if not runs:
        raise InputError(
            f"{campaign.path}: no entry has `model`; say for each how to run it, "
            "as in `model: hf` and `model_args: pretrained=FOLDER`"
        )
    busy = -(-(campaign.jobs or 1) // len(runs))
    return [
        _unit(campaign, model, checkpoint, model_args, (task,), campaign.shards or busy)
        for model, checkpoint, model_args, task in runs
    ]


def _unit(
    campaign: Campaign,
    model: Model,
    checkpoint: str,
    model_args: str,
    tasks: tuple[str, ...],
    shards: int,
) -> Unit:
    name = f"{model.name}@{_last_part(checkpoint)}" if checkpoint else model.name
    if not campaign.together:
        name = f"{name} {','.join(tasks)}"
    command = [*COMMAND, "run", "--cod", str(campaign.path)]
    command += ["--cod-rung", model.name, "--cod-no-forecast"]
    command += ["--cod-checkpoint", checkpoint] if checkpoint else []
    command += ["--model", str(model.model)]
    command += ["--model_args", model_args] if model_args else []
    command += ["--tasks", ",".join(tasks), "--output_path", str(campaign.output)]
    command += campaign.rest

    def job(of: str, *more: str, gpus: int | None = model.gpus) -> Job:
        log = campaign.output / LOG_FOLDER / f"{file_name(name + of)}.log"
        sbatch = {**campaign.ladder.cluster.sbatch, **model.sbatch, **campaign.sbatch}
        return Job(name + of, (*command, *more), log, {}, gpus, sbatch)

    shards = model.shards or shards
    if shards == 1 or campaign.options.most:  # the second stage goes on from whole runs
        return Unit(model.name, checkpoint, tasks, job(""))
    request = flags.take(command[len(COMMAND) + 1 :])[0].request
    return Unit(
        model.name,
        checkpoint,
        tasks,
        job(" merge", "--cod-merge", str(shards), gpus=0),
        tuple(job(f" {part}", "--cod-shard", part) for part in _parts(shards)),
        shard_folder(campaign.output, model.name, checkpoint, request),
    )


def _parts(count: int) -> list[str]:
    return [str(Share(number, count)) for number in range(1, count + 1)]


def unfinished(campaign: Campaign, units: Sequence[Unit]) -> list[Unit]:
    """The units whose task and settings no store in the output folder covers.

    A rung measured with other `model_args` than the ladder has now counts as done, and is named:
    they may say how it runs as well as what it is.
    """
    if not campaign.output.is_dir():
        return list(units)
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
        key: {**store.settings["request"], "further": store.settings.get("further")}
        if store.settings.get("complete")
        else {}
        for key, store in counting.items()
    }
    left, told = [], set()
    carrying = carrying_rungs(campaign.ladder)
    for unit in units:
        options, _ = flags.take(unit.whole.command[len(COMMAND) + 1 :])
        if options.further and unit.rung not in carrying:
            continue  # its first stage is all it gets
        wanted = options.request
        done = [requests.get((unit.rung, unit.checkpoint, task)) for task in wanted["tasks"]]
        if not all(
            found
            and found.get("settings") == wanted["settings"]
            and (found.get("further") or not options.further)
            for found in done
        ):
            left.append(unit)
            continue
        models = [found["model"] for found in done if found and found.get("model")]
        for before in [model for model in models if model != wanted["model"]][:1]:
            name = measured_name(unit)
            if name not in told:
                say(
                    f"{name} was measured as {' '.join(before)}, the ladder now says "
                    f"{' '.join(wanted['model'])}; if that is another model, move its files out of "
                    f"{campaign.output} and run this again"
                )
            told.add(name)
    return left


def measured_name(unit: Unit) -> str:
    """Rung and checkpoint, for people."""
    return f"{unit.rung}@{_last_part(unit.checkpoint)}" if unit.checkpoint else unit.rung


def joined(campaign: Campaign, units: Sequence[Unit]) -> list[Unit]:
    """The units, where `together` those of a rung and checkpoint as one: one load of the model."""
    if not campaign.together:
        return list(units)
    alike: dict[tuple[str, str], list[Unit]] = {}
    for unit in units:
        alike.setdefault((unit.rung, unit.checkpoint), []).append(unit)
    made = []
    for (rung, checkpoint), some in alike.items():
        if len(some) == 1:
            made += some
            continue
        model = campaign.ladder.find(rung)
        model_args = dict(model.runs())[checkpoint]
        tasks = tuple(task for unit in some for task in unit.tasks)
        made.append(_unit(campaign, model, checkpoint, model_args, tasks, 1))
    return made


def second_stage(campaign: Campaign, tasks: Sequence[str]) -> Campaign:
    """The same campaign, asking for the further draws of `--cod-repeats K:MOST` of some tasks."""
    options = replace(campaign.options, further=True, further_tasks=tuple(tasks))
    further = f"--cod-further={','.join(tasks)}"
    return replace(campaign, rest=(*campaign.rest, further), options=options)


def _last_part(checkpoint: str) -> str:
    return checkpoint.rstrip("/").rsplit("/", 1)[-1]
