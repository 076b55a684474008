"""Processes that end with the one that started them, whatever ended that."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

# In a child's environment: the process it belongs to.
PARENT = "COD_PARENT"
# What ends a command, where the system knows it.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_AGAIN = 0.05  # seconds until a signal is sent again whose exception got lost


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when `parent` does. For the start of a child; Linux only."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)


@contextmanager
def pool(processes: int, how: Literal["fork", "spawn"]) -> Iterator[ProcessPoolExecutor]:
    """Processes to share work among, which end with the block and with this process.

    Where an exception leaves the block, an interrupt too, they are ended at once, whatever they are
    at; else this process would go on until they are through.

    how: "fork", which hands on all that is here, or "spawn", which starts afresh and takes what
    pickles alone: a fork of a process with threads can hang.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    class Workers(ProcessPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            with _held():  # processes are started here
                return super().submit(fn, *args, **kwargs)

    context = multiprocessing.get_context(how)
    workers = Workers(processes, context, _begin_work, (os.getpid(),))
    try:
        yield workers
    except BaseException:
        for process in list((workers._processes or {}).values()):
            process.kill()
        # What waits for a reader would wait for ever.
        with contextlib.suppress(AttributeError, OSError):
            getattr(workers, "_call_queue")._reader.close()  # noqa: B009
        raise
    finally:
        workers.shutdown(cancel_futures=True)


def _begin_work(parent: int) -> None:
    """In a worker: signals end it without a word, as nobody cleans up here."""
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends us
    end_with_parent(parent)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _numbers())


@contextmanager
def _held() -> Iterator[None]:
    """Hold signals back, from processes that begin in the block until they are ready for them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _numbers())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _numbers() -> list[int]:
    return [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]


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

    Then what it started is ended too. Signals that are ignored (nohup) stay so. Where the exception
    got lost in code that can raise none (a finalizer), the signal is sent again.
    """
    ending = False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal ending
        if not ending:  # once is enough: cleaning up takes a moment
            ending = True
            raise Ended(number)

    def lost(what: sys.UnraisableHookArgs) -> None:
        nonlocal ending
        stop = what.exc_value
        if not isinstance(stop, KeyboardInterrupt):
            unraisable(what)
            return
        ending = False
        number = stop.number if isinstance(stop, Ended) else signal.SIGINT
        threading.Timer(_AGAIN, os.kill, (os.getpid(), number)).start()

    changed = []
    for number in _numbers():
        if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(number, end)
                changed.append(number)
    unraisable, sys.unraisablehook = sys.unraisablehook, lost
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
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
    handlers = {number: signal.getsignal(number) for number in _numbers()}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in before:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
