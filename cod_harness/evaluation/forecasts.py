"""The forecast document, `cod-forecast/1`: everything a forecast says, as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cod_harness.documents.writing import plain, provenance
from cod_harness.engine.methods import CLUSTERING, DEFAULT_METHOD
from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError
from cod_harness.evaluation.checkpoints import Checkpoint
from cod_harness.evaluation.deciles import difficulty_deciles
from cod_harness.evaluation.evidence import (
    Evidence,
    check_rungs,
    fitted,
    measured_accuracy,
    task_evidence,
)
from cod_harness.evaluation.question_map import curve, example_questions, question_map, rates_hash
from cod_harness.evaluation.targets import Target, chosen_targets
from cod_harness.evaluation.transfer import SavedClusters, document_hashes
from cod_harness.ladder.compare import differences
from cod_harness.ladder.files import date_stamp, write_whole
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates

if TYPE_CHECKING:
    from cod_harness.engine import COD, Cluster, Forecast, Forecaster

SCHEMA = "cod-forecast/1"
CLASSES = ("predictable", "non_extrapolatable", "outlier", "zero")

Document = dict[str, Any]


def forecast_document(
    rates: PassRates,
    ladder: Ladder,
    methods: Sequence[str] = (DEFAULT_METHOD,),
    targets: Sequence[str] | None = None,
    compute: float | Sequence[float] | None = None,
    level: float = LEVEL,
    allow_mismatch: bool = False,
    clusters: SavedClusters | None = None,
    checkpoints: Sequence[Checkpoint] = (),
    on_clusters: Callable[[Evidence, COD], object] | None = None,
    command: Sequence[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Document:
    """Forecast every task of some pass rates for some targets.

    Each forecast is made from the rungs and anchors alone; a target's own rates are only set
    beside it as `observed`. A task with fewer than four rungs of data gets an abstaining entry.

    Args:
        rates: pass rates of the rungs, and of anchors and targets where measured.
        ladder: says which model is what, and the compute of each.
        methods: names out of `engine.METHODS`.
        targets: names of targets of the ladder; all of them if None and no `compute` is given.
        compute: training compute in FLOP of one more target, or of several, named after it.
        level: coverage of the intervals, in (0, 1).
        allow_mismatch: forecast although runs differ in settings or content; the differences
            then stand in the notes.
        clusters: clusters learnt elsewhere, used instead of new ones; only `CLUSTERING` methods.
        checkpoints: results of a running job, each forecast at its compute and set beside it.
        on_clusters: called for each task with its evidence and the model whose clusters the
            document shows.
        command: the words that made the document, for whoever wants to make it again.
        progress: called with the numbers of tasks that are done and that there are.

    Returns:
        The document, plain JSON values only; see `schema`. A number that doesn't exist is None.

    Raises:
        InputError: an unknown method or target, no target, too few rungs, runs that differ, or
            clusters of other questions.
    """
    from cod_harness.engine import METHODS

    methods = chosen_methods(methods, METHODS)
    nothing_else = checkpoints and targets is None and compute is None and not ladder.targets
    aims = [] if nothing_else else chosen_targets(ladder, targets, compute)
    if not 0 < level < 1:
        raise InputError(f"the level {level:g} is not between 0 and 1; write 0.9 for 90 %")
    check_rungs(rates, ladder)
    notes = [*rates.notes, *mismatches(rates, allow_mismatch)]
    if clusters is not None:
        notes += _transfer(clusters, methods, rates)
    # The cluster tables show the first method that clusters, else the default one.
    shown = next((name for name in methods if name in CLUSTERING), DEFAULT_METHOD)
    forecasts: list[dict[str, Any]] = []
    tasks: dict[str, Any] = {}
    for done, task in enumerate(rates.tasks):
        progress(done, len(rates.tasks))
        evidence = task_evidence(rates, ladder, task)
        notes += evidence.notes
        models: dict[str, Forecaster] = {}
        labels = None
        if clusters is not None and not evidence.problem:
            hashes = document_hashes(rates, task)
            labels = clusters.labels(task, evidence.questions, hashes)
        seen = [one for one in checkpoints if one.task == task]
        measured = []
        for aim in aims:
            observed, note = measured_accuracy(rates, evidence, aim.name)
            notes += [note] if note else []
            measured.append((aim, observed))
        measured += [(Target(one.name, one.compute), one.accuracy) for one in seen]
        for aim, observed in measured:
            for method in methods:
                entry = {"task": task, "target": aim.name, "compute": aim.compute}
                if evidence.problem:
                    result = _no_forecast(evidence.problem, level)
                else:
                    if method not in models:
                        models[method] = fitted(METHODS[method](), evidence, labels)
                    result = _forecast(models[method].forecast(aim.compute, level))
                forecasts.append({**entry, "method": method, **result, "observed": observed})
        if shown not in models and not evidence.problem:
            models[shown] = fitted(METHODS[shown](), evidence, labels)
        model = cast("COD | None", models.get(shown))
        if on_clusters and model is not None:
            on_clusters(evidence, model)
        tasks[task] = _task(evidence, model)
        if model is not None:
            goals = [aim.compute for aim in aims]
            tasks[task]["curve"] = curve(model, shown, evidence.compute, goals, level)
    progress(len(rates.tasks), len(rates.tasks))
    document = {
        "schema": SCHEMA,
        "forecasts": forecasts,
        "tasks": tasks,
        "ladder": _ladder(ladder),
        "settings": {
            "methods": list(methods),
            "targets": [aim.name for aim in aims],
            "level": level,
            "allow_mismatch": allow_mismatch,
            "clusters_of": shown,
            "clusters_from": None if clusters is None else str(clusters.path or "memory"),
            "notes": list(dict.fromkeys(notes)),
            "tasks": _task_settings(rates),
            "rates_hash": rates_hash(rates),
            "command": None if command is None else list(command),
        },
        **provenance(),
    }
    written: Document = plain(document)
    return written


def document_text(document: Mapping[str, Any]) -> str:
    """The document as JSON text, ending in a newline."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_document(document: Mapping[str, Any], out: str | os.PathLike[str]) -> Path:
    """Write `OUT/cod_forecast_<date>.json`, whole or not at all.

    Returns:
        The path of the file.

    Raises:
        InputError: the folder cannot be written.
    """
    return write_whole(Path(out) / f"cod_forecast_{date_stamp()}.json", document_text(document))


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    text = (
        resources.files("cod_harness.documents")
        .joinpath("cod-forecast-1.schema.json")
        .read_text("utf-8")
    )
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def chosen_methods(methods: Sequence[str], known: Mapping[str, Any]) -> tuple[str, ...]:
    """The methods, each once; raises InputError where one is unknown or none is given."""
    for method in methods:
        if method not in known:
            raise InputError(f"no method {method!r}; there are {', '.join(sorted(known))}")
    if not methods:
        raise InputError(f"no method given; there are {', '.join(sorted(known))}")
    return tuple(dict.fromkeys(methods))


