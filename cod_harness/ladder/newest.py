"""Of several measurements of one thing the latest counts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


@dataclass(frozen=True)
class Replaced(Generic[Key, Found]):
    """A measurement that doesn't count: `newer` is of the same thing."""

    key: Key
    stale: Found
    newer: Found


def newest(
    found: Iterable[tuple[Key, Found]], date: Callable[[Found], Any]
) -> tuple[dict[Key, Found], list[Replaced[Key, Found]]]:
    """What counts of what was found, and what doesn't.

    Args:
        found: what was measured (model, checkpoint and task, say), and where.
        date: what sorts by time; of two of one date the later in order counts.

    Returns:
        Key -> the newest, keys in order of appearance; and the others, in theirs.
    """
    pairs = list(found)
    kept: dict[Key, Found] = {}
    for key, one in pairs:
        if key not in kept or date(kept[key]) <= date(one):
            kept[key] = one
    stale = [Replaced(key, one, kept[key]) for key, one in pairs if one is not kept[key]]
    return kept, stale
