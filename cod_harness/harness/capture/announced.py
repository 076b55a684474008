"""What a run's tasks say of their sampling before the harness builds any of them.

The harness loads the model first, which may take longer than all else. The definitions that its
task manager knows of are enough to refuse greedy repeats; where they tell nothing, the check of the
built task comes in time to save the run, if not the loading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cod_harness.harness.capture.flags import CaptureOptions
from cod_harness.harness.capture.guards import check_sampling
from cod_harness.harness.scoring.vetting import raw_definition

_DEPTH = 20  # groups in groups


def check_announced(arguments: Mapping[str, Any], options: CaptureOptions) -> None:
    """Refuse greedy repeats. arguments: of `simple_evaluate`. Raises InputError."""
    manager = arguments.get("task_manager")
    tasks = arguments.get("tasks")
    if manager is None or not isinstance(tasks, list):
        return
    given = _parsed(arguments.get("gen_kwargs"))
    found: dict[str, Mapping[str, Any]] = {}
    # Whatever a version of the harness keeps otherwise is found out later.
    with suppress(AttributeError, KeyError, TypeError, ValueError, OSError, ImportError):
        found = dict(_configs(tasks, manager, _DEPTH))
    for name, config in found.items():
        repeats = options.repeats or config.get("repeats", 1)
        own = config.get("generation_kwargs", {})
        generates = config.get("output_type", "generate_until") == "generate_until"
        plain = isinstance(repeats, int) and isinstance(own, Mapping) and "class" not in config
        if generates and plain:
            check_sampling(name, repeats, {**own, **given})


def _configs(tasks: Any, manager: Any, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and definition of each task, groups and tags taken apart."""
    for task in tasks if depth else ():
        own = dict(task) if isinstance(task, Mapping) else {}
        name = own.get("group") or own.get("task") if own else task
        entry = manager.task_index.get(name) if isinstance(name, str) else None
        config = {**(_config(entry) if entry is not None else {}), **own}
        members = config.get("task")
        if isinstance(members, list):
            yield from _configs(members, manager, depth - 1)
        elif entry is not None and not config:  # a tag, which has no file
            yield from _configs(sorted(_tagged(entry)), manager, depth - 1)
        elif isinstance(name, str) and config:
            yield name, config


def _config(entry: Any) -> dict[str, Any]:
    """A definition with its includes; empty where it stands in no file."""
    told = entry.get("yaml_path") if isinstance(entry, Mapping) else entry.yaml_path
    return raw_definition(Path(told)) if told and told != -1 else {}


def _tagged(entry: Any) -> Any:
    return entry.get("task", ()) if isinstance(entry, Mapping) else entry.tags


def _parsed(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        from lm_eval.utils import simple_parse_args_string

        given = simple_parse_args_string(given)
    return dict(given) if isinstance(given, Mapping) else {}