def _transfer(clusters: SavedClusters, methods: Sequence[str], rates: PassRates) -> Iterator[str]:
    """Notes on the use of clusters from elsewhere; InputError for methods that take none."""
    others = [method for method in methods if method not in CLUSTERING]
    if others:
        raise InputError(
            f"{', '.join(others)}: takes no clusters from a file, only {' and '.join(CLUSTERING)} "
            "do; leave it out of the methods, or forecast without the file"
        )
    yield (
        f"clusters of {clusters.path or 'memory'}, made by {clusters.settings.get('method')} on "
        f"the ladder {clusters.settings.get('ladder')}"
    )
    unused = [task for task in clusters.tasks if task not in rates.tasks]
    if unused:
        yield f"clusters of {', '.join(unused)} not used: no pass rates of these tasks"


def mismatches(rates: PassRates, allowed: bool) -> list[str]:
    """What differs between runs that should have been alike, in sentences; if not allowed, raises
    InputError with the first."""
    serious = [found for found in differences(rates) if found.kind != "missing"]
    if serious and not allowed:
        more = f" (and {len(serious) - 1} more differences)" if len(serious) > 1 else ""
        raise InputError(
            f"the runs differ: {serious[0]}{more}; run them alike or give --allow-mismatch"
        )
    return [str(found) for found in serious]


def _forecast(forecast: Forecast) -> dict[str, Any]:
    return {
        "mean": forecast.mean,
        "low": forecast.low,
        "high": forecast.high,
        "level": forecast.level,
        "verdict": forecast.verdict,
        "reasons": [str(reason) for reason in forecast.reasons],
        "codes": [reason.code for reason in forecast.reasons],
        "subset": {
            "mean": forecast.subset.mean,
            "share": forecast.subset.share,
        },
        "parts": {
            name: {"mean": part.mean, "weight": part.weight}
            for name, part in forecast.parts.items()
        },
    }


