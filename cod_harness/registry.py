"""What other packages bring along, found by name: methods, executors, readers of logs.

A package says what it has under `[project.entry-points."cod_harness.methods"]` (or `.executors`,
`.readers`) in its pyproject.toml; ours are registered the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from cod_harness.errors import InputError

Thing = TypeVar("Thing")


class Registry(Mapping[str, Thing], Generic[Thing]):
    """Things of one kind by name: ours in their order, then those found, by name.

    Nothing is loaded before it is asked for. Raises InputError where a package registers a name of
    ours or of another package, or where what it registers cannot be loaded.
    """

    def __init__(self, kind: str, group: str, ours: Mapping[str, str]) -> None:
        """kind: what one is called in messages. group: of the entry points. ours: name -> place,
        as in pyproject.toml, so that a checkout that was never installed has them too."""
        self.kind = kind
        self.group = group
        self.ours = ours

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        found = {name: EntryPoint(name, value, self.group) for name, value in self.ours.items()}
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            known = found.setdefault(point.name, point)
            if known.value != point.value:
                raise InputError(
                    f"{self.kind} {point.name!r} is registered twice, as {known.value} and as "
                    f"{point.value}: uninstall {_package(point)}, or have it choose another name"
                )
        return found

    def __getitem__(self, name: str) -> Thing:
        point = self._points[name]
        try:
            thing: Thing = point.load()
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"{self.kind} {name!r} cannot be loaded from {point.value}: {error}; repair or "
                f"uninstall {_package(point)}"
            ) from error
        return thing

    def __contains__(self, name: object) -> bool:  # the Mapping's own would load it
        return name in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)

    def forget(self) -> None:
        """Look again what is installed."""
        self.__dict__.pop("_points", None)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "its package"
