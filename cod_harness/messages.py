"""What commands say beside their results, on standard error; `--quiet` and `--verbose` rule it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# In the environment, so that the processes a command starts keep to it.
_KEY = "COD_MESSAGES"
QUIET, VERBOSE = "quiet", "verbose"


@contextmanager
def messages(kind: str) -> Iterator[None]:
    """Inside the `with` block, say less (`QUIET`: only faults) or more (`VERBOSE`: details too).

    An empty kind leaves it as it is.
    """
    before = os.environ.get(_KEY)
    if kind:
        os.environ[_KEY] = kind
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_KEY, None)
        else:
            os.environ[_KEY] = before


def quiet() -> bool:
    """Whether only faults are to be told."""
    return os.environ.get(_KEY) == QUIET


def verbose() -> bool:
    """Whether details are to be told."""
    return os.environ.get(_KEY) == VERBOSE


def say(text: str) -> None:
    """Tell what was done or noticed."""
    if not quiet():
        print(f"cod-harness: {text}", file=sys.stderr)


def detail(text: str) -> None:
    """Tell what only the curious want to know."""
    if verbose():
        print(f"cod-harness: {text}", file=sys.stderr)
