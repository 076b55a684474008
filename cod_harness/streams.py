"""Standard output and error that never end a command before its files are written."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class PatientStream:
    """A text stream that takes everything: what cannot be written is dropped and remembered.

    A reader that has gone (`... | head`), a full disk or an encoding that lacks a letter is no
    reason to lose a forecast. trouble: the first error met; None while all went well.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.trouble: OSError | ValueError | None = None
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, unless something went wrong before. Returns the length of the text."""
        if self.trouble is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: closed
                self.trouble = error
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write one line after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what is waiting."""
        if self.trouble is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.trouble = error


@contextmanager
def patient_streams() -> Iterator[PatientStream]:
    """Inside the `with` block both streams are patient; gives standard output."""
    before = sys.stdout, sys.stderr
    _open_closed()
    # Never None, as where they were closed: what is written goes nowhere then.
    out = PatientStream(before[0] if before[0] is not None else io.StringIO())
    err = PatientStream(before[1] if before[1] is not None else io.StringIO())
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        for stream, number in ((out, 1), (err, 2)):
            stream.flush()
            if stream.trouble is not None:
                _let_go(stream._stream, number)
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """No file of ours may get the number of a closed stream, which others write to."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _let_go(stream: Any, number: int) -> None:
    """What waits in a broken stream goes nowhere, so that the interpreter's end is silent."""
    with suppress(OSError, ValueError, AttributeError):
        if stream.fileno() == number:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, number)
            os.close(nothing)
