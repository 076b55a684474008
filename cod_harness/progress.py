"""A bar for work that takes seconds: on a terminal, and only there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cod_harness.messages import quiet


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function to be called with the numbers of units that are done and that there are."""
    from tqdm import tqdm

    # disable=None: off where standard error is no terminal. A log wants no bar.
    with tqdm(desc=what, unit=unit, leave=False, disable=True if quiet() else None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
