"""The one exception users of the command line meet."""

from __future__ import annotations


class InputError(ValueError):
    """The user's input is wrong.

    The message is one line: what is wrong, where (file, row, key), and what to do about it.
    The command line prints it and exits with status 2.
    """
