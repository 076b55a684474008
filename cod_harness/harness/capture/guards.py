"""What is checked before a model answers anything. Each refusal is one line."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError, did_you_mean
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.scoring.repeats import pipelines
from cod_harness.harness.scoring.responses import doc_hash, hash_of_all, occurrence_names, text_hash
from cod_harness.ladder.compare import settings_differences
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.metrics import chosen
from cod_harness.ladder.read_passrates import CAPTURE_COLUMNS
from cod_harness.ladder.store import Capture, Store, newest_captures, stores_in
from cod_harness.notes import Note, note


@dataclass(frozen=True)
class Neighbours:
    """What other rungs of the ladder left in the same output folder.

    runs: the settings of each capture. stores: where it lies; the rows are read when a task's
    prompts are compared, and once; most are not read at all, as the hash of all prompts is the
    same.
    """

    runs: Mapping[Capture, Mapping[str, Any]] = field(default_factory=dict)
    stores: Mapping[Capture, Store] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    _prompts: dict[Path, dict[Capture, dict[str, str]]] = field(default_factory=dict)

    def prompts(self, capture: Capture) -> dict[str, str]:
        """Question -> hash of its prompt. Raises InputError where a store cannot be read."""
        store = self.stores[capture]
        if store.path not in self._prompts:
            self._prompts[store.path] = _prompts_in(store)
        return self._prompts[store.path].get(capture, {})


def _prompts_in(store: Store) -> dict[Capture, dict[str, str]]:
    frame = store.columns([*CAPTURE_COLUMNS, "question", "prompt_hash"])
    questions, prompts = frame["question"].to_numpy(), frame["prompt_hash"].to_numpy()
    places: dict[Any, Any] = frame.groupby(list(CAPTURE_COLUMNS), sort=False).indices
    return {
        (str(model), str(checkpoint), str(task)): dict(
            zip(questions[rows], prompts[rows], strict=True)
        )
        for (model, checkpoint, task), rows in places.items()
    }


def rung_of(ladder: Ladder, options: CaptureOptions, names: Sequence[str]) -> tuple[Model, str]:
    """The ladder entry and checkpoint this run measures.

    names: what the harness knows of the model, as `pretrained=...` and as a bare name. Raises
    InputError for an unknown rung or checkpoint, and where none, or more than one, fits.
    """
    located = next((found for found in map(ladder.locate, names) if found), None)
    if options.rung is not None:
        model = ladder.find(options.rung)
        if located is None:
            return model, _known_checkpoint(ladder, model, options.checkpoint)
        if located[0] != model:
            raise InputError(
                f"{ladder.path}: --cod-rung {model.name}, but this run's model is the ladder's "
                f"{located[0].name}; correct one of them"
            )
    if located is not None:
        return located[0], _known_checkpoint(ladder, located[0], options.checkpoint) or located[1]
    bare = {name.split("=", 1)[-1].rstrip("/") for name in names}
    bare |= {name.rsplit("/", 1)[-1] for name in bare}
    found = [model for model in ladder.models if model.name in bare]
    if len(found) == 1:
        return found[0], _known_checkpoint(ladder, found[0], options.checkpoint)
    which = "no entry" if not found else "more than one entry"
    raise InputError(
        f"{ladder.path}: {which} fits the model {' or '.join(sorted(bare)) or 'of this run'}; "
        "say which with --cod-rung NAME in a run, or name its folder after one of "
        + ", ".join(model.name for model in ladder.models)
    )


def _known_checkpoint(ladder: Ladder, model: Model, name: str) -> str:
    if name and model.checkpoints and name not in model.checkpoints:
        raise InputError(
            f"{ladder.path}: {model.name} has no checkpoint '{name}'; it has "
            + ", ".join(model.checkpoints)
            + did_you_mean(name, model.checkpoints)
        )
    return name


def check_caches(repeats: int, cache_requests: bool, use_cache: bool, settings: str) -> None:
    """Refuse the harness's caches where they turn samples into copies."""
    if repeats > 1 and cache_requests:
        raise InputError(
            f"{settings}: --cache_requests with {repeats} repeats is refused: the cached requests "
            "forget repeats and generation settings; leave the flag out"
        )
    if repeats > 1 and use_cache:
        raise InputError(
            f"{settings}: --use_cache with {repeats} repeats needs do_sample=True in the "
            "generation settings: without it the cache gives the same answer to every repeat; "
            "add --gen_kwargs do_sample=True or leave the cache out"
        )


def check_sampling(name: str, repeats: int, generation: Mapping[str, Any]) -> None:
    """Refuse more than one repeat of greedy decoding: every repeat would be the same answer."""
    if repeats <= 1:
        return
    temperature = generation.get("temperature") or 0.0
    do_sample = generation.get("do_sample")
    if do_sample is False or float(temperature) == 0.0:
        why = "do_sample: false" if do_sample is False else "temperature 0"
        raise InputError(
            f"task {name}: {repeats} repeats of greedy decoding ({why}) give the same answer "
            "each time; add --gen_kwargs do_sample=True,temperature=1.0,top_p=0.7"
        )


def check_counts(name: str, generation: Mapping[str, Any]) -> None:
    """Refuse `n` among the generation settings: the harness keeps one choice of each answer."""
    for word in ("n", "best_of", "num_return_sequences"):
        if word in generation:
            raise InputError(
                f"task {name}: {word} among the generation settings loses or mixes answers; leave "
                "it out, --cod-repeats asks for several"
            )


