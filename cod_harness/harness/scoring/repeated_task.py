"""A task of the harness that scores every repeat itself, for the configurations that ship.

With stock `lm_eval` and nothing of ours around it, samples and results then hold, beside the
harness's own metrics, `pass_rate` (share of the repeats that are right) and `n_correct` (how many).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.task import ConfigurableTask

from cod_harness.errors import InputError
from cod_harness.harness.scoring import parallel
from cod_harness.harness.scoring.analytic import choice_rate
from cod_harness.harness.scoring.correctness import passed
from cod_harness.harness.scoring.responses import doc_hash
from cod_harness.harness.scoring.symbolic import remembered_symbols
from cod_harness.harness.scoring.task_source import definition, harness_tasks
from cod_harness.ladder.metrics import Pipeline, chosen

PASS_RATE = "pass_rate"
N_CORRECT = "n_correct"

# Keys of a configuration that are merged with the harness's, one level deep.
_MERGED = ("generation_kwargs", "metadata", "dataset_kwargs")


class RepeatedTask(ConfigurableTask):  # type: ignore[misc,unused-ignore]
    """The harness's task that the configuration's `base` names, scored repeat by repeat.

    base: path of a YAML file below the harness's folder of tasks. Every other key of the
    configuration takes the place of the base's. Metrics of the harness are those of the first
    repeat, so that they stay comparable with standard reports.
    """

    # Filters keep all repeats of a question, but look at them one by one.
    one_by_one = True

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises InputError where the base cannot be loaded, saying what it needs."""
        merged = _merged(config)
        if merged.get("output_type", "generate_until") == "generate_until":
            merged["filter_list"] = _keeping_repeats(merged.get("filter_list"))
        self._memo: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._decisive: dict[str, str] = {}
        super().__init__(config=merged)
        for name, aggregate in ((PASS_RATE, _mean), (N_CORRECT, sum)):
            if name == N_CORRECT and self.OUTPUT_TYPE != "generate_until":
                continue
            self._aggregation_list[name] = aggregate
            self._higher_is_better[name] = True

    def apply_filters(self) -> Any:
        """Filter, then score all distinct answers, in several processes where that pays."""
        applied = super().apply_filters()
        if self.OUTPUT_TYPE != "generate_until":
            return applied
        work: dict[tuple[str, str, str], tuple[Any, Any]] = {}
        for instance in self.instances:
            document = doc_hash(instance.doc)
            for name, answers in instance.filtered_resps.items():
                cut = list(answers)[: instance.repeats or 1]  # batches of processes are padded
                instance.filtered_resps[name] = cut
                for answer in cut:
                    work.setdefault((document, *_key(answer)), (instance.doc, answer))
        wanted = [key for key in work if key not in self._memo]
        by_document: dict[str, list[tuple[str, str, str]]] = {}
        for key in wanted:
            by_document.setdefault(key[0], []).append(key)
        groups = list(by_document.values())
        names: list[str] = []
        if groups:
            names = list(super().process_results(work[groups[0][0]][0], [work[groups[0][0]][1]]))

        def scores_of(at: int) -> list[float]:
            found = []
            for key in groups[at]:
                document, answer = work[key]
                results = super(RepeatedTask, self).process_results(document, [answer])
                found += [float(results[name]) for name in names]
            return found

        with remembered_symbols(self):
            rows = parallel.mapped(
                scores_of, [len(group) for group in groups], f"scoring {self.config.task}"
            )
        for group, row in zip(groups, rows, strict=True):
            for at, key in enumerate(group):
                values = row[at * len(names) : (at + 1) * len(names)]
                self._memo[key] = dict(zip(names, values, strict=True))
        return applied

    def process_results(self, doc: Any, results: Any) -> dict[str, Any]:
        """The harness's metrics of the first repeat; pass rate and right answers of all."""
        if self.OUTPUT_TYPE != "generate_until":
            return self._with_analytic_rate(doc, results)
        answers = list(results[0]) if isinstance(results[0], (list, tuple)) else [results[0]]
        document = doc_hash(doc)
        scored = [self._scores(document, doc, answer) for answer in answers]
        metric = self._metric_that_counts(list(scored[0]))
        right = sum(passed(one[metric], self.config.task, metric, False) for one in scored)
        return {**scored[0], PASS_RATE: right / len(scored), N_CORRECT: right}

    def _scores(self, document: str, doc: Any, answer: Any) -> dict[str, Any]:
        key = (document, *_key(answer))
        if key not in self._memo:
            self._memo[key] = dict(super().process_results(doc, [answer]))
        return self._memo[key]

    def _metric_that_counts(self, metrics: Sequence[str]) -> str:
        key = "\n".join(metrics)
        if key not in self._decisive:
            offered = [Pipeline(ensemble.name, pooled=False) for ensemble in self._filters]
            self._decisive[key] = chosen(str(self.config.task), offered, metrics).metric
        return self._decisive[key]

    def _with_analytic_rate(self, doc: Any, results: Any) -> dict[str, Any]:
        from cod_harness.harness.scoring.repeats import gold_choices

        scores = dict(super().process_results(doc, results))
        choices = list(self.doc_to_choice(doc))
        lls = [float(result[0]) for result in results[: len(choices)]]
        scores[PASS_RATE] = choice_rate(lls, gold_choices(self, doc, choices))
        return scores


def _merged(config: Mapping[str, Any]) -> dict[str, Any]:
    ours = {key: value for key, value in config.items() if key not in ("class", "base")}
    base = config.get("base")
    if not base:
        raise InputError(f"task {config.get('task')}: its configuration names no `base`")
    path = harness_tasks() / str(base)
    if not path.is_file():
        raise InputError(
            f"task {config.get('task')}: this lm_eval has no {base} among its tasks; "
            "pip install a version from 0.4.10 on"
        )
    merged = definition(path)
    for key in ("tag", "task_alias", "group", "class", "task_list"):
        merged.pop(key, None)
    for key in _MERGED:
        if isinstance(ours.get(key), Mapping) and isinstance(merged.get(key), Mapping):
            # The version stays the harness's own: that is what makes scores comparable.
            ours[key] = {**merged[key], **ours[key]}
    merged.update(ours)
    if merged.get("output_type") == "multiple_choice":  # one configuration serves both kinds
        merged.pop("generation_kwargs", None)
        merged["repeats"] = 1
    return merged


def _keeping_repeats(filters: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """The base's pipelines without the step that drops all repeats but the first."""
    if not filters:
        return [{"name": "none", "filter": []}]
    return [
        {**entry, "filter": [one for one in entry["filter"] if one["function"] != "take_first"]}
        for entry in filters
    ]


def _key(answer: Any) -> tuple[str, str]:
    return type(answer).__name__, answer if isinstance(answer, str) else repr(answer)


def _mean(values: Sequence[float]) -> float:
    return float(sum(values)) / len(values)
