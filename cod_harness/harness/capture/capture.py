"""The capture: what happens around the harness's own `evaluate`, and the files that come of it."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from cod_harness.errors import InputError
from cod_harness.harness.capture import guards, record
from cod_harness.harness.capture.announced import check_announced
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.capture.shards import (
    AllAnswered,
    Kept,
    Merge,
    ShardRun,
    shard_file,
    shard_folder,
)
from cod_harness.harness.sampling.journal import Journal
from cod_harness.harness.sampling.repeated import repeated_requests
from cod_harness.harness.sampling.stages import further_questions
from cod_harness.harness.scoring.responses import (
    answered,
    doc_hash,
    gathered,
    occurrence_names,
    tasks_in,
)
from cod_harness.ladder.files import check_folder
from cod_harness.ladder.groups import pooled_groups
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.messages import say


class FollowUp(Protocol):
    """What follows a capture, given by whoever started the run: the forecast, where wanted."""

    def track(self, folder: Path, ladder: Ladder) -> None:
        """The pass rates are on disk and the harness's own trackers still open."""

    def show(self, folder: Path, ladder: Ladder) -> None:
        """The run is over."""


# Keys of `model_args` that may name the model, as the harness's own tracker reads them.
_MODEL_KEYS = ("pretrained", "peft", "delta", "model", "path", "engine")
_INGEST = "with --log_samples `cod-harness ingest` can still make pass rates"


