"""Reading a document of ours back into the record that was written, checked on the way."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import msgspec

from cod_harness.documents.strict_json import parsed_json
from cod_harness.documents.writing import PREFIXES
from cod_harness.errors import InputError
from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.evaluation.records.base import Record, schema_name
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.evaluation.records.plan import Plan
from cod_harness.ladder.files import newest_of
from cod_harness.parent import uninterrupted

_WRITTEN_BY: dict[type[Record], str] = {
    Forecasts: "cod-harness forecast",
    Backtest: "cod-harness backtest",
    Plan: "cod-harness plan",
}


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, eq=False)
class Read(Generic[R]):
    """A document: the record, and the JSON as it lies on disk."""

    record: R
    content: dict[str, Any]


@overload
def read_document(path: str | os.PathLike[str]) -> Read[Forecasts] | Read[Backtest]: ...


@overload
def read_document(path: str | os.PathLike[str], kind: type[R]) -> Read[R]: ...


def read_document(path: str | os.PathLike[str], kind: type[Record] | None = None) -> Read[Any]:
    """The document in a file; of a folder, the newest forecast in it (see `found`).

    Args:
        path: the JSON file, or an output folder.
        kind: the only kind that will do; None for a forecast or a backtest.

    Raises:
        InputError: no such file, no JSON, or no such document.
    """
    path = found(path)
    kinds: list[type[Record]] = [kind] if kind else [Forecasts, Backtest]
    by_name = {schema_name(kind): kind for kind in kinds}
    wanted = " or ".join(f"`{_WRITTEN_BY[kind]} --json`" for kind in kinds)
    content = read_json(path, f"name a file written by {wanted}")
    name = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in by_name:
        raise InputError(
            f"{path}: its `schema` is {name!r}, not {' or '.join(by_name)}; name a file written "
            f"by {wanted}"
        )
    try:
        with uninterrupted():
            return Read(msgspec.convert(content, by_name[name]), content)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}: {error}; write the file again") from None


def found(path: str | os.PathLike[str]) -> Path:
    """The file itself, or the newest forecast of a folder.

    Raises InputError where a folder has none, or where another one in it is of another ladder or
    other targets than the newest: which of them is meant only the user knows.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    prefix = PREFIXES[Forecasts]
    inside = newest_of(path, prefix, ".json")
    if not inside:
        raise InputError(
            f"{path}: no {prefix}*.json in this folder; `cod-harness forecast` writes one"
        )
    newest = _about(inside[-1])
    for other in inside[:-1]:
        said = _about(other)
        if newest and said and said != newest:
            raise InputError(
                f"{path}: holds forecasts of different things, {other.name} ({said}) and "
                f"{inside[-1].name} ({newest}); name the file that is meant"
            )
    return inside[-1]


def _about(path: Path) -> str:
    """Ladder and targets of a forecast; empty where the file cannot be read as one."""
    try:
        with uninterrupted():
            about = msgspec.json.decode(path.read_bytes(), type=_About)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return f"{about.ladder.name}: {targets_of(about)}"


class _Ladder(msgspec.Struct):
    name: str


class _Target(msgspec.Struct):
    target: str
    compute: float


class _About(msgspec.Struct):
    """The part of a forecast that tells what it is of: a folder may hold many large ones."""

    ladder: _Ladder
    forecasts: list[_Target]


def targets_of(of: Forecasts | _About) -> str:
    """The targets of a forecast, with the compute each is forecast at."""
    pairs = dict.fromkeys((one.target, one.compute) for one in of.forecasts)
    return ", ".join(f"{target} at {compute:.3g} FLOP" for target, compute in pairs)


def read_json(path: Path, remedy: str) -> Any:
    """The JSON in a file; InputError, ending in the remedy, where there is none."""
    try:
        return parsed_json(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text; {remedy}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: no JSON: {error.msg}; {remedy}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; {remedy}") from None
