"""Several samples files at once, with one progress bar: bytes read and time left."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.ingest.rates import FileRates, SampleFile
from cod_harness.harness.scoring import parallel
from cod_harness.progress import lasting_bar

# Together smaller than this many bytes, files are read faster here than processes start.
_WORTH_PROCESSES = 8 << 20
# How often the bar is drawn, in seconds, and how often a process tells how far it is, in bytes.
_DRAWN_EVERY = 0.25
_TOLD_EVERY = 1 << 20

Work = Callable[[SampleFile, Callable[[int], None], int], FileRates]

_inherited: tuple[Work, Any, int] | None = None


def all_rates(
    files: Sequence[SampleFile], work: Work, processes: int | None = None
) -> list[FileRates]:
    """`work(file, advance, processes)` for every file, in their order.

    The work is told how many processes it may use for itself. Raises the first InputError.
    """
    sizes = [file.path.stat().st_size for file in files]
    cores = parallel.cores() if processes is None else max(1, processes)
    at_once = min(cores, len(files))
    with lasting_bar("reading", "B", sum(sizes)) as bar:
        if at_once > 1 and sum(sizes) > _WORTH_PROCESSES and _can_fork():
            return list(_in_processes(files, sizes, work, at_once, cores // at_once, bar))
        return [work(file, _batched(bar.update), cores) for file in files]


def _can_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods()


def _in_processes(
    files: Sequence[SampleFile],
    sizes: Sequence[int],
    work: Work,
    at_once: int,
    each: int,
    bar: Any,
) -> Iterator[FileRates]:
    global _inherited
    context = multiprocessing.get_context("fork")
    read = context.Value("q", 0)
    _inherited = (work, read, max(1, each))
    pool = ProcessPoolExecutor(at_once, mp_context=context)
    # The largest first, so that none is left alone at the end.
    order = sorted(range(len(files)), key=lambda at: -sizes[at])
    try:
        futures = {at: pool.submit(_run_inherited, files[at]) for at in order}
        open_futures = set(futures.values())
        while open_futures:
            done, open_futures = wait(open_futures, _DRAWN_EVERY, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            bar.update(read.value - bar.n)
        found = [futures[at].result() for at in range(len(files))]
    except BrokenProcessPool as error:
        raise InputError(
            f"a process that read {files[order[0]].path.parent} was ended from outside (out of "
            "memory?); try again with --jobs 1"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        _inherited = None
    yield from found


def _run_inherited(file: SampleFile) -> FileRates:
    assert _inherited is not None
    work, read, processes = _inherited

    def advance(count: int) -> None:
        with read.get_lock():
            read.value += count

    return work(file, _batched(advance), processes)


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
