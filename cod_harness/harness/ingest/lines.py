"""The lines of a `samples_*.jsonl`, one after the other, whatever the file's size."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError

# Read ahead, in bytes. Lines of 100 long responses are hundreds of kilobytes.
_BUFFER = 1 << 20
_FILTER = re.compile(rb'"filter":\s*"((?:[^"\\]|\\.)*)"')
_NEEDED = ("doc_hash", "resps", "filter")

Sample = dict[str, Any]


class CutOff(Exception):
    """The last line of a file is not whole: the run, or a copy of its file, was broken off."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def filters_in(path: Path) -> Counter[str]:
    """The filters of a samples file with their numbers of lines, in order of appearance.

    Looks only at the end of each line, where the harness writes its own keys: a task with several
    filters logs all responses once for each, and the others' need not be parsed.
    """
    found: Counter[str] = Counter()
    for _, line in _numbered(path):
        name = _filter_of(line)
        if name is not None:
            found[name] += 1
    return found


def samples(path: Path, filter_name: str, advance: Callable[[int], None]) -> Iterator[Any]:
    """(line number from 1, bytes in the line, sample) for every line of one filter.

    advance: told the bytes of each line, of all filters. Raises InputError naming file and line
    for a line that is no sample, CutOff if that is the last one and has no end.
    """
    for number, line in _numbered(path):
        name = _filter_of(line)
        if (name is None and line.strip()) or name == filter_name:
            yield number, len(line), _sample(path, number, line)
        advance(len(line))


def first_sample(path: Path) -> Sample:
    """The first line of a file. Raises InputError if there is none."""
    for number, line in _numbered(path):
        if line.strip():
            try:
                return _sample(path, number, line)
            except CutOff:
                break
    raise InputError(f"{path}: holds no samples; was the run broken off?")


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb", buffering=_BUFFER) as stream:
            for number, line in enumerate(stream, 1):
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _filter_of(line: bytes) -> str | None:
    # Quotes inside a text are escaped, so the last hit is a key: the harness's own.
    at = line.rfind(b'"filter":')
    match = _FILTER.match(line, at) if at >= 0 else None
    return str(json.loads(b'"' + match[1] + b'"')) if match else None


def _sample(path: Path, number: int, line: bytes) -> Sample:
    problem = ""
    try:
        sample = _parsed(line)
    except ValueError as error:
        if not line.endswith(b"\n"):
            raise CutOff(number) from None
        problem = f"not JSON: {error}"
    else:
        if not isinstance(sample, dict):
            problem = f"a {type(sample).__name__}, not an object"
        else:
            missing = [key for key in _NEEDED if key not in sample]
            if not missing and _well_formed(sample["resps"]):
                return sample
            problem = f"it has no {', '.join(missing)}" if missing else "its resps hold no response"
    raise InputError(f"{path}: line {number}: not a logged sample ({problem}); was it edited?")


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
