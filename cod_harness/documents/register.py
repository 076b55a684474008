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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from cod_harness.documents.reading import Read
from cod_harness.documents.register_file import add_line, content_of, lines_of, locked
from cod_harness.documents.writing import plain
from cod_harness.engine.verdicts import Verdict
from cod_harness.errors import InputError
from cod_harness.evaluation.records.base import (
    Count,
    Fraction,
    Level,
    Name,
    Positive,
    Record,
    Size,
)
from cod_harness.evaluation.records.forecast import Forecasts
from cod_harness.evaluation.records.score import ScoreRow
from cod_harness.parent import uninterrupted

SCHEMA = "cod-register/1"
DEFAULT_REGISTER = "cod_register.jsonl"

_REMEDY = "restore the file from version control; entries are only ever added"


def digest(value: Any) -> str:
    """SHA-256 of a value in one spelling of JSON: sorted keys, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class RegisteredForecast(Record, frozen=True, kw_only=True):
    """What an entry says of one forecast."""

    task: Name
    target: Name
    compute: Positive
    method: Name
    mean: Fraction | None
    low: Fraction | None
    high: Fraction | None
    level: Level
    verdict: Verdict


class RegisteredTask(Record, frozen=True, kw_only=True):
    """What was forecast on a task, and how it was run on the ladder, where that is known."""

    metric: str
    filter: str
    samples: Count | Size
    questions: Count
    version: Any = UNSET
    num_fewshot: Any = UNSET
    generation_kwargs: Any = UNSET

    @property
    def run(self) -> dict[str, Any]:
        """How it was run, as far as that is known."""
        about = {name: getattr(self, name) for name in _RUN_SETTINGS}
        return {name: value for name, value in about.items() if value is not UNSET}


_RUN_SETTINGS = ("version", "num_fewshot", "generation_kwargs")


class Hashes(Record, frozen=True, kw_only=True):
    """Of the whole document and of parts of it, as they lay on disk."""

    document: str
    ladder: str
    settings: str
    rates: str | None


class RegisteredForecasts(Record, frozen=True, kw_only=True):
    """What an entry says of a document of forecasts, and hashes of the rest."""

    ladder: str
    created: str
    forecasts: tuple[RegisteredForecast, ...]
    tasks: dict[str, RegisteredTask]
    hashes: Hashes
    versions: dict[str, str]


class RegisteredScores(Record, frozen=True, kw_only=True):
    """What an entry says of results that came in."""

    scores: tuple[ScoreRow, ...]


Body = RegisteredForecasts | RegisteredScores
_BODIES: dict[str, type[Body]] = {"forecast": RegisteredForecasts, "score": RegisteredScores}
_KINDS = {body: kind for kind, body in _BODIES.items()}
_HEAD = ("schema", "entry", "kind", "date")
_TAIL = ("previous", "hash")


@dataclass(frozen=True)
class Entry:
    """A line of a register.

    Attributes:
        number: of the line, from 1.
        date: when it was added, ISO 8601 with offset.
        previous: hash of the entry before it; None for the first.
        hash: its own, over everything else in it.
        body: what it says.
    """

    number: int
    date: str
    previous: str | None
    hash: str
    body: Body


def registered(read: Read[Forecasts]) -> RegisteredForecasts:
    """What an entry says of a document of forecasts."""
    record, content = read.record, read.content
    settings = {key: value for key, value in content["settings"].items() if key != "command"}
    return RegisteredForecasts(
        ladder=record.ladder.name,
        created=record.created,
        forecasts=tuple(
            RegisteredForecast(
                **{name: getattr(one, name) for name in RegisteredForecast.__struct_fields__}
            )
            for one in record.forecasts
        ),
        tasks={
            name: RegisteredTask(
                metric=task.metric,
                filter=task.filter,
                samples=task.samples,
                questions=task.questions,
                **_run_settings(record, name),
            )
            for name, task in record.tasks.items()
        },
        hashes=Hashes(
            document=digest(content),
            ladder=digest(content["ladder"]),
            settings=digest(settings),
            rates=record.settings.rates_hash or None,
        ),
        versions=record.versions,
    )


def append(path: str | os.PathLike[str], body: Body) -> Entry:
    """Add an entry at the end of a register, which is made if it is missing.

    Args:
        path: the register.
        body: what the entry says.

    Raises:
        InputError: the file is no register, was changed, or cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            senseless = _senseless(body)
            if senseless:
                raise InputError(f"{path}: this cannot be registered: {senseless}")
            before = read_register(path) if path.exists() and path.stat().st_size else []
            entry: dict[str, Any] = {
                "schema": SCHEMA,
                "entry": len(before) + 1,
                "kind": _KINDS[type(body)],
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                **plain(body),
                "previous": before[-1].hash if before else None,
            }
            entry["hash"] = digest(entry)
            add_line(path, entry)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    return Entry(entry["entry"], entry["date"], entry["previous"], entry["hash"], body)


