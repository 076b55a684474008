"""Definitions of tasks as the harness's own YAML files hold them, without building its index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError

_TASK_LINE = re.compile(rb"^task:\s*[\"']?([^\s\"'#\[]+)[\"']?\s*(?:#.*)?$", re.MULTILINE)


def harness_tasks() -> Path:
    """The folder of the harness's own task definitions."""
    import lm_eval.tasks

    return Path(lm_eval.tasks.__file__).parent


@lru_cache(maxsize=8)
def task_files(folder: Path) -> dict[str, Path]:
    """Task name -> YAML file, for every task that a folder defines by name.

    Reads the `task:` lines alone: a second or two for the harness's thousands of files.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.yaml")):
        match = _TASK_LINE.search(path.read_bytes())
        if match:
            found.setdefault(match[1].decode("utf-8", "replace"), path)
    return found


def definition(path: Path) -> dict[str, Any]:
    """A task's configuration with its includes merged and its functions loaded.

    Raises InputError where its code asks for a package that is not installed, or for a consent.
    """
    try:
        with _limited_code_eval():
            return dict(_load(path))
    except ImportError as error:
        wanted = f"{error.name or error}"
        raise InputError(
            f"{path.name}: needs {_short(wanted)}; pip install 'cod-harness[math]' for MATH, or "
            "what the task's README names"
        ) from error
    except AssertionError as error:  # a version that the task's code insists on
        raise InputError(
            f"{path.name}: a package it needs has another version than it wants "
            f"({_short(str(error))}); pip install 'cod-harness[math]'"
        ) from error


def _load(path: Path) -> Any:
    try:
        from lm_eval.tasks._yaml_loader import load_yaml
    except ImportError:  # before 0.4.11
        from lm_eval.utils import load_yaml_config

        return load_yaml_config(str(path), mode="full")
    return load_yaml(path, resolve_func=True)


@contextmanager
def _limited_code_eval() -> Iterator[None]:
    """While a definition is read, the metric `code_eval` is ours.

    Task code loads it from the hub at import; ours needs no network, and runs programs with limits.
    """
    import evaluate

    from cod_harness.harness.scoring.programs import CodeEval

    original = evaluate.load

    def load(path: str, *args: Any, **kwargs: Any) -> Any:
        return CodeEval() if path == "code_eval" else original(path, *args, **kwargs)

    evaluate.load = load
    try:
        yield
    finally:
        evaluate.load = original


def _short(text: str) -> str:
    return " ".join(text.split())[:160]


def named(name: str, folders: Sequence[Path]) -> Path | None:
    """The YAML file that defines a task: in one of `folders`, else among the harness's own."""
    for folder in (*folders, harness_tasks()):
        path = task_files(folder).get(name)
        if path is not None:
            return path
    return None