class Capture:
    """One harness run, watched from its start to its files.

    The hooks call, in this order: `intake` (arguments known, no model loaded), `tracking` (where
    results go), `evaluate` (in place of the harness's), `evaluated` (its results, model and machine
    told in them), `saved` (results are on disk). Then the command line calls `finish`.

    Faults of the user found before a model answers are raised (InputError); later ones, and
    faults of ours, are kept until `finish`, so that the harness's own results are always written.
    """

    def __init__(self, options: CaptureOptions, follow_up: FollowUp | None = None) -> None:
        """Raises InputError for a ladder that cannot be read or a rung it does not have."""
        self.options = options
        self.ladder = read_ladder(options.ladder)
        if options.rung is not None:
            self.ladder.find(options.rung)
        self.started = False  # whether a model has been asked anything
        self.tasks_captured: Mapping[str, Mapping[str, Any]] = {}  # how each was run, and its rate
        self.known_tasks: list[str] = []  # what the harness knows, for suggestions
        self.refusals: list[str] = []
        self.failures: list[str] = []
        self.store: Path | None = None
        self._names: list[str] = []
        self._tracker: Any = None
        self._entry: tuple[Model, str] | None = None
        self._others = guards.Neighbours()
        self._use_cache = False
        self._captured: record.Record | None = None
        self._journal: Journal | None = None
        self._follow_up = follow_up if options.forecast else None
        self._shard = ShardRun(options.shard) if options.shard else None
        self._merge: Merge | None = None

    # -- before the run ---------------------------------------------------------------------

    def intake(self, arguments: Mapping[str, Any]) -> None:
        """The arguments of `simple_evaluate`, before it loads the model."""
        model_args = arguments.get("model_args")
        self._names = model_names(model_args)
        self._use_cache = bool(arguments.get("use_cache"))
        if arguments.get("evaluation_tracker") is not None:
            self._tracker = arguments["evaluation_tracker"]
        self._entry = guards.rung_of(self.ladder, self.options, self._names)
        if self.options.repeats and arguments.get("cache_requests"):
            guards.check_caches(self.options.repeats, True, False, "this run")
        folder = self.folder
        if folder is None:
            raise InputError("--output_path is missing: name the folder that pass rates go to")
        check_folder(folder)
        if not self.options.merge:
            check_announced(arguments, self.options)
        self._others = guards.neighbours(folder, self.ladder, self._entry[0].name, self._entry[1])
        for note in self._others.notes:
            _say(note)
        if self.options.merge:
            self._merge = Merge(Kept.read(self._shard_folder(), self.options.merge))

    def _shard_folder(self) -> Path:
        if self.folder is None or self._entry is None:
            raise InputError("shards are kept under --output_path: name one")
        return shard_folder(self.folder, *self._named(), self.options.request)

    def _named(self) -> tuple[str, str]:
        assert self._entry is not None
        return self._entry[0].name, self._entry[1]

    def model(self) -> Any:
        """The model of a merge: what its shards have kept."""
        assert self._merge is not None
        return self._merge.model()

    def tracking(self, tracker: Any) -> None:
        """The harness's EvaluationTracker: it knows the output path, later the date."""
        self._tracker = tracker

    @property
    def folder(self) -> Path | None:
        """The output folder OUT of the run; None if nothing is written."""
        path = getattr(self._tracker, "output_path", None)
        if not path:
            return None
        path = Path(path)
        return path.parent if path.suffix == ".json" else path

    # -- the run ----------------------------------------------------------------------------

    def evaluate(self, original: Callable[[], Any], arguments: Mapping[str, Any]) -> Any:
        """Run the harness's `evaluate`, with guards before and scoring after it.

        original: the call, with its arguments. arguments: the same, by name.
        """
        lm = arguments["lm"]
        tasks = tasks_in(arguments["task_dict"])
        self._prepare(tasks, arguments)
        self.started = True
        if self._merge is not None:
            self._merge.watch(tasks)
            results = original()
        else:
            keep = self._open_journal if self.options.journal and self.folder else None
            with repeated_requests(lm, keep, self.options.n_max) as self._journal:
                if self._shard is not None:
                    self._answer_only(self._shard, lm, tasks, original)
                    return {}
                results = original()
        with self._kept("scoring the repeats"):
            self._collect(lm, tasks, results)
        return results

    def _answer_only(
        self, shard: ShardRun, lm: Any, tasks: Mapping[str, Any], original: Callable[[], Any]
    ) -> None:
        if lm.world_size > 1:
            raise InputError("--cod-shard: for one process; leave the launcher or it out")
        shard.watch(tasks)
        with suppress(AllAnswered):
            original()

    def evaluated(self, results: Any) -> Any:
        """What `simple_evaluate` returns; None, which the harness writes nowhere, for a shard."""
        if self._merge is not None:
            return self._merge.finished(results, self._tracker)
        if self._shard is None:
            return results
        rung, checkpoint = self._named()
        path = shard_file(self._shard_folder(), self._shard.part)
        about = {"rung": rung, "checkpoint": checkpoint, "request": dict(self.options.request)}
        self._shard.keep(path, about, results, self._tracker)
        if self._journal is not None:
            self._journal.remove()
        _say(f"answers of shard {self._shard.part} kept in {path}")
        return None

    def _prepare(self, tasks: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        if self._entry is None:  # simple_evaluate was not seen: called some other way
            self._names = self._names or model_names(_tracked_name(self._tracker))
            self._entry = guards.rung_of(self.ladder, self.options, self._names)
        guards.check_metric_names(list(tasks), self.options)
        for name, task in tasks.items():
            if self.options.repeats and task.OUTPUT_TYPE == "generate_until":
                task.set_config("repeats", self.options.repeats)
            guards.check_task(
                name, task, self.options, bool(arguments.get("cache_requests")), self._use_cache
            )
        if not self.options.allow_mismatch:
            settings = {
                "rung": self._entry[0].name,
                "tasks": {name: record.task_settings(task) for name, task in tasks.items()},
            }
            guards.check_settings(settings, self._others)
        for name, task in tasks.items():
            guards.after_building(task, functools.partial(self._requests_built, name, task))

    def _requests_built(self, name: str, task: Any) -> None:
        if not self.options.allow_mismatch:
            self._compare_prompts(name, task)
        if self.options.further and task.OUTPUT_TYPE == "generate_until":
            self._ask_further(name, task)

    def _ask_further(self, name: str, task: Any) -> None:
        """More samples for the questions that the other rungs' rates leave in doubt."""
        assert self._entry is not None
        if self.folder is None:
            raise InputError("--cod-further: name the --output_path of the first stage")
        chosen = further_questions(self.folder, self.ladder, self._entry[0], name, self.options)
        names = occurrence_names(doc_hash(instance.doc) for instance in task.instances)
        for instance, question in zip(task.instances, names, strict=True):
            if question in chosen:
                instance.repeats = self.options.most
        _say(f"task {name}: {len(chosen)} questions get {self.options.most} samples")

    def _compare_prompts(self, name: str, task: Any) -> None:
        for note in guards.check_prompts(name, task, self._others):
            _say(note)

    def _open_journal(self, rank: int) -> Journal:
        """Where this run's samples are kept until its results are written."""
        assert self._entry is not None
        assert self.folder is not None
        model, checkpoint = self._entry
        request: dict[str, Any] = dict(self.options.request or {"model": self._names})
        if self._shard is not None:
            request["shard"] = str(self._shard.part)
        return Journal(self.folder, model.name, checkpoint, request, rank)

    def _collect(self, lm: Any, tasks: Mapping[str, Any], results: Any) -> None:
        """Score on the first process and put the `cod` key into the results."""
        mine: dict[str, Any] = dict.fromkeys(tasks)
        for name, task in tasks.items():
            # A failure must not keep this process from the gathering below: others wait there.
            with self._kept(f"reading the responses of task {name}"):
                mine[name] = answered(task)
        shares = gathered(lm, mine)
        # Under torchrun every process of a tensor-parallel model calls itself rank 0.
        if shares is None or lm.rank != 0 or int(os.environ.get("LOCAL_RANK", "0")) != 0:
            return
        assert self._entry is not None
        captured = record.Record(self.ladder, *self._entry, options=self.options)
        self._captured = captured
        for name, task in tasks.items():
            parts = [share[name] for share in shares]
            with self._kept(f"scoring task {name}"):
                if None in parts:
                    raise RuntimeError("the responses of some process could not be read")
                documents = [document for part in parts for document in part]
                documents.sort(key=lambda document: document.doc_id)
                captured.add(name, task, documents, results)
            if name not in captured.tasks and name not in captured.left_out:
                captured.left_out[name] = "not scored: see the messages of the run"
                captured.complete = False
        captured.groups = {
            group: list(members)
            for group, members in (results.get("group_subtasks") or {}).items()
            if members
        }
        captured.pooled = pooled_groups(results)
        for warning in captured.warnings:
            _say(warning)
        results["cod"] = captured.summary()

    # -- after the run ----------------------------------------------------------------------

    def saved(self, tracker: Any) -> None:
        """Write the pass rates beside the results file the harness has just written."""
        from cod_harness.ladder.store import write_capture

        self._tracker = tracker
        captured, folder = self._captured, self.folder
        self.tasks_captured = {} if captured is None else captured.tasks
        if captured is None or not captured.rows or folder is None:
            return
        with self._kept("writing the pass rates"):
            place = folder
            if Path(tracker.output_path).suffix != ".json":
                place = folder / str(tracker.general_config_tracker.model_name_sanitized)
            beside = {"results": f"results_{getattr(tracker, 'date_id', '')}.json"}
            settings = {**captured.settings(), **beside}
            self.store = write_capture(place, captured.frame(), settings, folder)
            if self._journal is None:
                pass
            elif self.options.most and not self.options.further:
                self._journal.close()  # the second stage begins with these
            else:
                self._journal.remove()
        if self.store is not None and self.folder is not None and self._follow_up is not None:
            with self._kept("logging the forecast to the tracker", "the files are not affected"):
                self._follow_up.track(self.folder, self.ladder)

    def finish(self) -> int:
        """Forecast if the ladder is far enough, say what went wrong, and give the exit status."""
        if self.store is not None:
            _say(f"pass rates written to {self.store}")
            if self._follow_up is not None and self.folder is not None:
                remedy = (
                    "the pass rates are kept: see "
                    f"`cod-harness forecast {self.folder} --ladder ...`"
                )
                with self._kept("forecasting", remedy):
                    self._follow_up.show(self.folder, self.ladder)
        elif self.started and self._tracker is None and not self.failures:
            _say("no --output_path: pass rates were not written")
        for text in self.refusals:
            print(f"cod-harness: {text}", file=sys.stderr)
        for text in self.failures:
            print(f"cod-harness: {text}", file=sys.stderr)
        return 1 if self.failures else 2 if self.refusals else 0

    def unwatched(self, why: str) -> None:
        """Note that this lm_eval cannot be watched; the run itself goes on."""
        self.failures.append(
            f"{why}; the run itself is not affected: run it with --log_samples and make pass "
            "rates with `cod-harness ingest OUT --ladder LADDER.yaml`"
        )

    @contextmanager
    def _kept(self, doing: str, remedy: str = _INGEST) -> Iterator[None]:
        """Keep what goes wrong inside for `finish`: the harness's results must still be written."""
        try:
            yield
        except InputError as refusal:
            self.refusals.append(str(refusal))
        except Exception:
            traceback.print_exc()
            self.failures.append(
                f"{doing} failed (above); the harness's own results are not affected; {remedy}"
            )


def model_names(model_args: Any) -> list[str]:
    """What the ladder may know a model by: `pretrained=VALUE` strings, best first."""
    if isinstance(model_args, str):
        pairs = [part.partition("=") for part in model_args.split(",")]
        model_args = {key.strip(): value.strip() for key, _, value in pairs if value}
    if not isinstance(model_args, Mapping):
        return []
    found: Sequence[str] = [str(model_args[key]) for key in _MODEL_KEYS if key in model_args]
    return [f"pretrained={value}" for value in found]


def _tracked_name(tracker: Any) -> str:
    name = getattr(getattr(tracker, "general_config_tracker", None), "model_name", None)
    return f"pretrained={name}" if name else ""


def _say(text: str) -> None:
    if os.environ.get("RANK", "0") == "0":  # under a launcher every process comes here
        say(text)
