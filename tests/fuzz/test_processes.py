"""Whole commands where a machine fails them: full disks, closed streams, missing rights, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest

from cod_harness.harness.campaign.records import SCHEMA

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="devices and rights of Linux"),
    pytest.mark.slow,
]
PYTHON = [sys.executable, "-m", "cod_harness"]

# Each command that writes a file, with what `NEW` and the others stand for in `given`.
WRITING = {
    "forecast": "forecast OUT --ladder LADDER --method exp --json NEW",
    "clusters": "forecast OUT --ladder LADDER --json - --save-clusters NEW",
    "backtest": "backtest OUT --ladder LADDER --method exp --jobs 1 --json NEW",
    "ablate": "ablate OUT --ladder LADDER --what law --json NEW",
    "ingest": "ingest OUT --ladder LADDER -o NEW",
    "init": "init RUNS -o NEW",
    "plan": "plan LADDER --tasks cod_gsm8k --json NEW",
    "report": "report DOCUMENT -o NEW",
    "markdown": "report DOCUMENT --markdown NEW",
    "pictures": "report DOCUMENT --markdown - --svg NEW",
    "register": "register DOCUMENT -r NEW",
    "score": "score REGISTER RESULTS --json NEW",
    "ladder": "ladder LADDER --tasks t --output_path NEW",
    "demo": "demo --output_path NEW",
    "run": "run --model dummy --tasks t --output_path NEW --cod LADDER",
}


def given(line: str, folder: Path, new: Path) -> list[str]:
    """The words of a line, with everything that it reads made in the folder."""
    places = {
        "OUT": hostile.out_folder(folder), "LADDER": hostile.ladder_file(folder), "NEW": new,
        "DOCUMENT": folder / "forecast.json", "REGISTER": folder / "register",
        "RUNS": folder / "runs", "RESULTS": folder / "runs",
    }  # fmt: skip
    places["DOCUMENT"].write_text(hostile.documents()["forecast"])
    places["REGISTER"].write_text(hostile.documents()["register"])
    places["RUNS"].mkdir(exist_ok=True)
    (places["RUNS"] / "results_1.json").write_bytes(hostile.spelt(hostile.results()))
    return [str(places.get(word, word)) for word in line.split()]


@pytest.mark.parametrize("line", WRITING.values(), ids=WRITING)
@pytest.mark.parametrize("place", ["sealed/new", "file/new"])
def test_what_cannot_be_written_is_refused_before_any_work(
    line: str, place: str, tmp_path: Path
) -> None:
    """In a process without root's right to write everywhere."""
    (tmp_path / "sealed").mkdir(mode=0o555)
    (tmp_path / "file").write_text("mine")
    words = given(line, tmp_path, tmp_path / place)
    before = hostile.contents(tmp_path)
    code = (
        "import os, sys, time\n"
        "import cod_harness.evaluation.forecasts as f, cod_harness.harness.ingest.ingest as i\n"
        "import cod_harness.report.page.page as p, cod_harness.harness.campaign.driver as d\n"
        "f.forecast_ladder = i.ingest = p.page = d.execute = lambda *a, **k: 1 / 0\n"
        "from cod_harness.cli import main\n"
        "import ctypes\n"
        "head, caps = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "ctypes.CDLL(None).capget(head, caps)\n"
        "caps[0] &= ~0b110\n"  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        "ctypes.CDLL(None).capset(head, caps)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd="/", check=False
    )
    told = [line for line in done.stderr.splitlines() if not line.startswith("cod-harness: re")]
    assert done.returncode == 2, done.stderr
    assert len(told) == 1 or words[0] in ("demo", "run"), done.stderr
    assert "Traceback" not in done.stderr and not done.stdout
    assert hostile.contents(tmp_path) == before


