"""The harness's `results_*.json`, of whatever version and however it was edited since."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError

# What maps a name to something, and what maps a name to a mapping.
_MAPPINGS = ("config", "versions", "n-shot", "group_subtasks", "cod")
_OF_MAPPINGS = ("results", "configs", "n-samples")
REMEDY = "name a results_*.json that lm-eval wrote, or its folder"
# Longer whole numbers no float can hold.
_DIGITS = 300


def read_results_file(path: Path) -> dict[str, Any]:
    """The content of a results file; `results`, `config`, `cod` and their like are mappings.

    Parts of other types are left out, as if they were not there. Raises InputError, in words that
    follow the path, where the file is no JSON object.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8", "replace"), parse_int=_whole)
        content = _without_half_characters(content)
    except FileNotFoundError:
        raise InputError("no such file") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"cannot be read as JSON (no JSON: {error})") from None
    except RecursionError:
        raise InputError("cannot be read as JSON (nested too deeply)") from None
    if not isinstance(content, dict):
        raise InputError("holds no JSON object")
    return tidied(content)


def named_results_file(path: Path) -> dict[str, Any]:
    """As `read_results_file`, of a file that the user named: an InputError says where and what to
    do, and `results` is there."""
    try:
        content = read_results_file(path)
    except InputError as problem:
        raise InputError(f"{path}: {problem}; {REMEDY}") from None
    if "results" not in content:
        raise InputError(f"{path}: has no `results`; {REMEDY}")
    return content


def tidied(content: Mapping[str, Any]) -> dict[str, Any]:
    """A results file's content without what is not of the type that the harness writes."""
    found = dict(content)
    for key in (*_MAPPINGS, *_OF_MAPPINGS):
        if key in found and not isinstance(found[key], Mapping):
            del found[key]
    for key in _OF_MAPPINGS:
        if key in found:
            found[key] = _mappings(found[key])
    if "cod" in found:
        names = ("ladder", "rung", "checkpoint")
        captured = {
            key: part
            for key, part in found["cod"].items()
            if key not in names or isinstance(part, str)
        }
        tasks = captured.pop("tasks", None)
        found["cod"] = captured | {"tasks": _mappings(tasks)}
    if "group_subtasks" in found:
        found["group_subtasks"] = {
            name: [one for one in some if isinstance(one, str)]
            for name, some in found["group_subtasks"].items()
            if isinstance(some, list)
        }
    return found


def _mappings(value: Any) -> dict[str, Any]:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {name: part for name, part in pairs if isinstance(part, Mapping)}


def _whole(text: str) -> int | float:
    if len(text) < _DIGITS:
        return int(text)
    return -math.inf if text.startswith("-") else math.inf


def _without_half_characters(content: Any) -> Any:
    text = json.dumps(content, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which nothing of ours could write down
        return json.loads(text.encode("utf-8", "replace"), parse_int=_whole)
    return content