def _no_forecast(problem: str, level: float) -> dict[str, Any]:
    return {
        "mean": None,
        "low": None,
        "high": None,
        "level": level,
        "verdict": "abstain",
        "reasons": [problem],
        "codes": ["no_evidence"],
        "subset": {"mean": None, "share": None},
        "parts": {},
    }


def _task(evidence: Evidence, fitted: COD | None) -> dict[str, Any]:
    rates, count = evidence.rates, len(evidence.questions)
    examples = (
        {} if fitted is None else example_questions(rates, fitted.labels_, evidence.questions)
    )
    return {
        "questions": count,
        "samples": float(np.median(evidence.n_samples)) if evidence.n_samples.size else 0,
        "metric": evidence.metric,
        "filter": evidence.filter,
        "bandwidth": None if fitted is None else fitted.bandwidth_,
        "classes": _class_counts(evidence, fitted),
        "clusters": []
        if fitted is None
        else [_cluster(one, examples.get(int(one.id), [])) for one in fitted.clusters_],
        "mapping": None if fitted is None else _mapping(evidence, fitted),
        "quality": (
            None if fitted is None else difficulty_deciles(rates, fitted.classes_, CLASSES)
        ),
        "map": None if fitted is None else question_map(rates, fitted.labels_),
        "rungs": [
            {
                "name": model.name,
                "compute": model.compute,
                "accuracy": float(np.mean(column)) if count else None,
                # Of the mean over questions: what another draw of questions would change.
                "stderr": float(np.std(column, ddof=1)) / math.sqrt(count) if count > 1 else None,
            }
            for model, column in zip(evidence.rungs, rates.T, strict=True)
        ],
    }


def _class_counts(evidence: Evidence, fitted: COD | None) -> dict[str, int]:
    if fitted is None:
        # Nothing was clustered, so nothing can be extrapolated.
        zero = int((evidence.rates == 0).all(axis=1).sum()) if evidence.rungs else 0
        rest = len(evidence.questions) - zero
        return {"predictable": 0, "non_extrapolatable": rest, "outlier": 0, "zero": zero}
    names, counts = np.unique(fitted.classes_, return_counts=True)
    found = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return {name: found.get(name, 0) for name in CLASSES}


def _cluster(cluster: Cluster, examples: Sequence[str]) -> dict[str, Any]:
    # The document has one field for both: why it was refused, and what its fit is like.
    said = (*([cluster.reason] if cluster.reason else []), *cluster.notes)
    return {
        "id": cluster.id,
        "size": cluster.size,
        "rates": np.asarray(cluster.rates),
        "g": cluster.g,
        "a": cluster.a,
        "b": cluster.b,
        "c": cluster.c,
        "predictable": cluster.predictable,
        "reason": "; ".join(map(str, said)),
        "codes": [reason.code for reason in said],
        "examples": list(examples),
    }


def _mapping(evidence: Evidence, fitted: COD) -> dict[str, Any] | None:
    mapping = fitted.mapping_
    if len(mapping.points) == 0:  # no predictable question, so nothing to map from
        return None
    # The engine knows no names; its points are the rungs, then the anchors.
    names = [model.name for model in evidence.rungs + evidence.anchors]
    points = [
        [float(point[0]), float(point[1]), name]
        for point, name in zip(mapping.points, names, strict=True)
    ]
    return {
        "knots": np.asarray(mapping.knots),
        "coefficients": np.asarray(mapping.coefficients),
        "rmse": mapping.rmse,
        "points": points,
    }


def _ladder(ladder: Ladder) -> dict[str, Any]:
    keys = ("name", "compute", "params", "tokens", "loss")
    return {
        "name": ladder.name,
        **{
            section: [{key: getattr(model, key) for key in keys} for model in models]
            for section, models in (
                ("rungs", ladder.rungs),
                ("anchors", ladder.anchors),
                ("targets", ladder.targets),
            )
        },
    }


def _task_settings(rates: PassRates) -> dict[str, Any]:
    """How each task was run, from the first run that tells."""
    found: dict[str, Any] = {}
    for run in rates.settings:
        for task, about in (run.get("tasks") or {}).items():
            found.setdefault(task, about)
    return {task: found[task] for task in rates.tasks if task in found}
