"""The register: forecasts written down before the fact, in a file that only grows.

One JSON object a line. Each entry holds the hash of the entry before it and its own, over
everything else in it; whoever changes, removes, inserts or reorders an entry breaks the chain at
that place, and `read_register` says where. The hash of the last entry, published anywhere, pins
the whole file: only that shows when entries were cut off the end, or all hashes made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError

SCHEMA = "cod-register/1"
FORECAST, SCORE = "forecast", "score"
DEFAULT_REGISTER = "cod_register.jsonl"

Entry = Mapping[str, Any]
Document = Mapping[str, Any]

_REMEDY = "restore the file from version control; entries are only ever added"


def digest(value: Any) -> str:
    """SHA-256 of a value in one spelling of JSON: sorted keys, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def forecast_body(document: Document) -> dict[str, Any]:
    """What an entry says of a `cod-forecast/1` document: forecasts, and hashes of the rest."""
    settings = {key: value for key, value in document["settings"].items() if key != "command"}
    return {
        "ladder": document["ladder"]["name"],
        "created": document["created"],
        "forecasts": [
            {key: entry[key] for key in (
                "task", "target", "compute", "method", "mean", "low", "high", "level", "verdict",
            )}
            for entry in document["forecasts"]
        ],
        "tasks": {
            name: {
                "metric": task["metric"], "filter": task["filter"], "samples": task["samples"],
                "questions": task["questions"], **_run_settings(document, name),
            }
            for name, task in document["tasks"].items()
        },
        "hashes": {
            "document": digest(document),
            "ladder": digest(document["ladder"]),
            "settings": digest(settings),
            "rates": document["settings"].get("rates_hash"),
        },
        "versions": document["versions"],
    }  # fmt: skip


def append(path: str | os.PathLike[str], kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Add an entry at the end of a register, which is made if it is missing.

    Args:
        path: the register.
        kind: FORECAST or SCORE.
        body: what the entry says.

    Returns:
        The entry.

    Raises:
        InputError: the file is no register, was changed, or cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            before = read_register(path) if path.exists() and path.stat().st_size else []
            entry: dict[str, Any] = {
                "schema": SCHEMA,
                "entry": len(before) + 1,
                "kind": kind,
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                **body,
                "previous": before[-1]["hash"] if before else None,
            }
            entry["hash"] = digest(entry)
            line = json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"
            with open(path, "ab") as stream:
                stream.write(line.encode("utf-8"))
                stream.flush()
                os.fsync(stream.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    return entry


def read_register(
    path: str | os.PathLike[str], expected: str | None = None
) -> list[dict[str, Any]]:
    """The entries of a register, its chain of hashes checked.

    Args:
        path: the register.
        expected: a hash published earlier, or its beginning, that some entry must have.

    Raises:
        InputError: the file is missing or no register; or an entry was changed, removed, inserted
            or moved, naming the line and the entry.
    """
    path = Path(path)
    entries: list[dict[str, Any]] = []
    previous = None
    for number, line in enumerate(_lines(path), start=1):
        entry = _entry(path, number, line)
        where = f"{path}:{number}: entry {entry['entry']} of {entry.get('date')}"
        kept = {key: value for key, value in entry.items() if key != "hash"}
        if digest(kept) != entry["hash"]:
            raise InputError(f"{where} was changed after it was registered; {_REMEDY}")
        if entry["previous"] != previous or entry["entry"] != number:
            raise InputError(
                f"{where} does not follow the line above it: an entry was removed, inserted or "
                f"moved; {_REMEDY}"
            )
        previous = entry["hash"]
        entries.append(entry)
    if not entries:
        raise InputError(f"{path}: is empty; `cod-harness register FORECAST.json` adds to it")
    if expected and not any(one["hash"].startswith(expected.lower()) for one in entries):
        raise InputError(
            f"{path}: no entry has the hash {expected}: entries were cut off, or all hashes made "
            f"anew; {_REMEDY}"
        )
    return entries


def forecasts_of(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Every registered forecast with the entry that holds it."""
    for entry in entries:
        if entry["kind"] == FORECAST:
            for forecast in entry["forecasts"]:
                yield entry, forecast


def _run_settings(document: Document, task: str) -> dict[str, Any]:
    about = (document["settings"].get("tasks") or {}).get(task) or {}
    keys = ("version", "num_fewshot", "generation_kwargs")
    return {key: about[key] for key in keys if key in about}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such register; `cod-harness register FORECAST.json` makes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a register: {error}") from None


def _entry(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}:{number}: no JSON: {error.msg}; is it what `cod-harness register` wrote? "
            f"If so, {_REMEDY}"
        ) from None
    needed = {"schema", "entry", "kind", "hash", "previous"}
    if not isinstance(entry, dict) or entry.get("schema") != SCHEMA or needed - set(entry):
        raise InputError(
            f"{path}:{number}: is no entry of a {SCHEMA} register; name the file that "
            "`cod-harness register` wrote"
        )
    return entry


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two processes that add at once must not both follow the same entry."""
    try:
        import fcntl
    except ModuleNotFoundError:  # not on this system; one process then
        yield
        return
    with open(path, "ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
