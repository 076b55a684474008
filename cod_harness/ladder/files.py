"""Files on disk: written whole or not at all, and found again."""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cod_harness.errors import InputError

PASSRATES_PREFIX = "cod_passrates_"
PASSRATES_SUFFIX = ".parquet"

# Nobody writes one file for so many seconds.
_ABANDONED = 3600.0

Content = bytes | str | Callable[[Path], object]


def date_stamp(moment: datetime | None = None) -> str:
    """A date for file names, in the form of lm-eval's own (`:` becomes `-`)."""
    return (moment or datetime.now()).isoformat().replace(":", "-")


def write_whole(path: str | os.PathLike[str], content: Content, *, overwrite: bool = False) -> Path:
    """Write a file so that others see all of it or nothing.

    The content goes to a temporary file of a name of its own in the same folder, is flushed to
    disk and moved into place; two processes may write into one folder. Missing folders are made.

    Args:
        path: the file to write.
        content: bytes, text (UTF-8), or a function that writes the path it is given.
        overwrite: replace a file that is already there. Without it that is an error, also when
            another process makes the file meanwhile.

    Returns:
        `path`.

    Raises:
        InputError: the file exists, or the place cannot be written.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        if not overwrite and path.exists():
            raise FileExistsError
        _make_folder(path.parent)
        _clear_abandoned(path.parent)
        try:
            _fill(temporary, content)
            _move(temporary, path, overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise InputError(f"{path}: exists already; name another file or move it away") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{folder}: is a file, not a folder; name another output path") from None


def _clear_abandoned(folder: Path) -> None:
    """Remove temporary files of ours that a writer left behind when it was killed, long ago."""
    for left in folder.glob(".cod_*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def _fill(temporary: Path, content: Content) -> None:
    if callable(content):
        content(temporary)
        descriptor = os.open(temporary, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return
    data = content.encode("utf-8") if isinstance(content, str) else content
    with open(temporary, "xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _move(temporary: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, path)
    else:
        try:
            # A hard link fails if the name is taken, which a rename does not.
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # no hard links on this file system
            if path.exists():
                raise FileExistsError from None
            os.replace(temporary, path)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # not possible on every system; the file itself is safe
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def file_name(name: str) -> str:
    """A name of a rung, a task or a checkpoint as a file can have it."""
    return re.sub(r"[^A-Za-z0-9._@-]+", "_", name)


def passrate_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Our pass-rate files anywhere under an output folder, oldest first.

    Order is by the date in the name, then by path. Temporary files are not listed.
    """
    found = Path(folder).rglob(f"{PASSRATES_PREFIX}*{PASSRATES_SUFFIX}")
    return sorted((path for path in found if path.is_file()), key=lambda p: (file_date(p), str(p)))


def file_date(path: Path) -> str:
    """The date in the name of a pass-rate file, as text that sorts by time; "" if none."""
    if not path.name.startswith(PASSRATES_PREFIX):
        return ""
    return path.name[len(PASSRATES_PREFIX) : -len(PASSRATES_SUFFIX)]
