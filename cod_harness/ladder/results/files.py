"""The harness's results files of any version since 0.3: found, read, and what they say of a run."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from cod_harness.errors import InputError
from cod_harness.ladder.logs.results_file import named_results_file, read_results_file
from cod_harness.ladder.model_args import argument, written

_OURS = ("cod_", ".")  # how names of our own files, and of hidden ones, begin
_MARK = b'"results"'  # what every such file holds, looked for before one is taken apart
_MODEL_KEYS = ("pretrained", "model", "path")  # of model_args, best first
_STEP = re.compile(r"(?:^|[^a-z])(?:global[_-]?)?step[_-]?(\d+)", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T_ -](\d\d)[-:](\d\d)[-:](\d\d)")
_AMERICAN = re.compile(r"(\d\d)-(\d\d)-(\d{4})-(\d\d)-(\d\d)-(\d\d)")


@dataclass(frozen=True, eq=False)
class ResultsFile:
    """One results file.

    Attributes:
        path: the file.
        content: what is in it.
        root: the folder that was named, in which it was found; its own where it was named itself.
    """

    path: Path
    content: Mapping[str, Any]
    root: Path

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Settings of the run; empty if unknown."""
        found: Mapping[str, Any] = self.content.get("config", {})
        return found

    @cached_property
    def model_args(self) -> str:
        """The harness's `--model_args` as text; "" if unknown."""
        found = self.config.get("model_args")
        if isinstance(found, Mapping):
            return written(found)
        return found if isinstance(found, str) else ""

    @cached_property
    def names(self) -> list[str]:
        """What it calls its model, best first; a folder that the harness named stands last."""
        told = [argument(self.model_args, key) for key in _MODEL_KEYS]
        told.append(self.content.get("model_name"))
        if self.path.name.startswith("results") and "__" in self.path.parent.name:
            # The harness names the folder after the model, each `/` written as `__`.
            told.append(self.path.parent.name.replace("__", "/"))
        return list(dict.fromkeys(str(name) for name in told if name))

    @cached_property
    def places(self) -> list[str]:
        """The folders from the root down to the file, innermost first, and the file's own name."""
        try:
            inside = self.path.relative_to(self.root).parent.parts
        except ValueError:
            inside = ()
        found = [*reversed(inside), self.root.name] if inside else [self.root.name]
        return [*found, self.path.stem]

    @cached_property
    def revision(self) -> str:
        """Which checkpoint of its model: `revision=`, or the step in a path; "" for the last."""
        told = argument(self.model_args, "revision") or ""
        if told and told != "main":
            return told
        for text in (*self.names, self.path.stem, *self.places):
            step = _STEP.search(text)
            if step:
                return f"step{step[1]}"
        return ""

    @property
    def step(self) -> float:
        """What sorts checkpoints of a model by training; the last where none is named."""
        digits = re.search(r"\d+", self.revision)
        return float(digits[0]) if digits else math.inf

    @property
    def label(self) -> str:
        """Its model and checkpoint, in words."""
        name = self.names[0] if self.names else self.path.parent.name
        return f"{name}@{self.revision}" if self.revision else name

    @property
    def limited(self) -> bool:
        """Whether the run asked a part of the questions only (`--limit`)."""
        return self.config.get("limit") is not None

    @cached_property
    def date(self) -> str:
        """When it was made, as text that sorts by time; "" if unknown."""
        seconds = self.content.get("date")
        if is_number(seconds) and 0 < seconds < 1e11:
            return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
        found = _DATE.search(self.path.name)
        if found:
            year, month, day, *clock = found.groups()
        else:
            found = _AMERICAN.search(self.path.name)
            if not found:
                return ""
            month, day, year, *clock = found.groups()
        return f"{year}-{month}-{day}T{':'.join(clock)}"


def is_number(value: Any) -> TypeGuard[float]:
    """A finite number, and no truth value."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and math.isfinite(value)


def results_files(paths: Iterable[Path]) -> list[ResultsFile]:
    """The results files that are named, or stand in the folders that are, by path.

    In a folder a JSON file of another kind is passed over.

    Raises:
        InputError: a file that is named is missing or holds no results.
    """
    found: dict[str, ResultsFile] = {}
    for path in paths:
        some = results_in(path) if path.is_dir() else [_named(path)]
        for one in some:
            found.setdefault(os.path.realpath(one.path), one)
    return list(found.values())


def results_in(folder: Path) -> Iterator[ResultsFile]:
    """The results files anywhere under a folder, by path."""
    for path in sorted(folder.rglob("*.json")):
        if path.name.startswith(_OURS):
            continue
        try:
            if _MARK not in path.read_bytes():
                continue
            content = read_results_file(path)
        except (OSError, InputError):
            continue
        # Another program's file may have something else of that name.
        if content.get("results") or (path.name.startswith("results") and "results" in content):
            yield ResultsFile(path, content, folder)


def _named(path: Path) -> ResultsFile:
    return ResultsFile(path, named_results_file(path), path.parent)
