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

_WRITTEN_BY: dict[type[Record], str] = {
    Forecasts: "cod-harness forecast",
    Backtest: "cod-harness backtest",
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
    """The document in a file; of a folder, the newest forecast in it.

    Args:
        path: the JSON file, or an output folder.
        kind: the only kind that will do; None for a forecast or a backtest.

    Raises:
        InputError: no such file, no JSON, or no such document.
    """
    path = found(path)
    kinds = [kind] if kind else list(_WRITTEN_BY)
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
        return Read(msgspec.convert(content, by_name[name]), content)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}: {error}; write the file again") from None


def found(path: str | os.PathLike[str]) -> Path:
    """The file itself, or the newest forecast of a folder."""
    path = Path(path)
    if not path.is_dir():
        return path
    prefix = PREFIXES[Forecasts]
    inside = sorted(path.glob(f"{prefix}*.json"))
    if not inside:
        raise InputError(
            f"{path}: no {prefix}*.json in this folder; `cod-harness forecast` writes one"
        )
    return inside[-1]


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
