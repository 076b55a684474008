from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cod_harness.errors import InputError
from cod_harness.ladder import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [b"abc", "abc", lambda path: path.write_bytes(b"abc")])
def test_writes_the_whole_content(tmp_path: Path, content: files.Content) -> None:
    path = files.write_whole(tmp_path / "new" / "file.bin", content)
    assert path.read_bytes() == b"abc"
    assert names(path.parent) == ["file.bin"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_failing_writer_leaves_nothing(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        files.write_whole(tmp_path / "file", half)
    assert names(tmp_path) == []


def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        files.write_whole(path, "yours")
    with pytest.raises(InputError, match="exists already"):
        files.write_whole(path, lambda _: pytest.fail("hours are spent on what is not kept"))
    assert path.read_text() == "mine"
    files.write_whole(path, "yours", overwrite=True)
    assert path.read_text() == "yours"


def test_a_file_made_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def slow(temporary: Path) -> None:
        temporary.write_text("second")
        path.write_text("first")

    with pytest.raises(InputError, match="exists already"):
        files.write_whole(path, slow)
    assert path.read_text() == "first"
    assert names(tmp_path) == ["file"]


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: Path, target: Path) -> None:
        raise OSError(1, "not permitted")

    monkeypatch.setattr(os, "link", no_link)
    files.write_whole(tmp_path / "file", "text")
    assert names(tmp_path) == ["file"]


def test_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_lock", lambda descriptor: False)
    files.write_whole(tmp_path / "file", "text")
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "text"


def test_two_writers_one_folder(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            files.write_whole(tmp_path / f"{number}-{turn}", f"{number}" * 1000)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(tmp_path)) == 40
    assert all(path.stat().st_size == 1000 for path in tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file, not a folder"):
        files.write_whole(tmp_path / "file" / "x", "text")
    with pytest.raises(InputError):
        files.write_whole(tmp_path / ("x" * 300), "text")


def test_finds_pass_rate_files_oldest_first(tmp_path: Path) -> None:
    stamps = [
        "2025-01-02T00-00-00",
        "2025-01-02T00-00-00.5",
        files.date_stamp(datetime(2025, 1, 1, 12, 30, tzinfo=timezone.utc)),
    ]
    for folder, stamp in zip(("a", "b/c", "z"), stamps, strict=True):
        files.write_whole(tmp_path / folder / f"cod_passrates_{stamp}.parquet", "")
    (tmp_path / "a" / f".cod_passrates_{stamps[0]}.parquet.123.tmp").write_text("")
    (tmp_path / "a" / "cod_forecast_2025.json").write_text("")
    found = files.passrate_files(tmp_path)
    assert [files.file_date(path) for path in found] == [stamps[2], stamps[0], stamps[1]]
    assert stamps[2] == "2025-01-01T12-30-00.000000Z"
    assert files.file_date(Path("rates.parquet")) == ""
    assert files.file_date(Path("rates_of_another_program.parquet")) == ""


def test_dates_are_of_one_clock() -> None:
    east = datetime(2025, 1, 1, 20, 30, tzinfo=timezone(timedelta(hours=8)))
    assert files.date_stamp(east) == "2025-01-01T12-30-00.000000Z"


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (["2999-01-01T00-00-00.000000Z"], "2999-01-01T00-00-00.000000Z-0001"),
        (["2999-01-01T00-00-00.000000Z-0001"], "2999-01-01T00-00-00.000000Z-0002"),
        (["2999-01-01T00-00-00.5", "2998-01-01T00-00-00.0Z-0007"], "2999-01-01T00-00-00.5Z-0001"),
        (["2999-01-01T00-00-00"], "2999-01-01T00-00-00Z-0001"),
    ],
)
def test_a_clock_set_back_comes_later_all_the_same(taken: list[str], expected: str) -> None:
    assert files.stamp_after(taken) == expected
    assert all(expected > one for one in taken)


def test_what_lies_in_the_past_or_is_no_date_does_not_count() -> None:
    for taken in ([], ["2001-01-01T00-00-00.000000Z"], ["whatever", "9", "2999-01-01Tmine"]):
        assert files.stamp_after(taken).startswith(str(datetime.now(timezone.utc).year))


