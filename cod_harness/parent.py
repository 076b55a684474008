"""Processes that end with the one that started them, whatever ended that."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

# In a child's environment: the process it belongs to.
PARENT = "COD_PARENT"


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when `parent` does. For the start of a child; Linux only."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)


def pool(processes: int, how: Literal["fork", "spawn"]) -> ProcessPoolExecutor:
    """Processes to share work among, which end with this one.

    how: "fork", which hands on all that is here, or "spawn", which starts afresh and takes what
    pickles alone: a fork of a process with threads can hang.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context(how)
    return ProcessPoolExecutor(processes, context, end_with_parent, (os.getpid(),))


def end_with_parent_named() -> None:
    """The same, for the parent that the environment names, if it names one."""
    parent = os.environ.pop(PARENT, "")
    if parent.isdecimal():
        end_with_parent(int(parent))


class Ended(KeyboardInterrupt):
    """The process was asked to end by a signal; number: which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def ended_like_interrupted() -> Iterator[None]:
    """Let `kill`, a lost terminal or a batch system's end of time stop a command as Ctrl-C does.

    Then what it started is ended too. Signals that are ignored (nohup) stay so.
    """
    changed = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(number, _raise)
                changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C and the other signals that end a command until the block is through.

    For compiled code that calls back into Python: an exception that a signal raises there has been
    seen to crash the interpreter (msgspec 0.22, while it first looks at a type). Keep it short.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal is handled here
        yield
        return
    came: list[int] = []
    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in numbers
        if number is not None and callable(signal.getsignal(number))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def _raise(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: cleaning up takes a moment
    raise Ended(number)
