"""Scores of logged responses through their task, rebuilt without its data set.

The documents stand in the samples file, as the task saw them: they are all it needs to score.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cod_harness.errors import InputError
from cod_harness.harness.scoring import programs
from cod_harness.harness.scoring import repeats as scoring
from cod_harness.harness.scoring.responses import Answered
from cod_harness.harness.scoring.task_source import definition, named
from cod_harness.harness.scoring.vetting import CONSENT_FLAG, unvetted
from cod_harness.ladder.logs.samples_log import Sample
from cod_harness.ladder.metrics import Pipeline
from cod_harness.task_folder import task_folder

# What a task is told about its data: one split, with the file's first document in it.
_SPLIT = "logged"
_WITHOUT_DATA: Mapping[str, Any] = {
    "dataset_path": None,
    "dataset_name": None,
    "dataset_kwargs": None,
    "process_docs": None,  # logged documents went through it
    "training_split": None,
    "validation_split": None,
    "fewshot_split": None,
    "fewshot_config": None,
    "num_fewshot": 0,
    "test_split": _SPLIT,
}


class _Documents(list[Any]):
    """A data set of a few documents, as far as the constructor of a task looks at one."""

    @property
    def features(self) -> dict[str, None]:
        return dict.fromkeys(self[0]) if isinstance(self[0], Mapping) else {}


@dataclass(frozen=True)
class TaskSource:
    """Where definitions of tasks come from.

    folders: looked through before the harness's own tasks. run_code: the user's consent to run
    programs out of responses; the harness's own (HF_ALLOW_CODE_EVAL=1) is needed as well.
    task_code: consent to run definitions' Python on the samples, also where nobody vetted it.
    """

    folders: Sequence[Path] = ()
    run_code: bool = False
    task_code: bool = False

    def rebuilt(self, name: str, document: Any) -> Any:
        """The task called `name`, ready to score documents like this one.

        Raises InputError, in words that follow "not re-scored:", where that isn't possible.
        """
        path = named(name, [*self.folders, task_folder()])
        if path is None:
            raise InputError(
                f"no definition of the task {name} in this lm_eval; name its folder with "
                "--include_path"
            )
        _check_installed()
        unknown = "" if self.task_code else unvetted(path)
        if unknown:
            raise InputError(
                f"{unknown}, and would see texts of the samples; if you trust {path} with them, "
                f"add {CONSENT_FLAG}"
            )
        _use_sandboxed_templates()
        with _quiet():
            try:
                config = definition(path)
            except InputError:
                raise
            except Exception as error:  # its functions are imported here, and may raise anything
                raise InputError(f"the task {name} cannot be loaded ({_short(error)})") from error
            if _runs_code(config) and not (self.run_code and programs.allowed()):
                raise InputError(
                    "scoring it runs programs that a model wrote; to allow that set "
                    "HF_ALLOW_CODE_EVAL=1 and add --confirm_run_unsafe_code"
                )
            try:
                return _built(config, document)
            except InputError:
                raise
            except Exception as error:  # a task's own code may raise anything
                raise InputError(f"the task {name} cannot be built ({_short(error)})") from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _check_installed() -> None:
    try:
        import lm_eval.api.task  # noqa: F401
    except ImportError:
        raise InputError("lm-evaluation-harness is not installed here") from None


def _use_sandboxed_templates() -> None:
    """Templates of definitions reach nothing but their document."""
    import lm_eval.utils
    from jinja2.sandbox import SandboxedEnvironment

    before = lm_eval.utils.env
    if not isinstance(before, SandboxedEnvironment):
        made = SandboxedEnvironment(loader=before.loader, undefined=before.undefined)
        made.filters.update(before.filters)
        made.keep_trailing_newline = before.keep_trailing_newline
        made.trim_blocks, made.lstrip_blocks = before.trim_blocks, before.lstrip_blocks
        lm_eval.utils.env = made


def _runs_code(config: Mapping[str, Any]) -> bool:
    return bool(config.get("unsafe_code")) or "mbpp" in str(config.get("base", ""))


def _built(config: dict[str, Any], document: Any) -> Any:
    from lm_eval.api.task import ConfigurableTask

    for key in ("tag", "group", "task_list"):
        config.pop(key, None)
    data = {_SPLIT: _Documents([document])}
    changed = {**config, **_WITHOUT_DATA, "custom_dataset": lambda **_: data}
    made = config.get("class")
    if made is None:
        return ConfigurableTask(config=changed)
    if not (isinstance(made, type) and issubclass(made, ConfigurableTask)):
        raise InputError("the task is written in Python and needs its data")
    return made(config=changed)


@contextmanager
def _quiet() -> Iterator[None]:
    """The harness's warnings about a task without data are of no use to anyone."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@dataclass
class _Response:
    """What filters and scoring need of the harness's Instance."""

    doc: Any
    resps: list[Any]
    task_name: str
    repeats: int
    filtered_resps: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[Any, ...] = ()


class Rescorer:
    """Scores batches of logged samples of one task."""

    def __init__(self, name: str, task: Any, processes: int | None) -> None:
        self.name = name
        self.task = task
        self._processes = processes

    @property
    def pipelines(self) -> list[Pipeline]:
        """The task's filter pipelines."""
        return scoring.pipelines(self.task)

    def scores(
        self,
        samples: Sequence[Sample],
        repeats: int,
        choice: tuple[str, str],
        allow_fractional: bool,
    ) -> Any:
        """(samples, repeats) scores in [0, 1]; every sample has so many responses, or more.

        Raises InputError where the task does not know filter or metric, or its code fails.
        """
        try:
            documents = [self._answered(sample, repeats) for sample in samples]
            scored = scoring.score(
                self.name, self.task, documents, choice, allow_fractional, self._processes
            )
        except InputError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {_short(error)}"
            raise InputError(
                f"the task's scoring fails on the logged documents ({what})"
            ) from error
        return np.asarray(scored.scores)

    def _answered(self, sample: Sample, repeats: int) -> Answered:
        doc = sample["doc"]
        instances = [
            _Response(doc, list(responses[:repeats]), self.name, repeats)
            for responses in sample["resps"]
        ]
        return Answered(
            doc_id=0,
            doc=doc,
            target=self.task.doc_to_target(doc),
            instances=list(instances),
            doc_hash=str(sample["doc_hash"]),
            prompt_hash="",
            target_hash="",
        )
