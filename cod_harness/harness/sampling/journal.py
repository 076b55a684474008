"""Sampled responses on disk as they arrive, so that a killed run goes on where it stopped.

The harness's own `--use_cache` leaves sampled responses out. A journal is a file of lines, one
record each: a prompt and generation settings (hashed), and responses to them. A process killed
in the middle of a line leaves a line without an end, which the next run drops.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.messages import say

JOURNAL_FOLDER = "cod_journal"
_SCHEMA = "cod-journal/1"
Key = tuple[str, str]  # hash of the prompt, hash of the generation settings


def key_of(prompt: Any, settings: Mapping[str, Any]) -> Key:
    """What a response belongs to; equal prompts under equal settings may share responses."""
    text = prompt if isinstance(prompt, str) else getattr(prompt, "prompt", None) or repr(prompt)
    return _digest(text), _digest(json.dumps(settings, sort_keys=True, default=repr))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Journal:
    """The responses of one run of one model, in one file.

    `taken` hands out what an earlier attempt recorded, `add` keeps what arrives now, `remove`
    ends the file's life.
    """

    def __init__(
        self, folder: Path, rung: str, checkpoint: str, request: Mapping[str, Any], rank: int
    ) -> None:
        """Open or create the file. Raises InputError where another process writes it.

        folder: the output folder. request: what the run measures, and by what model. rank: of
        this process among those that share the questions.
        """
        about = {"rung": rung, "checkpoint": checkpoint, **request, "rank": rank}
        name = re.sub(r"[^A-Za-z0-9._@-]+", "_", f"{rung}@{checkpoint}" if checkpoint else rung)
        digest = _digest(json.dumps(about, sort_keys=True))[:8]
        self.path = folder / JOURNAL_FOLDER / f"{name}.{digest}.jsonl"
        self.recorded = 0  # responses found
        self._found: dict[Key, list[str]] = defaultdict(list)
        self._file: int | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _lock(self._file, self.path)
            header = {"schema": _SCHEMA, **about}
            size = self._read(json.loads(json.dumps(header)))
            os.ftruncate(self._file, size)
            if size == 0:
                self._write(header)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); give another --output_path, "
                "or --cod-no-journal"
            ) from error

    def _read(self, header: Mapping[str, Any]) -> int:
        """Take the whole records in; the length of the file up to the last of them."""
        whole = 0
        with open(self.path, "rb") as lines:
            for number, line in enumerate(lines):
                try:
                    if not line.endswith(b"\n"):
                        break
                    record = json.loads(line)
                    if number == 0:
                        if record != header:
                            return 0  # of another version: begun anew
                    else:
                        self._found[record["p"], record["g"]] += record["s"]
                        self.recorded += len(record["s"])
                except (ValueError, KeyError, TypeError):
                    break
                whole += len(line)
        return whole

    def held(self, key: Key) -> int:
        """How many recorded responses are left to hand out."""
        return len(self._found.get(key, []))

    def taken(self, key: Key, most: int) -> list[str]:
        """Up to so many of the recorded responses, each handed out once."""
        found = self._found.get(key, [])
        self._found[key] = found[most:]
        return found[:most]

    def add(self, key: Key, responses: Sequence[str]) -> None:
        """Keep responses. A full disk ends the journal, not the run."""
        if self._file is None:
            return
        try:
            self._write({"p": key[0], "g": key[1], "s": list(responses)})
        except OSError as error:
            say(f"{self.path}: {error.strerror}; responses are no longer kept as they arrive")
            self.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        assert self._file is not None
        # One call: a signal finds the record written, or at most its beginning.
        line = (json.dumps(record) + "\n").encode()
        while line:
            line = line[os.write(self._file, line) :]

    def close(self) -> None:
        """Leave the file for the next attempt."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def remove(self) -> None:
        """The results are written: the file has served."""
        self.close()
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others' journals are in it
            self.path.parent.rmdir()


def _lock(file: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise InputError(
            f"{path}: another process is making this very run; wait for it, or give another "
            "--output_path"
        ) from None
    except OSError:  # a file system without locks
        return