@pytest.mark.parametrize(
    "line", [line for name, line in WRITING.items() if name not in ("run", "demo", "ladder")]
)
@pytest.mark.parametrize("streams", [">/dev/full", ">&- 2>&-", "| true"])
def test_files_are_written_whatever_becomes_of_the_terminal(
    line: str, streams: str, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    words = given(line, tmp_path, new)
    shell = f'"$@" {streams}; exit ${{PIPESTATUS[0]}}'
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        ["bash", "-c", shell, "bash", *PYTHON, *words], capture_output=True, text=True,
        env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if streams == ">/dev/full" and _prints(line) else 0), done.stderr
    assert new.exists() and "Traceback" not in done.stderr


def _prints(line: str) -> bool:
    """Whether anything goes to standard output."""
    return not line.startswith("report DOCUMENT -o") and "--markdown NEW" not in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, full but for a block."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> None:
    """Leave no room on it."""
    filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(filler, b"x" * 4096)
    os.close(filler)


@pytest.mark.parametrize("line", WRITING.values(), ids=WRITING)
def test_a_full_disk(line: str, small_disk: Path, tmp_path: Path) -> None:
    """One line, nothing half written, nothing lost."""
    home = tmp_path / "home"
    home.mkdir()
    words = given(line, home, small_disk / "new")
    if line.startswith("register"):
        (small_disk / "new").write_text(hostile.documents()["register"])
        words.append("--again")
    fill(small_disk)
    before = hostile.contents(tmp_path)
    done = subprocess.run([*PYTHON, *words], capture_output=True, text=True, cwd=home, check=False)
    if line.startswith("register") and done.returncode == 0:
        return  # its last block had room for one more entry
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
    after = hostile.contents(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in set(after) - set(before) if "lock" not in name]


@pytest.mark.parametrize(
    "line",
    [
        "check LADDER OUT",
        "status OUT",
        "tasks",
        "completion bash",
        "forecast OUT --ladder LADDER --method exp --json -",
        "plan LADDER --tasks cod_gsm8k --json -",
        "report DOCUMENT --markdown -",
    ],
)
def test_a_full_disk_stops_nothing_that_only_prints(
    line: str, small_disk: Path, tmp_path: Path
) -> None:
    """Started there, with temporary files and a home there too."""
    home = tmp_path / "home"
    home.mkdir()
    words = given(line, home, small_disk / "new")
    if line == "status OUT":
        (home / "out" / "cod_jobs").mkdir()
        job = {"name": "m0", "rung": "m0", "checkpoint": "", "tasks": ["t"], "part": "",
               "state": "done", "command": ["true"], "log": "l", "words": "",
               "tries": 1}  # fmt: skip
        engine = {"executor": "local", "options": {}}
        content = {"schema": SCHEMA, "ladder": "l", "repeats": 1, "engine": engine, "jobs": [job]}
        (home / "out" / "cod_jobs" / "campaign.json").write_text(json.dumps(content))
    fill(small_disk)
    before = hostile.contents(tmp_path)
    there = {name: str(small_disk) for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [*PYTHON, *words], capture_output=True, text=True, cwd=small_disk, check=False,
        env={**os.environ, **there},
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    assert hostile.contents(tmp_path) == before


INTERRUPTED = {name: line for name, line in WRITING.items() if name not in ("run",)}


@pytest.mark.parametrize("line", INTERRUPTED.values(), ids=INTERRUPTED)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_from_outside(line: str, number: int, tmp_path: Path) -> None:
    """One line, whenever it comes; nothing half written, and a register that still reads."""
    words = given(line, tmp_path, tmp_path / "new")
    before = hostile.contents(tmp_path)
    for wait in (0.6, 1.4):
        process = subprocess.Popen(
            [*PYTHON, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=tmp_path, start_new_session=True,
            # A shell that starts these tests in the background has it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip
        time.sleep(wait)
        process.send_signal(number)
        _, told = process.communicate(timeout=600)
        if process.returncode in (-number, 0, 2):  # Python itself was still starting, or through
            continue
        assert process.returncode in (128 + number, 130), told
        assert "Traceback" not in told
    after = hostile.contents(tmp_path)
    grown = [name for name in before if after.get(name) != before[name]]
    assert not grown or (words[0] == "score" and grown == [str(tmp_path / "register")])
    assert not [name for name in after if name.endswith(".tmp")]
