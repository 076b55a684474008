"""Locks on files, which end with the process that holds them, however it ends."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.messages import detail

# What file systems answer that know no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)


def locked(path: Path, patience: float = 0.0) -> int | None:
    """An open descriptor that holds the lock; None if another process has it.

    The lock ends when every process has closed the descriptor, children that were given it too.
    patience: seconds to go on trying.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError as error:
            if error.errno in _NO_LOCKS:
                detail(f"{path}: no locks on this file system")
                return descriptor
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.05)


def note(descriptor: int, holder: Mapping[str, Any]) -> None:
    """Write into a lock's file who holds it."""
    text = json.dumps({"host": socket.gethostname(), **holder}).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def holder(path: Path) -> dict[str, Any]:
    """What the holder of a lock wrote into its file; empty if nothing readable stands there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def held(path: Path) -> bool:
    """Whether some process holds the lock."""
    if not path.exists():
        return False
    descriptor = locked(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def one_driver(path: Path, output: Path) -> Iterator[None]:
    """Inside the `with` block no other process drives the ladder of that output folder.

    Raises InputError where one does already.
    """
    descriptor = locked(path)
    if descriptor is None:
        by = holder(path)
        raise InputError(
            f"{output}: process {by.get('pid', '?')} on {by.get('host', '?')} runs a ladder into "
            f"this folder; see `cod-harness status {output}`, or end it with "
            f"`cod-harness cancel {output}`"
        )
    try:
        note(descriptor, {"pid": os.getpid()})
        yield
    finally:
        os.close(descriptor)


def released(path: Path, patience: float) -> bool:
    """Wait until no process holds the lock, `patience` seconds at the most; whether none does."""
    descriptor = locked(path, patience)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None
