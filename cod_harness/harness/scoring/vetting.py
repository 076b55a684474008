"""Which definitions of tasks may score samples of somebody else without being asked about.

A task's own Python functions see the logged documents and answers, and some of the harness's
evaluate strings out of them. A definition of YAML alone cannot, and a few functions were read and
are tried with hostile texts in `tests/harness/test_vetting.py`; for the rest consent is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cod_harness.errors import InputError
from cod_harness.harness.scoring.task_source import harness_tasks
from cod_harness.task_folder import task_folder

CONSENT_FLAG = "--confirm_run_task_code"

# Functions of the harness's own tasks that take texts apart with regular expressions, or parse them
# without evaluating; folder/module.function. The last two families only run programs in the
# sandbox, which asks for a consent of its own.
VETTED = frozenset(
    {
        "agieval/utils.process_results",
        "agieval/utils.process_results_mcqa",
        "drop/utils.process_results",
        "minerva_math/utils.doc_to_text",
        "minerva_math/utils.process_results",
        "mmlu_pro/utils.doc_to_text",
        "mbpp/utils.pass_at_1",
        "humaneval/utils.build_predictions",
        "humaneval/utils.build_predictions_instruct",
        "humaneval/utils.pass_at_k",
    }
)
# Keys that a task rebuilt without its data does not have.
_UNUSED = ("process_docs", "fewshot_config", "custom_dataset")


class _Function(str):
    """The name of a function in a definition, with the folder it is looked for in."""

    folder: Path


def unvetted(path: Path) -> str:
    """What in a definition would run code nobody vetted; empty where there is nothing.

    Reads the definition without loading any of its functions. Raises InputError for a file that is
    no definition.
    """
    ours, theirs = _is_below(path, task_folder()), _is_below(path, harness_tasks())
    config = raw_definition(path)
    if ours:
        base = config.get("base")
        if base is None:
            return ""
        path = (harness_tasks() / str(base)).resolve()
        if not path.is_file():
            return ""  # told when it is built
        return unvetted(path)
    for key, value in _leaves(config):
        if isinstance(value, _Function):
            if theirs and key.partition("/")[0] in _UNUSED:
                continue
            name = _name(value)
            if name not in VETTED:
                return f"its {key.partition('/')[0]} is the Python function {value}"
    if config.get("class") is not None:
        return f"it is a Python class ({config['class']})"
    if config.get("process_results") is not None:  # then metrics are names alone
        return ""
    for entry in config.get("metric_list") or []:
        metric = entry.get("metric") if isinstance(entry, Mapping) else None
        if isinstance(metric, _Function):
            continue
        if not isinstance(metric, str) or not _registered(metric) or entry.get("hf_evaluate"):
            return f"its metric {metric} is loaded from a file or a hub"
    return ""


def _registered(metric: str) -> bool:
    import lm_eval.api.metrics  # noqa: F401 - fills the registry
    from lm_eval.api.registry import METRIC_REGISTRY

    return metric in METRIC_REGISTRY


def _name(function: _Function) -> str:
    folder, root = function.folder.resolve(), harness_tasks().resolve()
    return f"{folder.relative_to(root)}/{function}" if _is_below(folder, root) else str(function)


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inside in value.items():
            yield from _leaves(inside, f"{key}/{name}" if key else str(name))
    elif isinstance(value, list):
        for inside in value:
            yield from _leaves(inside, key)
    else:
        yield key, value


def raw_definition(path: Path, depth: int = 0) -> dict[str, Any]:
    """A definition with its includes, functions by name alone."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc,unused-ignore]
        pass

    def named(_: yaml.SafeLoader, node: yaml.Node) -> _Function:
        made = _Function(node.value)
        made.folder = path.parent
        return made

    Loader.add_constructor("!function", named)
    if depth > 20:
        raise InputError(f"{path}: its includes never end")
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())[:160]
        raise InputError(f"{path}: cannot be read as YAML ({what})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no task")
    merged: dict[str, Any] = {}
    includes = found.pop("include", None) or []
    for include in [includes] if isinstance(includes, str) else includes:
        inside = Path(str(include))
        merged |= raw_definition(
            inside if inside.is_absolute() else path.parent / inside, depth + 1
        )
    return merged | found
