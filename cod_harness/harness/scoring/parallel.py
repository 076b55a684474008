"""Scoring one document after the other, or in several processes where that pays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from cod_harness.cores import cores
from cod_harness.harness.forked import ProcessEnded, can_fork, forked
from cod_harness.messages import say
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
    processes as there are cores.
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
            if second_per_answer * sum(sizes[done:]) > WORTH_PROCESSES and can_fork(limit):
                remaining = list(range(done, len(sizes)))
                _in_processes(work, remaining, sizes, second_per_answer, results, bar, limit)
                break
            started += spent / 2  # judge again, with more weight on the recent speed
        for at, result in enumerate(results):
            if result is None:  # the processes failed, or were given up
                results[at] = work(at)
                bar.update()
    return [result for result in results if result is not None]


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
    chunks = _chunks(entries, sizes, second_per_answer)
    try:
        for at, scores in forked(work, chunks, limit, silence=_SILENCE):
            results[at] = scores
            bar.update()
    except (ProcessEnded, OSError, TypeError, AttributeError) as error:
        say(f"scoring goes on in one process ({error!r})")


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
