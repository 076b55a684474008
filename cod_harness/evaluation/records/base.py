"""What all records share: constrained types, what made a record, and the edge of an interval."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from importlib import metadata
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from cod_harness.engine.verdicts import Reason
from cod_harness.notes import Note

Name = Annotated[str, Meta(min_length=1)]
Names = tuple[Name, ...]
NoteCodes = Annotated[Names, Meta(description="The notes as fixed words, in order.")]
Count = Annotated[int, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Level = Annotated[float, Meta(gt=0, lt=1)]
Positive = Annotated[float, Meta(gt=0)]
Size = Annotated[float, Meta(ge=0)]
Versions = Annotated[
    dict[str, str],
    Meta(
        description="Version of each package that had a part.",
        extra_json_schema={"required": ["python"]},
    ),
]
Moment = Annotated[
    str, Meta(description="ISO 8601 with offset.", extra_json_schema={"format": "date-time"})
]
Command = Annotated[
    tuple[str, ...] | None, Meta(description="The words that made the record, where known.")
]

_VERSIONS_OF = ("cod-harness", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "lm_eval")
_EDGE = 1e-9  # a value on the edge of an interval is inside, whatever the last bit says


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A typed value that is JSON, field for field. A number that doesn't exist is None."""


def schema_name(kind: type[Record]) -> str:
    """What a kind of document calls itself under `schema`: "cod-forecast/1", for one."""
    return str(kind.__struct_config__.tag)


def provenance() -> dict[str, Any]:
    """`versions` of the packages that had a part, and when the record was `created`."""
    versions = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"versions": versions, "created": created}


def known(value: float | None) -> float | None:
    """The number; None where it is NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None


def floats(values: Iterable[float]) -> tuple[float, ...]:
    """Numbers of any kind, an array's for one, as Python's own."""
    return tuple(float(value) for value in values)


def sentences(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """An engine's reasons in words."""
    return tuple(str(reason) for reason in reasons)


def codes(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """An engine's reasons as fixed words."""
    return tuple(reason.code for reason in reasons)


def noted(notes: Iterable[Note]) -> dict[str, Any]:
    """The `notes` of a record, each once, and their `note_codes`."""
    every = tuple(dict.fromkeys(notes))
    return {"notes": tuple(map(str, every)), "note_codes": tuple(one.code for one in every)}


def inside(low: Any, value: Any, high: Any) -> Any:
    """Whether a value is in an interval, its ends included: numbers, or arrays of one shape."""
    return (low - _EDGE <= value) & (value <= high + _EDGE)


def held(low: float | None, value: float | None, high: float | None) -> bool | None:
    """`inside`, None where a number is unknown."""
    if low is None or value is None or high is None:
        return None
    return bool(inside(low, value, high))


def points_off(forecast: float | None, observed: float | None) -> float | None:
    """The error in points, forecast minus observed; None where either is unknown."""
    return None if forecast is None or observed is None else 100 * (forecast - observed)


def mean(values: Sequence[float]) -> float | None:
    """Their mean; None of none."""
    return float(np.mean(values)) if len(values) else None
