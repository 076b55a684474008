"""Several samples files at once, with one progress bar: bytes read and time left."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from typing import Any

from cod_harness.cores import cores
from cod_harness.errors import InputError
from cod_harness.harness.forked import ProcessEnded, can_fork, forked
from cod_harness.harness.ingest.rates import FileRates, SampleFile
from cod_harness.progress import lasting_bar

# Together smaller than this many bytes, files are read faster here than processes start.
_WORTH_PROCESSES = 8 << 20
# How often the bar is drawn, in seconds, and how often a process tells how far it is, in bytes.
_DRAWN_EVERY = 0.25
_TOLD_EVERY = 1 << 20

Work = Callable[[SampleFile, Callable[[int], None], int], FileRates]


def all_rates(
    files: Sequence[SampleFile], work: Work, processes: int | None = None
) -> list[FileRates]:
    """`work(file, advance, processes)` for every file, in their order.

    The work is told how many processes it may use for itself. Raises the first InputError.
    """
    sizes = [file.path.stat().st_size for file in files]
    limit = cores() if processes is None else max(1, processes)
    at_once = min(limit, len(files))
    with lasting_bar("reading", "B", sum(sizes)) as bar:
        if sum(sizes) <= _WORTH_PROCESSES or not can_fork(at_once):
            return [work(file, _batched(bar.update), limit) for file in files]
        return _in_processes(files, sizes, work, at_once, max(1, limit // at_once), bar)


def _in_processes(
    files: Sequence[SampleFile], sizes: Sequence[int], work: Work, at_once: int, each: int, bar: Any
) -> list[FileRates]:
    read = multiprocessing.get_context("fork").Value("q", 0)

    def advance(count: int) -> None:
        with read.get_lock():
            read.value += count

    # The largest first, so that none is left alone at the end.
    order = sorted(range(len(files)), key=lambda at: -sizes[at])
    try:
        found = dict(
            forked(
                lambda at: work(files[at], _batched(advance), each),
                [[at] for at in order],
                at_once,
                tick=lambda: bar.update(read.value - bar.n),
                every=_DRAWN_EVERY,
            )
        )
    except ProcessEnded as error:
        raise InputError(
            f"a process that read {files[order[0]].path.parent} was ended from outside (out of "
            "memory?); try again with --jobs 1"
        ) from error
    return [found[at] for at in range(len(files))]


def _batched(advance: Callable[[int], Any]) -> Callable[[int], None]:
    """Tells of bytes by the megabyte: a bar that is drawn for every line costs more than a line."""
    waiting = 0
    told = time.monotonic()

    def collect(count: int) -> None:
        nonlocal waiting, told
        waiting += count
        if waiting >= _TOLD_EVERY or time.monotonic() - told > _DRAWN_EVERY:
            advance(waiting)
            waiting, told = 0, time.monotonic()

    return collect
