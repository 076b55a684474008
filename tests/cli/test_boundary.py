"""One boundary for all commands: whatever happens inside, a line and a status come out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cod_harness.cli as cli
from cod_harness.errors import InputError
from cod_harness.harness.campaign.jobs import COMMAND
from cod_harness.parent import PARENT, Ended, ended_like_interrupted, uninterrupted


def _raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "_main_of", lambda _: fail)


@pytest.mark.parametrize("command", cli.COMMANDS)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("that is wrong"), 2),
        (KeyboardInterrupt(), 130),
        (RecursionError("too deep"), 1),
        (OSError(28, "No space left on device"), 1),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 1),
        (MemoryError(), 1),
        (ZeroDivisionError("division\nby zero"), 1),
    ],
)
def test_every_command_ends_in_a_line(
    command: str,
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _raising(error, monkeypatch)
    assert cli.main([command]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert "Traceback" not in printed.err
    traces = list(tmp_path.iterdir())
    assert len(traces) == (status == 1)
    if traces:
        assert str(traces[0]) in printed.err
        assert "Traceback" in traces[0].read_text()


def test_no_place_for_the_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    _raising(ZeroDivisionError("x"), monkeypatch)
    assert cli.main(["forecast"]) == 1
    assert "trace to report: above" in capsys.readouterr().err


def _run(words: str, **more: object) -> subprocess.CompletedProcess[str]:
    # PIPESTATUS: bash alone has it
    return subprocess.run(
        ["bash", "-c", words], capture_output=True, text=True, check=False, **more  # type: ignore
    )  # fmt: skip


PYTHON = f"{sys.executable} -m cod_harness"


def test_a_reader_that_has_gone() -> None:
    done = _run(f"{PYTHON} --help | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_standard_output() -> None:
    done = _run(f"{PYTHON} --help >/dev/full")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "No space left" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(closed: str) -> None:
    assert _run(f"{PYTHON} --help {closed}").returncode == 0
    wrong = _run(f"{PYTHON} nonsense {closed}")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_letters_that_a_terminal_lacks(tmp_path: Path) -> None:
    code = "from cod_harness.streams import patient_streams\nwith patient_streams(): print('é', 1)"
    done = _run(f'{sys.executable} -c "{code}"', env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (0, "\\xe9 1\n")


def test_children_import_nothing_from_the_working_folder(tmp_path: Path) -> None:
    for name in ("yaml", "numpy", "argparse", "cod_harness"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    done = subprocess.run(
        [*COMMAND, "check-nothing"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert not (tmp_path / "mark").exists()
    control = subprocess.run(
        [sys.executable, "-m", "cod_harness"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (tmp_path / "mark").exists(), control


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def _pid_in(path: Path) -> int:
    for _ in range(2400):  # two minutes: a machine may have much else to do
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


# Of a process started by `nohup`, children ignore SIGHUP; here they are to end by it.
HEEDED = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is Linux's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_rung_processes_end_with_the_ladder(number: int, tmp_path: Path) -> None:
    child = (
        "import os, time, sys\nfrom cod_harness.parent import end_with_parent_named\n"
        f"end_with_parent_named()\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    parent = (
        "import os, sys, time, subprocess\n"
        f"environment = {{**os.environ, {PARENT!r}: str(os.getpid())}}\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}], env=environment, "
        "start_new_session=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", HEEDED + parent], cwd=tmp_path)
    pid = _pid_in(tmp_path / "pid")
    process.send_signal(number)
    assert process.wait(30) == -number
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is Linux's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_forked_workers_end_with_their_parent(number: int, tmp_path: Path) -> None:
    code = (
        "import os, time\nfrom cod_harness.harness.forked import *\n"
        "from cod_harness.harness import forked\n"
        "def work(at):\n"
        f"    open({str(tmp_path)!r} + f'/pid{{at}}', 'w').write(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "run = next(v for k, v in vars(forked).items() if callable(v) and not k.startswith('_') "
        "and 'chunks' in getattr(getattr(v, '__code__', None), 'co_varnames', ()))\n"
        "list(run(work, [[0], [1]], 2))"
    )
    process = subprocess.Popen([sys.executable, "-c", HEEDED + code])
    pids = [_pid_in(tmp_path / "pid0"), _pid_in(tmp_path / "pid1")]
    process.send_signal(number)
    assert process.wait(30) == -number
    deadline = time.monotonic() + 5
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, pids))


# A command with two workers, each of which would take minutes over what it has. `spawn` wants what
# it is to do from a module.
BUSY = """
import os, sys, time
import cod_harness.cli as cli
from busy_work import busy
def command(words):
    if words == ["fork"]:
        from cod_harness.harness.forked import forked
        list(forked(busy, [[0], [1]], 2))
    else:
        from cod_harness.parent import pool
        with pool(2, "spawn") as workers:
            list(workers.map(busy, range(2)))