def test_dated_files_are_later_than_all_under_the_folder(tmp_path: Path) -> None:
    early = tmp_path / "a" / "cod_x_2999-01-01T00-00-00.000000Z.txt"
    files.write_whole(early, "")
    made = [files.write_dated(tmp_path / "b", "cod_x_", ".txt", "", tmp_path) for _ in range(12)]
    assert len(set(made)) == 12
    assert files.newest_of(tmp_path / "b", "cod_x_", ".txt") == made
    assert made[-1].name == "cod_x_2999-01-01T00-00-00.000000Z-0012.txt"


def test_two_writers_of_one_moment_both_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "date_stamp", lambda: "2026-01-01T00-00-00.000000Z")
    real, first = files.write_whole, []

    def late(path: Path, content: files.Content) -> Path:
        if not first:  # another process is quicker
            first.append(real(path, "first"))
        return real(path, content)

    monkeypatch.setattr(files, "write_whole", late)
    second = files.write_dated(tmp_path, "x_", ".txt", "second", tmp_path)
    assert first[0].read_text() == "first" and second.read_text() == "second"


WRITER = """
import sys, time
from pathlib import Path
from cod_harness.ladder.files import write_whole
def slow(path):
    path.write_text("half")
    print(path, flush=True)
    time.sleep(60)
write_whole(Path(sys.argv[1]) / "cod_x", slow)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks of this kind")
def test_the_next_writer_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    words = [sys.executable, "-c", WRITER, str(tmp_path)]
    writer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    left = Path(writer.stdout.readline().strip())
    files.write_whole(tmp_path / "cod_y", "")
    assert left.exists()  # it is being written
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert left.exists()
    files.write_whole(tmp_path / "cod_z", "")
    assert names(tmp_path) == ["cod_y", "cod_z"]


def test_of_other_machines_only_the_age_tells(tmp_path: Path) -> None:
    left = tmp_path / ".cod_elsewhere.0.tmp"
    left.write_text("")
    files.write_whole(tmp_path / "a", "")
    assert left.exists()
    for age in (3500, 3700):  # an hour
        os.utime(left, (time.time() - age,) * 2)
        files.write_whole(tmp_path / f"b{age}", "")
        assert left.exists() == (age < 3600)


def test_places_are_tried_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    files.check_file(None)
    files.check_file("-")
    files.check_file(tmp_path / "new" / "folder" / "f.json")
    files.check_folder(tmp_path / "new" / "folder")
    refused = ["file", "file/f.json", "loop", "loop/f.json", "nowhere/x/f.json", "x" * 300, ""]
    refused += ["x" * 300 + "/f.json"]
    for name in refused:
        with pytest.raises(InputError) as problem:
            files.check_file(tmp_path / name)
        assert "\n" not in str(problem.value)
    assert names(tmp_path) == ["file", "loop", "nowhere"]
    files.check_file(tmp_path / "file", overwrite=True)
    with pytest.raises(InputError, match="is a folder; name a file"):
        files.check_file(tmp_path, overwrite=True)


@pytest.mark.skipif(sys.platform != "linux", reason="rights of Linux")
def test_missing_rights_are_found_before_the_work(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom cod_harness.ladder import files\n"
        "os.getuid() or os.setuid(65534)\n"  # nobody
        "try: files.check_file(sys.argv[1])\nexcept Exception as e: print(type(e).__name__, e)"
    )
    (tmp_path / "mine").mkdir(mode=0o500)
    for name in ("mine/f", "mine/new/f"):
        words = [sys.executable, "-c", code, str(tmp_path / name)]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert said.startswith("InputError") and "Permission denied" in said


@pytest.mark.skipif(sys.platform != "linux", reason="a folder of Linux")
def test_no_file_stays_open(tmp_path: Path) -> None:
    files.write_whole(tmp_path / "first", "text")  # what is opened once for all is open now
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in "abcde":
        files.write_whole(tmp_path / name, "text")
        files.check_folder(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
