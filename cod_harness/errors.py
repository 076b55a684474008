"""The one exception users of the command line meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """The user's input is wrong.

    The message is one line: what is wrong, where (file, row, key), and what to do about it.
    The command line prints it and exits with status 2.
    """

    def __str__(self) -> str:
        """The line; a name with a line break in it does not make two of it."""
        return " ".join(super().__str__().splitlines())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The ending of a refusal of an unknown name: the known one most like it; '' if none is."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""