if __name__ == "__main__":
    cli._main_of = lambda _: command
    sys.exit(cli.main(["forecast", sys.argv[1]]))
"""
BUSY_WORK = """
import os, time
def busy(at):
    with open(f"pid{at}", "w") as file:
        file.write(str(os.getpid()))
    time.sleep(300)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", ["fork", "spawn"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("all_of_them", [False, True], ids=["the command", "its group"])
def test_workers_end_with_a_command_that_is_asked_to(
    how: str, number: int, all_of_them: bool, tmp_path: Path
) -> None:
    """At once, whatever they are at, and without a word: a terminal's Ctrl-C reaches them too."""
    (tmp_path / "busy_main.py").write_text(BUSY)
    (tmp_path / "busy_work.py").write_text(BUSY_WORK)
    process = subprocess.Popen(
        [sys.executable, "busy_main.py", how], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=_interruptible,  # noqa: PLW1509
    )  # fmt: skip
    pids = [_pid_in(tmp_path / "pid0"), _pid_in(tmp_path / "pid1")]
    (os.killpg if all_of_them else os.kill)(process.pid, number)
    try:
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (128 + number, 130)
    assert told.strip() == "cod-harness: stopped"
    deadline = time.monotonic() + 5
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, pids))


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell in the background has it ignored


def test_terminated_like_interrupted(tmp_path: Path) -> None:
    code = (
        "import cod_harness.cli as cli, time, sys\n"
        "def slow(_):\n    print('begun', flush=True)\n    time.sleep(60)\n"
        "cli._main_of = lambda _: slow\nsys.exit(cli.main(['forecast']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    assert process.wait(120) == 128 + signal.SIGTERM
    assert process.stderr.read().strip() == "cod-harness: stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_compiled_code(number: int) -> None:
    """An exception in a call back from compiled code can crash the interpreter."""
    through = False

    def work() -> None:
        nonlocal through
        with ended_like_interrupted(), uninterrupted():
            signal.raise_signal(number)
            through = True

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt) as stop:
        work()
    signal.signal(signal.SIGINT, before)
    assert through
    assert isinstance(stop.value, Ended) == (number == signal.SIGTERM)


class Late:
    """Ends the command while it is thrown away: what is raised there goes nowhere."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_finalizer_is_not_lost(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: object) -> int:
        Late(number)
        time.sleep(30)
        return 0

    monkeypatch.setattr(cli, "_main_of", lambda _: command)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert cli.main(["forecast"]) == 128 + number
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "\ncod-harness: stopped\n"


def test_documents_are_read_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    through = []

    def convert(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        through.append(True)

    monkeypatch.setattr("msgspec.convert", convert)
    path = tmp_path / "f.json"
    path.write_text('{"schema": "cod-forecast/1"}')
    assert cli.main(["report", str(path), "--markdown", "-"]) == 128 + signal.SIGTERM
    assert through and capsys.readouterr().err.strip() == "cod-harness: stopped"
