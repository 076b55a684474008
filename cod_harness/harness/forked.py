"""Work in forked processes: they have all that this one has, tasks and documents too.

Forked, since tasks of the harness seldom pickle, which rules out what would start processes afresh;
processes and not threads, since some scorers set alarms, which only a main thread can.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from cod_harness.parent import pool

Result = TypeVar("Result")

_inherited: Callable[[int], Any] | None = None


class ProcessEnded(Exception):
    """A process was ended from outside; by the system, where memory ran out."""


def can_fork(processes: int) -> bool:
    """Whether several processes are wanted, and this system can fork them."""
    return processes > 1 and "fork" in multiprocessing.get_all_start_methods()


def forked(
    work: Callable[[int], Result],
    chunks: Sequence[Sequence[int]],
    processes: int,
    *,
    tick: Callable[[], object] = lambda: None,
    every: float | None = None,
    silence: float | None = None,
) -> Iterator[tuple[int, Result]]:
    """(entry, `work(entry)`) for the entries of all chunks, as they come.

    Args:
        work: anything that can be called, with results that pickle.
        chunks: entries handed to a process at a time.
        processes: at most so many.
        tick: called whenever something is done, and every so many seconds.
        silence: after so many seconds without a result the processes are given up.

    Raises:
        ProcessEnded: the processes are gone; what was yielded stands.
        TimeoutError: nothing came for `silence` seconds.
        Exception: whatever the work raised.
    """
    global _inherited
    # Put back in the end: a process of ours may fork again for a part of its work.
    before, _inherited = _inherited, work
    waited = 0.0
    try:
        with pool(processes, "fork") as workers:
            futures = {workers.submit(_chunk_done, chunk): chunk for chunk in chunks}
            while futures:
                finished, _ = wait(futures, every or silence, return_when=FIRST_COMPLETED)
                waited = 0.0 if finished else waited + (every or silence or 0.0)
                if silence is not None and waited >= silence:
                    raise TimeoutError(f"nothing for {silence:.0f} s")
                for future in finished:
                    yield from zip(futures.pop(future), future.result(), strict=True)
                tick()
    except BrokenProcessPool as error:
        raise ProcessEnded(str(error)) from error
    finally:
        _inherited = before


def _chunk_done(chunk: Sequence[int]) -> list[Any]:
    assert _inherited is not None
    return [_inherited(at) for at in chunk]
