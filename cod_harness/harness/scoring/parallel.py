"""Scoring one document after the other, or in several processes where that pays."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from cod_harness.errors import InputError
from cod_harness.progress import lasting_bar

# Below this many seconds of scoring left, starting processes does not pay.
WORTH_PROCESSES = 4.0
# How long scoring runs in this process before its speed is judged, in seconds.
_JUDGED_AFTER = 0.5
# Work handed to a process at a time should take about this long, in seconds.
_CHUNK_SECONDS = 1.0
# Processes that give nothing for this many seconds are stopped. Forking a process that runs threads
# can, rarely, leave a lock taken for ever.
_SILENCE = 300.0

_inherited: Callable[[int], list[float]] | None = None


def mapped(
    work: Callable[[int], list[float]],
    sizes: Sequence[int],
    label: str,
    processes: int | None = None,
) -> list[list[float]]:
    """`[work(0), work(1), ...]`, one per entry of `sizes`, with a progress bar on stderr.

    sizes: cost of each entry (answers to score), for the estimate of what is left. processes: at
    most so many; the number of cores if None; with a number there is no progress bar. The first
    entries run here; if the rest would take long and this system can fork, it runs in as many
    processes as there are cores. Forked, since tasks seldom pickle; processes, not threads, since
    some scorers set alarms, which only a main thread can.
    """
    results: list[list[float] | None] = [None] * len(sizes)
    limit = cores() if processes is None else processes
    # Hidden as one of several tasks, whose bar another shows.
    with lasting_bar(label, "doc", len(sizes), hidden=processes is not None) as bar:
        started = time.perf_counter()
        done = 0
        while done < len(sizes):
            results[done] = work(done)
            bar.update()
            done += 1
            spent = time.perf_counter() - started
            if spent < _JUDGED_AFTER:
                continue
            second_per_answer = spent / max(1, sum(sizes[:done]))
            if second_per_answer * sum(sizes[done:]) > WORTH_PROCESSES and _can_fork(limit):
                remaining = list(range(done, len(sizes)))
                _in_processes(work, remaining, sizes, second_per_answer, results, bar, limit)
                break
            started += spent / 2  # judge again, with more weight on the recent speed
        for at, result in enumerate(results):
            if result is None:  # the processes failed, or were given up
                results[at] = work(at)
                bar.update()
    return [result for result in results if result is not None]


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _can_fork(limit: int) -> bool:
    return limit > 1 and "fork" in multiprocessing.get_all_start_methods()


def _in_processes(
    work: Callable[[int], list[float]],
    entries: Sequence[int],
    sizes: Sequence[int],
    second_per_answer: float,
    results: list[list[float] | None],
    bar: Any,
    limit: int,
) -> None:
    """Fill `results` for `entries`; entries a failing process leaves open stay None.

    An InputError of the work is raised; any other trouble leaves the rest to the caller.
    """
    global _inherited
    _inherited = work
    pool = ProcessPoolExecutor(limit, mp_context=multiprocessing.get_context("fork"))
    try:
        chunks = _chunks(entries, sizes, second_per_answer)
        open_futures = {pool.submit(_run_inherited, chunk): chunk for chunk in chunks}
        while open_futures:
            finished, _ = wait(open_futures, timeout=_SILENCE, return_when=FIRST_COMPLETED)
            if not finished:
                raise TimeoutError(f"no scores for {_SILENCE:.0f} s")
            for future in finished:
                for at, scores in zip(open_futures.pop(future), future.result(), strict=True):
                    results[at] = scores
                    bar.update()
    except InputError:
        raise
    except (BrokenProcessPool, OSError, TypeError, AttributeError) as error:
        print(f"cod-harness: scoring goes on in one process ({error!r})", file=sys.stderr)
        for process in list((pool._processes or {}).values()):
            process.terminate()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        _inherited = None


def _run_inherited(chunk: Sequence[int]) -> list[list[float]]:
    assert _inherited is not None
    return [_inherited(at) for at in chunk]


def _chunks(
    entries: Sequence[int], sizes: Sequence[int], second_per_answer: float
) -> list[list[int]]:
    chunks: list[list[int]] = [[]]
    seconds = 0.0
    for at in entries:
        if seconds > _CHUNK_SECONDS:
            chunks.append([])
            seconds = 0.0
        chunks[-1].append(at)
        seconds += second_per_answer * sizes[at]
    return chunks
