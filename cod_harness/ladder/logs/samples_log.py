"""The harness's logs of samples, `samples_TASK_DATE.jsonl`: read line after line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError

# Read ahead, in bytes. Lines of 100 long responses are hundreds of kilobytes.
_BUFFER = 1 << 20
_FILTER = re.compile(rb'"filter":\s*"((?:[^"\\]|\\.)*)"')
_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")
# Lists and objects in one another. Documents have a few; hundreds would be too many for whatever
# comes later: templates, scorers, processes that a sample is handed to.
_DEEPEST = 100
_NEEDED = ("doc_hash", "resps", "filter")
_NAMES = ("doc_hash", "prompt_hash", "target_hash", "filter")

Sample = dict[str, Any]


class NoSample(InputError):
    """A file that is no log of samples, or has a line that is none: path, and what is wrong."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(path, what)
        self.what = what

    def __str__(self) -> str:
        return " ".join(f"{self.args[0]}: {self.what}".splitlines())


class CutOff(Exception):
    """The last line of a file is not whole: the run, or a copy of its file, was broken off."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def task_and_date(path: Path) -> tuple[str, str] | None:
    """What the harness's name of a samples file tells; None for another name."""
    name = _NAME.fullmatch(path.name)
    return (name["task"], name["date"]) if name else None


def samples_files(folder: Path) -> list[Path]:
    """The files that may be logs of samples anywhere under a folder, by path."""
    return sorted(folder.rglob("samples_*.jsonl"))


class SamplesLog:
    """One log, read once from its start to its end.

    filters: the filters of the lines seen, with their numbers. broken: what is wrong with each line
    that is no sample; such lines are left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.filters: Counter[str] = Counter()
        self.broken: list[str] = []
        self._lines = _numbered(path)
        self._ahead: list[tuple[int, bytes]] = []

    def first(self) -> Sample:
        """The first sample; it is not passed over by this. Raises NoSample if there is none."""
        broken: NoSample | None = None
        for number, line in self._lines:
            self._ahead.append((number, line))
            if line.strip():
                try:
                    return _sample(self.path, number, line)
                except CutOff:
                    break
                except NoSample as problem:
                    broken = broken or problem
        raise broken or NoSample(self.path, "holds no samples; was the run broken off?")

    def samples(
        self, filter_name: str | None, advance: Callable[[int], None] = lambda _: None
    ) -> Iterator[tuple[int, int, Sample]]:
        """(line number from 1, bytes in the line, sample) for every line of one filter, or of all.

        A task with several filters logs all responses once for each; the others' are not parsed.
        advance: told the bytes of each line, of all filters. A line that is no sample is
        noted in `broken`. Raises CutOff if that is the last one and has no end.
        """
        for number, line in chain(self._ahead, self._lines):
            name = _filter_of(line)
            if name is not None:
                self.filters[name] += 1
            told = name is None or filter_name is None or name == filter_name
            if told and line.strip():
                try:
                    sample = _sample(self.path, number, line)
                except NoSample as problem:
                    self.broken.append(str(problem))
                else:
                    yield number, len(line), sample
            advance(len(line))


def filters_in(path: Path) -> list[str]:
    """The filters of a log, in order of appearance, out of the ends of its lines."""
    names = (_filter_of(line) for _, line in _numbered(path))
    return list(dict.fromkeys(name for name in names if name is not None))


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb", buffering=_BUFFER) as stream:
            for number, line in enumerate(stream, 1):
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except OSError as error:
        raise NoSample(path, f"cannot be read: {error.strerror or error}") from None


def _filter_of(line: bytes) -> str | None:
    # Quotes inside a text are escaped, so the last hit is a key: the harness's own.
    at = line.rfind(b'"filter":')
    match = _FILTER.match(line, at) if at >= 0 else None
    try:
        return str(json.loads(b'"' + match[1] + b'"')) if match else None
    except ValueError:  # a broken text; the line is looked at as a whole
        return None


def _sample(path: Path, number: int, line: bytes) -> Sample:
    try:
        sample: Sample = _parsed(line)  # which is looked at below
    except (ValueError, RecursionError) as error:
        if not line.endswith(b"\n"):
            raise CutOff(number) from None
        problem = f"not JSON: {error}"
    else:
        problem = _wrong_with(sample)
        if not problem:
            return sample
    raise NoSample(path, f"line {number}: not a logged sample ({problem}); was it edited?")


def _wrong_with(sample: Any) -> str:
    """What makes a line's value no sample; empty where nothing does."""
    if not isinstance(sample, dict):
        return f"a {type(sample).__name__}, not an object"
    missing = [key for key in _NEEDED if key not in sample]
    if missing:
        return f"it has no {', '.join(missing)}"
    odd = [key for key in _NAMES if not _is_name(sample.get(key, ""))]
    if odd:
        return f"its {odd[0]} is no name"
    metrics = sample.get("metrics", [])
    if not (isinstance(metrics, list) and all(map(_is_name, metrics))):
        return "its metrics are no names"
    if not _well_formed(sample["resps"]):
        return "its resps hold no response"
    return "nested too deeply" if _deeper_than(sample, _DEEPEST) else ""


def _deeper_than(value: Any, levels: int) -> bool:
    inside = [value]
    for _ in range(levels):
        if not inside:
            return False
        inside = [
            one
            for some in inside
            for one in (some.values() if isinstance(some, dict) else some)
            if isinstance(one, (dict, list))
        ]
    return bool(inside)


def _is_name(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # half a character, which no table could hold
        return False
    return True


def _well_formed(responses: Any) -> bool:
    return (
        isinstance(responses, list)
        and bool(responses)
        and all(isinstance(of_one, list) and of_one for of_one in responses)
    )


def _parsed(line: bytes) -> Any:
    import orjson

    try:
        return orjson.loads(line)
    except ValueError:
        # The harness writes NaN and half characters, which strict JSON does not know.
        return json.loads(line.decode("utf-8", "replace"))
