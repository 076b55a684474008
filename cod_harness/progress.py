"""Bars for long work, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cod_harness.messages import quiet


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """For seconds of work, on a terminal only: a function to be told of units done and in all."""
    from tqdm import tqdm

    # disable=None: off where standard error is no terminal. A log wants no bar.
    with tqdm(desc=what, unit=unit, leave=False, disable=True if quiet() else None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def lasting_bar(what: str, unit: str, total: int, *, hidden: bool = False) -> Any:
    """For minutes or hours of work: a tqdm bar, which logs get now and then as well."""
    from tqdm import tqdm

    return tqdm(
        desc=what,
        unit=unit,
        unit_scale=unit == "B",
        total=total,
        file=sys.stderr,
        delay=1.0,
        mininterval=0.1 if sys.stderr.isatty() else 10.0,
        leave=False,
        disable=hidden or quiet(),
    )
