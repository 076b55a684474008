from __future__ import annotations

import os
import threading
from datetime import datetime
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
        files.date_stamp(datetime(2025, 1, 1, 12, 30)),
    ]
    for folder, stamp in zip(("a", "b/c", "z"), stamps, strict=True):
        files.write_whole(tmp_path / folder / f"cod_passrates_{stamp}.parquet", "")
    (tmp_path / "a" / f".cod_passrates_{stamps[0]}.parquet.123.tmp").write_text("")
    (tmp_path / "a" / "cod_forecast_2025.json").write_text("")
    found = files.passrate_files(tmp_path)
    assert [files.file_date(path) for path in found] == [stamps[2], stamps[0], stamps[1]]
    assert stamps[2] == "2025-01-01T12-30-00"
    assert files.file_date(Path("rates.parquet")) == ""
