"""Files on disk: written whole or not at all, and found again."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from cod_harness.errors import InputError

PASSRATES_PREFIX = "cod_passrates_"
PASSRATES_SUFFIX = ".parquet"

# Of another machine's: nobody writes one file for so many seconds.
_ABANDONED = 3600.0
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT[\d.-]*?)(?:Z(?:-(\d+))?)?")

Content = bytes | str | Callable[[Path], object]


def date_stamp(moment: datetime | None = None) -> str:
    """A date for file names, in UTC: 2026-01-31T12-59-59.000000Z."""
    moment = (moment or datetime.now()).astimezone(timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z").replace(":", "-")


def stamp_after(taken: Iterable[str]) -> str:
    """A date that sorts, as text, after those taken: the present one, or the last with a counter.

    A clock that was set back, or that of a machine that goes slow, must not make what is written
    now look older than what lies there. Texts that are no dates do not count.
    """
    now, last = date_stamp(), _STAMP.fullmatch(max(filter(_STAMP.fullmatch, taken), default=""))
    if last is None or last[0] < now:
        return now
    return f"{last[1]}Z-{int(last[2] or 0) + 1:04}"


def write_dated(
    folder: str | os.PathLike[str], prefix: str, suffix: str, content: Content, among: Path
) -> Path:
    """Write `<prefix><date><suffix>` into a folder, later by its name than its like under `among`.

    Whole or not at all, and over nothing (see `write_whole`, also for what is raised).
    """
    like = f"{prefix}*{suffix}"
    taken = [path.name[len(prefix) : -len(suffix)] for path in among.rglob(like)]
    while True:
        path = Path(folder) / f"{prefix}{stamp_after(taken)}{suffix}"
        try:
            return write_whole(path, content)
        except AlreadyThere:  # another process, in the same microsecond
            taken.append(path.name[len(prefix) : -len(suffix)])


def newest_of(folder: Path, prefix: str, suffix: str) -> list[Path]:
    """Files of ours in a folder by the dates in their names, newest last."""
    return sorted(folder.glob(f"{prefix}*{suffix}"), key=lambda path: path.name[: -len(suffix)])


class AlreadyThere(InputError):
    """A file of that name exists."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: exists already; name another file or move it away")


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
        InputError: the file exists (`AlreadyThere`), or the place cannot be written.
    """
    path = Path(path)
    try:
        if not overwrite and os.path.lexists(path):
            raise AlreadyThere(path)
        _make_folder(path.parent)
        _clear_abandoned(path.parent)
        with _temporary(path.parent) as temporary:
            _fill(temporary, content)
            _move(temporary, path, overwrite)
    except FileExistsError:
        raise AlreadyThere(path) from None
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def check_file(path: str | os.PathLike[str] | None, *, overwrite: bool = False) -> None:
    """Find out whether `write_whole` could write a file, before hours are spent on its content.

    None and `-`, standard output, are in order. Raises InputError as `write_whole` would.
    """
    if path is None or str(path) == "-":
        return
    path = Path(path)
    try:
        if not overwrite and os.path.lexists(path):
            raise AlreadyThere(path)
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file")
    except OSError as error:
        raise _unwritable(path, error) from error
    check_folder(path.parent, path)


def check_folder(folder: str | os.PathLike[str], whole: Path | None = None) -> None:
    """Find out whether files can be written into a folder, which may be missing yet.

    A small file is written to the nearest folder that is there, and removed.

    whole: what messages are about; the folder if None. Raises InputError.
    """
    folder = Path(folder)
    whole = whole or folder
    place = folder
    try:
        while not place.exists():
            if os.path.lexists(place):
                raise InputError(f"{place}: is a link that leads nowhere; name another output path")
            place = place.parent
        if not place.is_dir():
            raise InputError(f"{place}: is a file, not a folder; name another output path")
        longest = max(
            whole.relative_to(place).parts, key=lambda part: len(os.fsencode(part)), default=""
        )
        if len(os.fsencode(longest)) > os.pathconf(place, "PC_NAME_MAX"):
            raise InputError(f"{whole}: its name is too long for this disk; name another")
        with _temporary(place) as temporary:
            _fill(temporary, bytes(4096))
    except OSError as error:
        raise _unwritable(whole, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written: {error.strerror or error}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{folder}: is a file, not a folder; name another output path") from None
    except NotADirectoryError:
        raise InputError(f"{folder}: lies under a file; name another output path") from None


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """An empty file of a name of its own, locked as long as it is in use, and gone in the end."""
    path, descriptor = _locked_file(folder)
    try:
        yield path
    finally:
        if descriptor is not None:
            os.close(descriptor)
        path.unlink(missing_ok=True)


def _locked_file(folder: Path) -> tuple[Path, int | None]:
    while True:
        path = folder / f".cod_{_host()}.{uuid.uuid4().hex}.tmp"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            if not _lock(descriptor):
                os.close(descriptor)  # Windows moves no file that is open
                return path, None
            if _same(descriptor, path):
                return path, descriptor
        except BlockingIOError:
            pass
        # A process that clears came between making and locking it.
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _clear_abandoned(folder: Path) -> None:
    """Remove temporary files of ours that a writer left behind when it was killed.

    One of this machine is in use as long as it is locked; of others only the age tells.
    """
    for left in folder.glob(".cod_*.tmp"):
        with contextlib.suppress(OSError):  # BlockingIOError among them: in use
            if left.name.startswith(f".cod_{_host()}."):
                descriptor = os.open(left, os.O_RDWR)
                try:
                    if _lock(descriptor):
                        left.unlink()
                        continue
                finally:
                    os.close(descriptor)
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def _host() -> str:
    return file_name(platform.node())


def _lock(descriptor: int) -> bool:
    """Lock a file; False where a disk or system knows no locks. Raises BlockingIOError if taken."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except (ImportError, OSError):
        return False
    return True


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


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
    with open(temporary, "wb") as stream:
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