def read_register(path: str | os.PathLike[str], expected: str | None = None) -> list[Entry]:
    """The entries of a register, its chain of hashes checked.

    Args:
        path: the register.
        expected: a hash published earlier, or its beginning, that some entry must have.

    Raises:
        InputError: the file is missing or no register; or an entry was changed, removed, inserted
            or moved, naming the line and the entry.
    """
    path = Path(path)
    entries: list[Entry] = []
    previous = None
    for number, line in enumerate(lines_of(path), start=1):
        content = _content(path, number, line)
        where = f"{path}:{number}: entry {content['entry']} of {content.get('date')}"
        kept = {key: value for key, value in content.items() if key != "hash"}
        if digest(kept) != content["hash"]:
            raise InputError(f"{where} was changed after it was registered; {_REMEDY}")
        if content["previous"] != previous or content["entry"] != number:
            raise InputError(
                f"{where} does not follow the line above it: an entry was removed, inserted or "
                f"moved; {_REMEDY}"
            )
        previous = content["hash"]
        if not _is_moment(content["date"]):
            raise InputError(f"{where} makes no sense: its date is none; {_REMEDY}")
        body = _body(where, content)
        entries.append(Entry(number, content["date"], content["previous"], previous, body))
    if not entries:
        raise InputError(f"{path}: is empty; `cod-harness register FORECAST.json` adds to it")
    if expected and not any(one.hash.startswith(expected.lower()) for one in entries):
        raise InputError(
            f"{path}: no entry has the hash {expected}: entries were cut off, or all hashes made "
            f"anew; {_REMEDY}"
        )
    return entries


def forecasts_of(
    entries: Sequence[Entry],
) -> Iterator[tuple[Entry, RegisteredForecasts, RegisteredForecast]]:
    """Every registered forecast with the entry that holds it, and what that says."""
    for entry in entries:
        if isinstance(entry.body, RegisteredForecasts):
            for forecast in entry.body.forecasts:
                yield entry, entry.body, forecast


def says(entry: Entry, body: RegisteredForecasts) -> bool:
    """Whether an entry is of the very document that a body is of."""
    return (
        isinstance(entry.body, RegisteredForecasts)
        and entry.body.hashes.document == body.hashes.document
    )


def _body(where: str, content: dict[str, Any]) -> Body:
    """What an entry says."""
    said = {key: value for key, value in content.items() if key not in (*_HEAD, *_TAIL)}
    try:
        with uninterrupted():
            body = msgspec.convert(said, _BODIES[content["kind"]])
    except (KeyError, TypeError, OverflowError, msgspec.ValidationError) as error:
        raise InputError(
            f"{where} is of no kind known here ({content['kind']}: {error}); read it with the "
            "version of cod-harness that wrote it"
        ) from None
    senseless = _senseless(body)
    if senseless:
        raise InputError(f"{where} makes no sense: {senseless}; {_REMEDY}")
    return body


def _is_moment(text: Any) -> bool:
    """Whether a text is a date with its offset from UTC, as results' dates are compared with it."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _senseless(body: Body) -> str:
    """What contradicts itself in an entry; empty where nothing does."""
    if isinstance(body, RegisteredScores):
        return ""
    for one in body.forecasts:
        numbers = (one.mean, one.low, one.high)
        if one.task not in body.tasks:
            return f"forecasts {one.task}, which is not among its tasks"
        if (one.verdict == "abstain") != (one.mean is None):
            return f"{one.task}: its verdict is {one.verdict}, its forecast {one.mean}"
        if any(number is None for number in numbers) != all(number is None for number in numbers):
            return f"{one.task}: has a part of an interval only"
        if one.mean is None or one.low is None or one.high is None:
            continue
        if not one.low <= one.mean <= one.high:
            return f"{one.task}: its forecast {one.mean} is not in {one.low} to {one.high}"
    return ""


def _run_settings(record: Forecasts, task: str) -> dict[str, Any]:
    about = record.settings.tasks.get(task) or {}
    return {key: about[key] for key in _RUN_SETTINGS if key in about}


def _content(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        content = content_of(line)
    except ValueError as error:
        what = f"no JSON: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(
            f"{path}:{number}: {what}; is it what `cod-harness register` wrote? If so, {_REMEDY}"
        ) from None
    needed = {*_HEAD, *_TAIL}
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or needed - set(content):
        raise InputError(
            f"{path}:{number}: is no entry of a {SCHEMA} register; name the file that "
            "`cod-harness register` wrote"
        )
    return content
