"""What one run measured: rows of pass rates, the settings behind them, the `cod` key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cod_harness.errors import InputError
from cod_harness.harness.capture import guards
from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.scoring import repeats as scoring
from cod_harness.harness.scoring.responses import (
    Answered,
    hash_of_all,
    identical_share,
    question_names,
)
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.metrics import Correct
from cod_harness.ladder.store import COPIES

SCHEMA = "cod-run/1"


@dataclass
class Record:
    """Pass rates of one run, task by task."""

    ladder: Ladder
    entry: Model
    checkpoint: str
    options: CaptureOptions
    rows: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    pooled: dict[str, list[str]] = field(default_factory=dict)  # see ladder.groups
    complete: bool = True  # whether every task with pass rates could be scored

    def add(
        self, name: str, task: Any, documents: Sequence[Answered], results: Mapping[str, Any]
    ) -> None:
        """Score a task's documents (all of them, by doc_id) and keep their pass rates.

        Raises InputError where the task has no 0/1 score. A task that has no pass rate by its
        nature is left out, with a warning.
        """
        reason = no_pass_rate(task)
        if reason:
            self.left_out[name] = reason
            self.warnings.append(f"task {name}: left out: {reason}")
            return
        choice = guards.choice_for(name, self.options)
        about: dict[str, Any]
        if _is_analytic(task, documents, choice):
            about = self._analytic(name, task, documents, results)
        else:
            about = self._sampled(name, task, documents, choice, results)
        digest = hash_of_all(document.prompt_hash for document in documents)
        # A task written in Python may know its version only as a class attribute.
        version = (results.get("versions") or {}).get(name, task.VERSION)
        self.tasks[name] = {
            **task_settings(task),
            "version": version,
            **about,
            "prompt_hash": digest,
            "questions": len(documents),
        }

    def _analytic(
        self, name: str, task: Any, documents: Sequence[Answered], results: Mapping[str, Any]
    ) -> dict[str, Any]:
        rates = scoring.analytic_rates(name, task, documents)
        first = task._filters[0].name
        correct = Correct(first, "acc", "analytic")
        self._keep(name, correct, documents, rates, [float("nan")] * len(rates), [0] * len(rates))
        about = {"filter": first, "metric": "acc", "chosen_by": "analytic", "repeats": 0}
        about["rate"] = float(np.mean(rates))
        if task.OUTPUT_TYPE == "multiple_choice":
            greedy = float(np.mean(scoring.greedy_correct(task, documents)))
            about |= self._compared(name, correct, greedy, results)
        return about

    def _sampled(
        self,
        name: str,
        task: Any,
        documents: Sequence[Answered],
        choice: tuple[str, str] | None,
        results: Mapping[str, Any],
    ) -> dict[str, Any]:
        # Draws may differ from question to question; those of equal number are scored together.
        draws = np.array([document.repeats for document in documents])
        right, first = np.zeros(len(documents)), np.zeros(len(documents))
        agreeing: int | None = 0
        for number in np.unique(draws):
            rows = np.flatnonzero(draws == number)
            some = [documents[row] for row in rows.tolist()]
            scored = scoring.score(name, task, some, choice, self.options.allow_fractional)
            right[rows], first[rows] = scored.scores.sum(axis=1), scored.scores[:, 0]
            agreeing = (
                None if scored.agreeing is None or agreeing is None else agreeing + scored.agreeing
            )
        correct, repeats = scored.correct, int(draws.min())
        self._keep(name, correct, documents, right / draws, right, draws)
        about = {
            "filter": correct.filter,
            "metric": correct.metric,
            "chosen_by": correct.source,
            "repeats": repeats,
            "rate": float((right / draws).mean()),
        }
        if draws.max() > repeats:
            about |= {"most_repeats": int(draws.max()), "samples": int(draws.sum())}
        if repeats == 1:
            self.warnings.append(
                f"task {name}: one response a question: each pass rate is 0 or 1; "
                "--cod-repeats 100 with sampling measures them"
            )
        else:
            identical = identical_share(documents)
            about["identical_share"] = identical
            if identical >= COPIES:
                self.warnings.append(
                    f"WARNING: task {name}: all {repeats} repeats are identical on "
                    f"{identical:.0%} of documents. No sampling took place: a "
                    "server that honours the fixed seed an API model sends (1234) returns the "
                    "same answer every time, and so does a cache. They count as one sample."
                )
        if agreeing is not None:
            about["same_answer"] = agreeing
            about |= self._compared(name, correct, float(first.mean()), results)
            if agreeing < len(documents):
                self.warnings.append(
                    f"WARNING: task {name}: the first repeat's filtered answer is the harness's "
                    f"own on only {agreeing} of {len(documents)} documents"
                )
        return about

    def _compared(
        self, name: str, correct: Correct, first: float, results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The harness's own score beside the first repeat's; they must be the same mean."""
        scores = (results.get("results") or {}).get(name) or {}
        own = scores.get(f"{correct.metric},{correct.filter}")
        if not isinstance(own, (int, float)):
            return {}
        if abs(own - first) > 1e-9:
            self.warnings.append(
                f"WARNING: task {name}: the first repeat scores {first:.6f}, the harness says "
                f"{own:.6f} ({correct.filter}/{correct.metric}); a task with an aggregation or a "
                "scorer of its own; check before trusting its pass rates"
            )
        return {"harness_score": float(own), "first_repeat_score": first}

    def _keep(
        self,
        name: str,
        correct: Correct,
        documents: Sequence[Answered],
        rates: Any,
        n_correct: Any,
        n_samples: Any,
    ) -> None:
        questions = question_names(documents)
        for question, document, rate, count, draws in zip(
            questions, documents, rates, n_correct, n_samples, strict=True
        ):
            self.rows.append(
                {
                    "task": name,
                    "question": question,
                    "model": self.entry.name,
                    "checkpoint": self.checkpoint,
                    "n_correct": float(count),
                    "n_samples": int(draws),
                    "rate": float(rate),
                    "doc_hash": document.doc_hash,
                    "prompt_hash": document.prompt_hash,
                    "target_hash": document.target_hash,
                    "filter": correct.filter,
                    "metric": correct.metric,
                }
            )

    def frame(self) -> Any:
        """The rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def summary(self) -> dict[str, Any]:
        """The `cod` key of the results JSON."""
        return {
            "schema": SCHEMA,
            "ladder": self.ladder.name,
            "rung": self.entry.name,
            "checkpoint": self.checkpoint,
            "tasks": self.tasks,
            "left_out": self.left_out,
            "warnings": self.warnings,
        }

    def settings(self) -> dict[str, Any]:
        """The metadata of the store."""
        from importlib.metadata import PackageNotFoundError, version

        def version_of(package: str) -> str:
            try:
                return version(package)
            except PackageNotFoundError:
                return "unknown"

        return {
            "rung": self.entry.name,
            "checkpoint": self.checkpoint,
            "ladder": self.ladder.name,
            "tasks": self.tasks,
            "groups": self.groups,
            "pooled": self.pooled,
            "left_out": self.left_out,
            "warnings": self.warnings,
            "request": dict(self.options.request),
            "complete": self.complete,
            "further": self.options.further,
            "lm_eval": version_of("lm_eval"),
            "cod_harness": version_of("cod-harness"),
        }


def task_settings(task: Any) -> dict[str, Any]:
    """What must be the same on every rung, as far as it is known before the run."""
    config = task.config
    metadata = config.metadata if isinstance(config.metadata, Mapping) else {}
    settings = {
        "version": metadata.get("version", task.VERSION),
        "num_fewshot": config.num_fewshot,
        "output_type": task.OUTPUT_TYPE,
    }
    if task.OUTPUT_TYPE == "generate_until":
        settings["generation_kwargs"] = _plain(dict(config.generation_kwargs or {}))
    return settings


def _plain(value: Any) -> Any:
    """Something JSON can hold, so that settings read from a store compare equal to fresh ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def no_pass_rate(task: Any) -> str:
    """Why a task can have no pass rates; '' if it can."""
    metrics = list(getattr(task, "_metric_fn_list", None) or {})
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return "perplexity over running text has no right answer"
    if "bypass" in metrics:
        return "--predict_only scores nothing"
    return ""


def _is_analytic(task: Any, documents: Sequence[Answered], choice: tuple[str, str] | None) -> bool:
    """Whether log-likelihoods give the pass rate itself, without sampling.

    Raises InputError for a multiple-choice task whose own metrics hold no accuracy: what counts
    as right is then decided by code that log-likelihoods of the choices do not tell.
    """
    if task.OUTPUT_TYPE == "generate_until":
        return False
    if choice is not None and choice[1] != "acc":
        return False
    metrics: list[str] = list(getattr(task, "_metric_fn_list", None) or {})
    if not metrics:
        return False  # a task written in Python: its `acc` is taken as it stands
    if "acc" not in metrics:
        raise InputError(
            f"task {documents[0].instances[0].task_name}: its metrics ({', '.join(metrics)}) hold "
            "no acc, so log-likelihoods give no pass rate; name a 0/1 metric with --cod-metric"
        )
    single = all(len(document.instances) == 1 for document in documents)
    return task.OUTPUT_TYPE == "multiple_choice" or single
