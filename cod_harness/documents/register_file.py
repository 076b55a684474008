"""The lines of a register: one spelling for each entry, added whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cod_harness.documents.strict_json import parsed_json
from cod_harness.errors import InputError

# A process that holds the lock for so many seconds has come to grief.
_PATIENCE = 60.0


def lines_of(path: Path) -> list[str]:
    """The lines of a register. Raises InputError where it is missing or no text.

    Lines end with a newline alone: other separators may stand in a name.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such register; `cod-harness register FORECAST.json` makes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a register: {error}") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def content_of(line: str) -> Any:
    """What a line says. Raises ValueError if it is no JSON, or spelt as no register spells it."""
    content = parsed_json(line)
    # The second spelling is that of earlier versions.
    if line not in (_spelt(content), json.dumps(content, ensure_ascii=False)):
        raise ValueError("is spelt otherwise than a register spells it")
    return content


def _spelt(content: Any) -> str:
    return json.dumps(content, allow_nan=False)


def add_line(path: Path, content: Mapping[str, Any]) -> None:
    """Add an entry at the end; on any error the file is as it was before.

    Raises InputError for what could not be read again, OSError where it cannot be written.
    """
    try:
        line = _spelt(dict(content))
        content_of(line)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: this cannot be registered: it {error}") from None
    with open(path, "ab") as stream:
        before = stream.tell()
        try:
            # A last line without its end, as some editors leave it, would swallow the new one.
            stream.write(_end_missing(path, before) + line.encode("ascii") + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            _cut_back(path, before)
            raise


def _end_missing(path: Path, size: int) -> bytes:
    if size == 0:
        return b""
    with open(path, "rb") as stream:
        stream.seek(size - 1)
        return b"" if stream.read(1) == b"\n" else b"\n"


def _cut_back(path: Path, size: int) -> None:
    with open(path, "r+b", buffering=0) as stream:
        stream.truncate(size)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Two processes that add at once must not both follow the same entry.

    Raises InputError if another process holds the register for a minute.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_PATIENCE):
            yield
    except Timeout:
        raise InputError(
            f"{path}: another process has been writing to it for a minute; end that one first"
        ) from None