def check_task(
    name: str, task: Any, options: CaptureOptions, cache_requests: bool, use_cache: bool
) -> None:
    """Everything about one task that can be known before its requests are built."""
    choice = choice_for(name, options)
    offered = pipelines(task)
    reported = list(getattr(task, "_metric_fn_list", None) or {})
    # What a function of the task's own reports is only known once it has run.
    listed = task.config.metric_list or []
    functions = any(callable(entry.get("metric")) for entry in listed)
    unknown = functions or callable(task.config.process_results)
    filters = {pipeline.name for pipeline in offered}
    if choice is not None and (choice[0] not in filters or (reported and not unknown)):
        chosen(name, offered, reported, choice)
    if task.OUTPUT_TYPE != "generate_until":
        return
    if reported and not functions and choice is None and "bypass" not in reported:
        chosen(name, offered, reported)
    repeats = int(task.config.repeats or 1)
    generation = task.config.generation_kwargs or {}
    check_sampling(name, repeats, generation)
    check_counts(name, generation)
    check_caches(
        repeats,
        cache_requests,
        use_cache and generation.get("do_sample") is not True,
        f"task {name}",
    )


def choice_for(name: str, options: CaptureOptions) -> tuple[str, str] | None:
    """The user's (filter, metric) for a task; `*` in a task name stands for anything."""
    if name in options.metrics:
        return options.metrics[name]
    patterns = [pattern for pattern in options.metrics if fnmatch.fnmatchcase(name, pattern)]
    return options.metrics[patterns[0]] if patterns else None


def check_metric_names(names: Sequence[str], options: CaptureOptions) -> None:
    """Refuse a --cod-metric for a task that is not run."""
    for pattern in options.metrics:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise InputError(
                f"--cod-metric {pattern}=...: no such task in this run ({', '.join(names)})"
                f"{did_you_mean(pattern, names)}"
            )


def neighbours(folder: Path, ladder: Ladder, rung: str, checkpoint: str) -> Neighbours:
    """The newest stores of this ladder's other models in an output folder.

    A store that cannot be read is named in the notes: it is no reason to refuse a run.
    """
    stores, unreadable = stores_in(folder, ladder.name) if folder.is_dir() else ([], [])
    found, _ = newest_captures(stores)
    others = {
        capture: store for capture, store in found.items() if capture[:2] != (rung, checkpoint)
    }
    told = {store: store.captures() for store in stores}
    runs = {capture: told[store][capture] for capture, store in others.items()}
    return Neighbours(runs, others, [_not_compared(problem) for problem in unreadable])


def _not_compared(problem: InputError) -> Note:
    return note("not_compared", problem=problem)


def check_settings(mine: Mapping[str, Any], others: Neighbours) -> None:
    """Refuse a run whose task version or settings differ from another rung's.

    mine: settings as in the store, for the tasks of this run.
    """
    for other in others.runs.values():
        told = [
            {**run, "tasks": {task: _comparable(run["tasks"].get(task, {}))}}
            for task in other["tasks"]
            for run in (mine, other)
        ]
        for difference in settings_differences(told):
            if difference.kind == "settings":
                raise InputError(f"{difference.text}; {_REMEDY}")


def _comparable(about: Mapping[str, Any]) -> dict[str, Any]:
    # The hash of all prompts follows from --limit too; prompts are compared one by one.
    return {key: value for key, value in about.items() if key not in ("prompt_hash", "questions")}


def check_prompts(name: str, task: Any, others: Neighbours) -> list[Note]:
    """Refuse prompts that differ from another rung's for the same question.

    Called once the task has built its requests. Under several processes each checks its share.
    Returns what could not be compared.
    """
    theirs = [capture for capture in others.stores if capture[2] == name]
    if not theirs:
        return []
    first: dict[int, Any] = {}
    for instance in task.instances:
        if instance.doc_id not in first or instance.idx < first[instance.doc_id].idx:
            first[instance.doc_id] = instance
    ordered = [instance for _, instance in sorted(first.items())]
    prompts = [text_hash(instance.arguments[0]) for instance in ordered]
    of_all = hash_of_all(prompts)
    told = {capture: others.runs[capture]["tasks"][name].get("prompt_hash") for capture in theirs}
    theirs = [capture for capture in theirs if told[capture] != of_all]
    if not theirs:
        return []
    # A prompt that is one of theirs belongs to the same question: no need to name the documents.
    notes = []
    known: dict[Capture, dict[str, str]] = {}
    for capture in theirs:
        try:
            known[capture] = others.prompts(capture)
        except InputError as problem:
            notes.append(_not_compared(problem))
    if all(set(prompts) <= set(found.values()) for found in known.values()):
        return notes
    questions = occurrence_names(doc_hash(instance.doc) for instance in ordered)
    mine = dict(zip(questions, prompts, strict=True))
    for capture, found in known.items():
        differing = [q for q, prompt in mine.items() if found.get(q) and found[q] != prompt]
        if differing:
            raise InputError(
                f"task {name}: {len(differing)} of {len(mine)} prompts differ from those of rung "
                f"{capture[0]}; check --num_fewshot, --limit, seeds and chat template; {_REMEDY}"
            )
    return notes


_REMEDY = "run them alike (or in another output folder), or say --cod-allow-mismatch"


def after_building(task: Any, check: Callable[[], None]) -> None:
    """Call `check` as soon as the harness has built the task's requests: no model has run yet."""
    build = task.build_all_requests

    def checked(*args: Any, **kwargs: Any) -> Any:
        built = build(*args, **kwargs)
        del task.build_all_requests
        check()
        return built

    task.build_all_requests = checked
