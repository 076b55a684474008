"""Where the capture hangs in the harness. Nothing else touches its functions.

Until 0.4.13 the harness has no hooks of its own; what is replaced here, for the length of a run:

- `evaluator.simple_evaluate`: to see model and caches before the model is loaded. Optional.
- `evaluator.evaluate`, which simple_evaluate looks up in its module. The capture needs this one.
- `EvaluationTracker.__init__` and `.save_results_aggregated`: for the output path and the date.
- `TaskManager.__init__`: to find the configurations that ship by name; with `--cod-include-only` to
  leave the harness's own tasks unread instead.
- `registry.get_model`, for a merge of shards alone: their answers stand in the model's place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cod_harness.harness.capture.capture import Capture


@contextmanager
def installed(capture: Capture) -> Iterator[None]:
    """Watch harness runs made inside the `with` block."""
    with ExitStack() as undo:
        install(capture, undo)
        yield


def install(capture: Capture, undo: ExitStack | None = None) -> None:
    """Put the hooks in place; `undo` gets what takes them away again."""
    from lm_eval import evaluator
    from lm_eval.loggers.evaluation_tracker import EvaluationTracker

    stack = undo if undo is not None else ExitStack()
    evaluate = getattr(evaluator, "evaluate", None)
    if evaluate is None or not {"lm", "task_dict"} <= set(inspect.signature(evaluate).parameters):
        capture.unwatched("this lm_eval has no evaluator.evaluate(lm, task_dict, ...)")
        return
    _replace(stack, evaluator, "evaluate", _watched_evaluate(capture, evaluate))
    if hasattr(evaluator, "simple_evaluate"):
        simple = _watched_simple(capture, evaluator.simple_evaluate)
        _replace(stack, evaluator, "simple_evaluate", simple)
    if hasattr(EvaluationTracker, "save_results_aggregated"):
        _watch_tracker(stack, capture, EvaluationTracker)
    if capture.options.merge:
        _stand_in(stack, capture)
    if capture.options.include_only:
        _leave_defaults_out(stack, capture)
    else:
        _add_shipped_tasks(stack, capture)


def _watched_evaluate(capture: Capture, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            capture.unwatched("lm_eval's evaluate was called in a way this version does not know")
            return original(*args, **kwargs)
        return capture.evaluate(lambda: original(*args, **kwargs), bound.arguments)

    return evaluate


def _watched_simple(capture: Capture, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def simple_evaluate(*args: Any, **kwargs: Any) -> Any:
        try:
            arguments = signature.bind(*args, **kwargs).arguments
        except TypeError:  # the harness's own complaint says it best
            return original(*args, **kwargs)
        capture.intake(arguments)
        return capture.evaluated(original(*args, **kwargs))

    return simple_evaluate


def _watch_tracker(stack: ExitStack, capture: Capture, tracker: Any) -> None:
    begin, save = tracker.__init__, tracker.save_results_aggregated

    @functools.wraps(begin)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        capture.tracking(self)

    @functools.wraps(save)
    def save_results_aggregated(self: Any, *args: Any, **kwargs: Any) -> Any:
        saved = save(self, *args, **kwargs)
        capture.saved(self)
        return saved

    _replace(stack, tracker, "__init__", __init__)
    _replace(stack, tracker, "save_results_aggregated", save_results_aggregated)


def _stand_in(stack: ExitStack, capture: Capture) -> None:
    from lm_eval.api import registry

    class StandIn:
        @staticmethod
        def create_from_arg_string(*_: Any, **__: Any) -> Any:
            return capture.model()

        create_from_arg_obj = create_from_arg_string

    _replace(stack, registry, "get_model", lambda name: StandIn)


def _leave_defaults_out(stack: ExitStack, capture: Capture) -> None:
    from lm_eval.tasks import TaskManager

    begin = TaskManager.__init__

    @functools.wraps(begin)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **{**kwargs, "include_defaults": False})
        capture.known_tasks = list(self.all_tasks)

    _replace(stack, TaskManager, "__init__", __init__)


def _add_shipped_tasks(stack: ExitStack, capture: Capture) -> None:
    from lm_eval.tasks import TaskManager

    from cod_harness.task_folder import task_folder

    begin = TaskManager.__init__

    @functools.wraps(begin)
    def __init__(self: Any, verbosity: Any = None, include_path: Any = None, **more: Any) -> None:
        listed = include_path if isinstance(include_path, (list, tuple)) else [include_path]
        given = [str(path) for path in listed if path]
        ours = task_folder().resolve()
        # A folder inside of ours would be read twice, with a warning for each of its tasks.
        if not any(Path(path).resolve().is_relative_to(ours) for path in given):
            given = [str(ours), *given]
        begin(self, verbosity, given, **more)
        capture.known_tasks = list(self.all_tasks)

    _replace(stack, TaskManager, "__init__", __init__)


def _replace(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)
