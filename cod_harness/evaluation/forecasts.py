"""Forecasts of a ladder's tasks: the engine on evidence, one method, target and task at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np

from cod_harness.engine.methods import CLUSTERING, DEFAULT_METHOD
from cod_harness.engine.settings import LEVEL
from cod_harness.errors import InputError, did_you_mean
from cod_harness.evaluation.checkpoints import Checkpoint
from cod_harness.evaluation.deciles import difficulty_deciles
from cod_harness.evaluation.evidence import (
    Evidence,
    Fit,
    check_rungs,
    fitted,
    measured_accuracy,
    reasons_of,
    task_evidence,
)
from cod_harness.evaluation.question_map import curve, example_questions, question_map, rates_hash
from cod_harness.evaluation.records.base import codes, floats, known, noted, provenance, sentences
from cod_harness.evaluation.records.forecast import (
    CLASSES,
    ClassCounts,
    ClusterSummary,
    Forecasts,
    ForecastSettings,
    LadderSummary,
    MapSummary,
    ModelSummary,
    Part,
    RungSummary,
    Subset,
    TaskForecast,
    TaskSummary,
)
from cod_harness.evaluation.siblings import beside_each_other
from cod_harness.evaluation.targets import Target, chosen_targets
from cod_harness.evaluation.transfer import SavedClusters, document_hashes
from cod_harness.ladder.compare import clones, differences, refuse_serious
from cod_harness.ladder.groups import groups_of
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.notes import Note, note

if TYPE_CHECKING:
    from cod_harness.engine import COD, Cluster, Forecast, Forecaster

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ForecastOptions:
    """What to forecast, and how.

    Attributes:
        methods: names out of `engine.METHODS`.
        targets: names of targets of the ladder; all of them if None and no `compute` is given.
        compute: training compute in FLOP of one more target, or of several, named after it.
        level: coverage of the intervals, in (0, 1).
        allow_mismatch: forecast although runs differ in settings or content; the differences
            then stand in the notes.
        clusters: clusters learnt elsewhere, used instead of new ones; only `CLUSTERING` methods.
        checkpoints: results of a running job, each forecast at its compute and set beside it.
    """

    methods: Sequence[str] = (DEFAULT_METHOD,)
    targets: Sequence[str] | None = None
    compute: float | Sequence[float] | None = None
    level: float = LEVEL
    allow_mismatch: bool = False
    clusters: SavedClusters | None = None
    checkpoints: Sequence[Checkpoint] = ()


@dataclass(frozen=True, eq=False)
class FittedForecasts:
    """The forecasts of a ladder's tasks, and the fitted models behind them.

    Attributes:
        record: everything that the forecasts say, as it lies on disk.
        fits: by task, the evidence and the `COD` whose clusters the record shows; without tasks
            of which nothing can be forecast.
        rates: what it was made from.
        ladder: the ladder.
    """

    record: Forecasts
    fits: Mapping[str, Fit]
    rates: PassRates
    ladder: Ladder

    def with_curves(self) -> Forecasts:
        """The record with the curve of every task over compute, which a page shows.

        A dozen forecasts a task that nothing but a picture needs.
        """
        settings = self.record.settings
        goals = [
            one.compute
            for name in settings.targets
            for one in self.record.forecasts
            if one.target == name
        ]
        tasks = dict(self.record.tasks)
        for task, fit in self.fits.items():
            rungs = fit.evidence.compute
            drawn = curve(fit.model, settings.clusters_of, rungs, goals, settings.level)
            tasks[task] = msgspec.structs.replace(tasks[task], curve=drawn)
        return msgspec.structs.replace(self.record, tasks=tasks)

    def clusters(self) -> SavedClusters:
        """The clusters of all tasks, for another ladder; InputError where there are none."""
        method = self.record.settings.clusters_of
        clustered = [fit for fit in self.fits.values() if fit.evidence.whole is None]
        return SavedClusters.of(self.rates, self.ladder, method, clustered)


def forecast_ladder(
    rates: PassRates,
    ladder: Ladder,
    options: ForecastOptions | None = None,
    command: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> FittedForecasts:
    """Forecast every task of some pass rates for some targets.

    Each forecast is made from the rungs and anchors alone; a target's own rates are only set
    beside it as `observed`. A task with fewer than four rungs of data gets an abstaining entry.

    Args:
        rates: pass rates of the rungs, and of anchors and targets where measured.
        ladder: says which model is what, and the compute of each.
        options: what to forecast, and how; None for the ladder's targets by the default method.
        command: the words that asked for it, for whoever wants to make it again.
        progress: called with the numbers of tasks that are done and that there are.

    Raises:
        InputError: an unknown method or target, no target, too few rungs, runs that differ, or
            clusters of other questions.
    """
    from cod_harness.engine import METHODS

    options = options or ForecastOptions()
    methods = chosen_methods(options.methods, METHODS)
    aims = _aims(ladder, options)
    check_level(options.level)
    check_rungs(rates, ladder)
    notes = [*rates.notes, *mismatches(rates, options.allow_mismatch)]
    clusters = options.clusters
    if clusters is not None:
        notes += _transfer(clusters, methods, rates)
    # The cluster tables show the first method that clusters, else the default one.
    shown = next((name for name in methods if name in CLUSTERING), DEFAULT_METHOD)
    forecasts: list[TaskForecast] = []
    tasks: dict[str, TaskSummary] = {}
    fits: dict[str, Fit] = {}
    every = beside_each_other([task_evidence(rates, ladder, task) for task in rates.tasks])
    for done, evidence in enumerate(every):
        task = evidence.task
        progress(done, len(rates.tasks))
        notes += evidence.notes
        measured, remarks = _measured(rates, evidence, aims, options.checkpoints)
        notes += remarks
        bench = _Bench(evidence, _labels(clusters, rates, evidence))
        forecasts += [
            bench.forecast(method, aim, options.level, observed)
            for aim, observed in measured
            for method in methods
        ]
        model = None if evidence.problem else cast("COD", bench.model(shown))
        if model is not None:
            fits[task] = Fit(evidence, model)
        tasks[task] = _task(evidence, model)
    progress(len(rates.tasks), len(rates.tasks))
    record = Forecasts(
        forecasts=tuple(forecasts),
        tasks=tasks,
        ladder=_ladder(ladder),
        settings=ForecastSettings(
            methods=methods,
            targets=tuple(aim.name for aim in aims),
            level=options.level,
            allow_mismatch=options.allow_mismatch,
            clusters_of=shown,
            clusters_from=None if clusters is None else str(clusters.path or "memory"),
            **noted(notes),
            tasks=_task_settings(rates),
            groups={
                name: tuple(tasks)
                for name, tasks in groups_of(rates.settings).items()
                if name in rates.tasks
            },
            rates_hash=rates_hash(rates),
            command=None if command is None else tuple(command),
        ),
        **provenance(),
    )
    return FittedForecasts(record, fits, rates, ladder)


def chosen_methods(methods: Sequence[str], known: Mapping[str, Any]) -> tuple[str, ...]:
    """The methods, each once; raises InputError where one is unknown or none is given."""
    for method in methods:
        if method not in known:
            raise InputError(
                f"no method {method!r}; there are {', '.join(sorted(known))}"
                f"{did_you_mean(method, known)}"
            )
    if not methods:
        raise InputError(f"no method given; there are {', '.join(sorted(known))}")
    return tuple(dict.fromkeys(methods))


def check_level(level: float) -> None:
    """InputError for what is no coverage of an interval."""
    if not 0 < level < 1:
        raise InputError(f"the level {level:g} is not between 0 and 1; write 0.9 for 90 %")


def mismatches(rates: PassRates, allowed: bool) -> list[Note]:
    """What differs between runs that should have been alike, and samples that are copies; if a
    difference is not allowed, raises InputError with the first."""
    serious = refuse_serious(differences(rates), allowed, "run them alike or give")
    return [*clones(rates), *(one.text for one in serious)]


class _Bench:
    """The methods on the evidence of one task, each fitted once."""

    def __init__(self, evidence: Evidence, labels: Any) -> None:
        self.evidence, self.labels = evidence, labels
        self._models: dict[str, Forecaster] = {}

    def model(self, method: str) -> Forecaster:
        from cod_harness.engine import METHODS

        if method not in self._models:
            self._models[method] = fitted(METHODS[method](), self.evidence, self.labels)
        return self._models[method]

    def forecast(
        self, method: str, aim: Target, level: float, observed: float | None
    ) -> TaskForecast:
        about: dict[str, Any] = {
            "task": self.evidence.task,
            "target": aim.name,
            "compute": aim.compute,
            "method": method,
            "level": level,
            "observed": observed,
        }
        if self.evidence.problem:
            return TaskForecast(
                **about,
                mean=None,
                low=None,
                high=None,
                verdict="abstain",
                reasons=sentences([self.evidence.problem]),
                codes=codes([self.evidence.problem]),
                subset=Subset(mean=None, share=None),
            )
        made = self.model(method).forecast(aim.compute, level)
        return TaskForecast(**about, **_said(made, self.evidence))


def _said(forecast: Forecast, evidence: Evidence) -> dict[str, Any]:
    reasons = reasons_of(forecast, evidence)
    # Of questions that are not known no share is predictable, and none is not.
    subset = Subset(mean=None, share=None)
    if evidence.whole is None:
        subset = Subset(mean=known(forecast.subset.mean), share=known(forecast.subset.share))
    return {
        "mean": known(forecast.mean),
        "low": known(forecast.low),
        "high": known(forecast.high),
        "verdict": forecast.verdict,
        "reasons": sentences(reasons),
        "codes": codes(reasons),
        "subset": subset,
        "parts": {
            name: Part(mean=known(part.mean), weight=known(part.weight))
            for name, part in forecast.parts.items()
        },
    }


def _aims(ladder: Ladder, options: ForecastOptions) -> list[Target]:
    asked = options.targets is not None or options.compute is not None
    if options.checkpoints and not asked and not ladder.targets:
        return []  # the checkpoints are all there is to forecast
    return chosen_targets(ladder, options.targets, options.compute)


def _measured(
    rates: PassRates,
    evidence: Evidence,
    aims: Sequence[Target],
    checkpoints: Sequence[Checkpoint],
) -> tuple[list[tuple[Target, float | None]], list[Note]]:
    """What is forecast on a task, with its measured accuracy where there is one, and notes."""
    found: list[tuple[Target, float | None]] = []
    notes = []
    for aim in aims:
        observed, lacking = measured_accuracy(rates, evidence, aim.name)
        notes += [lacking] if lacking else []
        found.append((aim, observed))
    for one in checkpoints:
        if one.task == evidence.task:
            found.append((Target(one.name, one.compute), one.accuracy))
    return found, notes


def _labels(clusters: SavedClusters | None, rates: PassRates, evidence: Evidence) -> Any:
    """The clusters (n,) that were learnt elsewhere, None where the method is to make its own."""
    if clusters is None or evidence.problem or evidence.whole is not None:
        return None
    hashes = document_hashes(rates, evidence.task)
    return clusters.labels(evidence.task, evidence.questions, hashes)


def _transfer(clusters: SavedClusters, methods: Sequence[str], rates: PassRates) -> Iterator[Note]:
    """Notes on the use of clusters from elsewhere; InputError for methods that take none."""
    others = [method for method in methods if method not in CLUSTERING]
    if others:
        raise InputError(
            f"{', '.join(others)}: takes no clusters from a file, only {' and '.join(CLUSTERING)} "
            "do; leave it out of the methods, or forecast without the file"
        )
    about = clusters.settings
    yield note(
        "clusters_from",
        path=clusters.path or "memory", method=about.get("method"), ladder=about.get("ladder"),
    )  # fmt: skip
    unused = [task for task in clusters.tasks if task not in rates.tasks]
    if unused:
        yield note("clusters_not_used", tasks=", ".join(unused))


def _task(evidence: Evidence, model: COD | None) -> TaskSummary:
    rates = evidence.rates
    about: dict[str, Any] = {"clusters": (), "bandwidth": None, "mapping": None}
    if model is not None and evidence.whole is None:
        examples = example_questions(rates, model.labels_, evidence.questions)
        about = {
            "bandwidth": known(model.bandwidth_),
            "clusters": tuple(
                _cluster(one, examples.get(int(one.id), [])) for one in model.clusters_
            ),
            "mapping": _mapping(evidence, model),
            "quality": difficulty_deciles(rates, model.classes_),
            "map": question_map(rates, model.labels_),
        }
    return TaskSummary(
        questions=evidence.size,
        source="questions" if evidence.whole is None else "accuracies",
        samples=_samples(evidence),
        metric=evidence.metric,
        filter=evidence.filter,
        classes=_class_counts(evidence, model),
        rungs=tuple(
            _rung(one, column, draws if evidence.whole is not None else None)
            for one, column, draws in zip(
                evidence.rungs, rates.T, evidence.n_samples.T, strict=True
            )
        ),
        **about,
    )


def _samples(evidence: Evidence) -> float:
    """The median number of draws; one a question where those are not known."""
    if evidence.whole is not None:
        return 1
    return float(np.median(evidence.n_samples)) if evidence.n_samples.size else 0


def _rung(model: Model, rates: Any, answers: Any = None) -> RungSummary:
    """A rung and its rates (n,); answers (1,), behind an accuracy that is all that is known."""
    count = len(rates)
    assert model.compute is not None  # only anchors have none
    # Of the mean over questions: what another draw of questions would change.
    stderr = float(np.std(rates, ddof=1)) / math.sqrt(count) if count > 1 else None
    if answers is not None and answers[0] > 1:
        stderr = math.sqrt(float(rates[0] * (1.0 - rates[0])) / float(answers[0] - 1))
    return RungSummary(
        name=model.name,
        compute=model.compute,
        accuracy=float(np.mean(rates)) if count else None,
        stderr=stderr,
    )


def _class_counts(evidence: Evidence, model: COD | None) -> ClassCounts:
    if evidence.whole is not None:
        rest = evidence.size
        return ClassCounts(predictable=0, non_extrapolatable=rest, outlier=0, zero=0)
    if model is None:
        # Nothing was clustered, so nothing can be extrapolated.
        zero = int((evidence.rates == 0).all(axis=1).sum()) if evidence.rungs else 0
        rest = len(evidence.questions) - zero
        return ClassCounts(predictable=0, non_extrapolatable=rest, outlier=0, zero=zero)
    return ClassCounts(**{name: int((model.classes_ == name).sum()) for name in CLASSES})


def _cluster(cluster: Cluster, examples: Sequence[str]) -> ClusterSummary:
    # The record has one field for both: why it was refused, and what its fit is like.
    said = (*([cluster.reason] if cluster.reason else []), *cluster.notes)
    return ClusterSummary(
        id=int(cluster.id),
        size=int(cluster.size),
        rates=floats(cluster.rates),
        g=known(cluster.g),
        a=known(cluster.a),
        b=known(cluster.b),
        c=known(cluster.c),
        predictable=bool(cluster.predictable),
        reason="; ".join(sentences(said)),
        codes=codes(said),
        examples=tuple(examples),
    )


def _mapping(evidence: Evidence, model: COD) -> MapSummary | None:
    mapping = model.mapping_
    if len(mapping.points) == 0:  # no predictable question, so nothing to map from
        return None
    # The engine knows no names; its points are the rungs, then the anchors.
    names = [model.name for model in evidence.rungs + evidence.anchors]
    return MapSummary(
        knots=floats(mapping.knots),
        coefficients=tuple(floats(piece) for piece in mapping.coefficients),
        rmse=known(mapping.rmse),
        points=tuple(
            (float(point[0]), float(point[1]), name)
            for point, name in zip(mapping.points, names, strict=True)
        ),
    )


def _ladder(ladder: Ladder) -> LadderSummary:
    return LadderSummary(
        name=ladder.name,
        rungs=_models(ladder.rungs),
        anchors=_models(ladder.anchors),
        targets=_models(ladder.targets),
    )


def _models(models: Sequence[Model]) -> tuple[ModelSummary, ...]:
    keys = ModelSummary.__struct_fields__
    return tuple(ModelSummary(**{key: getattr(one, key) for key in keys}) for one in models)


def _task_settings(rates: PassRates) -> dict[str, dict[str, Any]]:
    """How each task was run, from the first run that tells."""
    found: dict[str, dict[str, Any]] = {}
    for run in rates.settings:
        for task, about in (run.get("tasks") or {}).items():
            found.setdefault(task, about)
    return {task: found[task] for task in rates.tasks if task in found}
