"""Programs that mean harm: what SECURITY.md says of each kind of sandbox, line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cod_harness.harness.scoring import sandbox
from cod_harness.harness.scoring.programs import passes
from cod_harness.harness.scoring.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")

KINDS = ("bubblewrap", "limits", "limits without the hook", "bubblewrap without the hook")


@pytest.fixture(params=KINDS)
def box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    name, _, without = str(request.param).partition(" ")
    made = sandbox.bubblewrap() if name == "bubblewrap" else sandbox.limits()
    if made is None:
        pytest.skip("no bubblewrap here")
    if without:  # what the system alone stops, were the hook found out
        source = sandbox._RUNNER.read_text()
        assert source.count("sys.addaudithook(_hook)") == 1
        bare = tmp_path / "runner.py"
        bare.write_text(source.replace("sys.addaudithook(_hook)", "pass"))
        monkeypatch.setattr(sandbox, "_RUNNER", bare)
    return made


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of ours with a token in its environment."""
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, "SOME_TOKEN": "sesame"})
    yield process.pid
    process.kill()
    process.wait()


# Each says success by ending well, which it does where nothing stops it.
FORGED = {
    "the old pass code": "import os\nos._exit(17)",
    "pass code 0": "import os\nos._exit(0)",
    "sys.exit": "import sys\nsys.exit(0)",
    "SystemExit raised": "raise SystemExit",
    "writing to every pipe": "import os\nfor n in range(3, 64):\n    try: os.write(n, b'passed')\n"
    "    except OSError: pass\nos._exit(0)",
    "echo of what pipes hold": "import os\nfor n in range(64):\n    try:\n"
    "        os.set_blocking(n, False); data = os.read(n, 99)\n"
    "        [os.write(m, data) for m in range(3, 64)]\n    except OSError: pass\nos._exit(0)",
    "the nonce in frames": "import sys, os\nframe = sys._getframe()\nwhile frame:\n"
    "    for v in [*frame.f_locals.values(), *frame.f_globals.values()]:\n"
    "        if isinstance(v, bytes) and len(v) == 32:\n"
    "            for n in range(3, 64):\n                try: os.write(n, v)\n"
    "                except OSError: pass\n    frame = frame.f_back\nos._exit(0)",
    "the steps by name": "import sys, os\nm = sys.modules['__main__']\n"
    "s = getattr(m, 'steps', None) or sys._getframe().f_back.f_locals['steps']\n"
    "[f() for f in s[1:]]",
    "other builtins": "import builtins, os\nbuiltins.exec = builtins.isinstance = print\n"
    "os.write = print\nassert 0",
    "an exit hook": "import atexit, os\natexit.register(os._exit, 0)\nassert 0",
    "an exception hook": "import sys, os\nsys.unraisablehook = sys.excepthook = "
    "lambda *_: os._exit(0)\nassert 0",
}


@pytest.mark.parametrize("name", FORGED)
def test_no_pass_is_forged(box: Sandbox, name: str) -> None:
    assert not passes(FORGED[name] + "\nassert f(1) == 2", within=box)


NEEDS_THE_HOOK = {
    "other threads' frames": "import sys, os\nfor f in sys._current_frames().values():\n"
    "  while f:\n    for v in f.f_locals.values():\n      for w in (v if isinstance(v, tuple) else "
    "(v,)):\n        a = getattr(w, 'args', ())\n        if len(a) == 2: w()\n    f = f.f_back\n"
    "assert 0",
    "the garbage collector": "import gc, functools\n[o() for o in gc.get_objects() "
    "if isinstance(o, functools.partial) and len(o.args) == 2]\nassert 0",
    "its own memory": "maps = open('/proc/self/maps').read()\nopen('/proc/self/mem', 'rb')\n",
    "its memory by another path": "import os\nopen('/./proc//self/mem', 'rb')\n",
    "ctypes": "import ctypes\nctypes.string_at(id(1), 8)",
    "a hook of its own": "import sys\nsys.addaudithook(print)",
    "tracing": "import sys\nsys.settrace(lambda *_: None)\nsys.setprofile(lambda *_: None)",
    "hook off": "import sys\nm = sys.modules['__main__']\n"
    "for n in ('refused', '_REFUSED_EVENTS', '_WRITING'): setattr(m, n, ())\n"
    "import gc\ngc.get_objects()",
    "blind builtins": "import builtins\nbuiltins.isinstance = lambda *_: False\n"
    "builtins.PermissionError = None\nopen('x', 'w').write('x')",
}


@pytest.mark.parametrize("name", NEEDS_THE_HOOK)
@pytest.mark.parametrize("kind", ["bubblewrap", "limits"])
def test_the_runner_cannot_be_looked_at(kind: str, name: str) -> None:
    made = sandbox.bubblewrap() if kind == "bubblewrap" else sandbox.limits()
    if made is None:
        pytest.skip("no bubblewrap here")
    assert not passes(NEEDS_THE_HOOK[name], within=made)


HARMFUL = {
    "kill": "import os\nos.kill({pid}, 9)",
    "kill the parent": "import os\nassert os.getppid() > 1\nos.kill(os.getppid(), 0)",
    "pidfd": "import os, signal\nsignal.pidfd_send_signal(os.pidfd_open({pid}), 9)",
    "prlimit": "import resource\nresource.prlimit({pid}, resource.RLIMIT_NOFILE, (3, 3))",
    "priority": "import os\nos.setpriority(os.PRIO_PROCESS, {pid}, 19)\n"
    "assert os.getpriority(os.PRIO_PROCESS, {pid}) == 19",
    "affinity": "import os\nos.sched_setaffinity({pid}, {{0}})\n",
    "environment of others": "assert b'sesame' in open('/proc/{pid}/environ', 'rb').read()",
    "a child": "import os\nif not os.fork(): os._exit(0)",
    "a child, by exec": "import subprocess\nsubprocess.run(['true'], check=True)",
    "a child, unseen": "import _posixsubprocess as p, os\nr, w = os.pipe()\n"
    "import sys\nimport subprocess\nsubprocess.Popen(['sleep', '61'], start_new_session=True)",
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "a file outside": "open('{outside}/new', 'w').write('x')",
    "a file emptied": "import os\nos.open('{outside}/kept', os.O_WRONLY | os.O_TRUNC)",
    "a file truncated": "import os\nos.truncate('{outside}/kept', 0)",
    "a file removed": "import os\nos.unlink('{outside}/kept')",
    "a file renamed": "import os\nos.rename('{outside}/kept', '{outside}/gone')",
    "a mode": "import os\nos.chmod('{outside}/kept', 0)",
    "a link": "import os\nos.symlink('/', '{outside}/link')",
    "a folder": "import os\nos.mkdir('{outside}/folder')",
    "a pipe left": "import os\nos.mkfifo('{outside}/fifo')",
    "a time": "import os\nos.utime('{outside}/kept', (0, 0))",
    "a file read": "assert open('{outside}/kept').read() == 'kept'",
    "the network": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
    "a server": "import socket\ns = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()",
}


@pytest.mark.parametrize("name", HARMFUL)
def test_nothing_is_harmed(box: Sandbox, name: str, victim: int, tmp_path: Path) -> None:
    import socket

    outside = tmp_path / "outside"
    outside.mkdir()
    kept = outside / "kept"
    kept.write_text("kept")
    before = kept.stat()
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = HARMFUL[name].format(pid=victim, outside=outside, port=server.getsockname()[1])
        started = time.time()
        assert not passes(program, within=box)
    assert sorted(path.name for path in outside.iterdir()) == ["kept"]
    assert kept.read_text() == "kept"
    assert (kept.stat().st_mode, kept.stat().st_mtime) == (before.st_mode, before.st_mtime)
    os.kill(victim, 0)
    assert os.getpriority(os.PRIO_PROCESS, victim) == os.getpriority(os.PRIO_PROCESS, 0)
    assert os.sched_getaffinity(victim) == os.sched_getaffinity(0)
    assert not _young_sleepers(started)


def _young_sleepers(since: float) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if words == b"sleep\x0061\x00":
                found.append(entry.name)
    return found


@pytest.mark.parametrize("name", HARMFUL)
def test_unconfined_they_do_harm(name: str, tmp_path: Path) -> None:
    """Else the tests above would show nothing. With a victim and a folder of their own."""
    import socket

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    victim = subprocess.Popen(["sleep", "60"], env={**os.environ, "SOME_TOKEN": "sesame"})
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            program = HARMFUL[name].format(
                pid=victim.pid, outside=outside, port=server.getsockname()[1]
            )
            done = subprocess.run([sys.executable, "-c", program], check=False, cwd=tmp_path)
    finally:
        victim.kill()
        victim.wait()
        for number in _young_sleepers(0):
            os.kill(int(number), signal.SIGKILL)
    assert done.returncode == 0


def test_honest_programs(box: Sandbox) -> None:
    assert passes("def f(x):\n    return x + 1\nassert f(1) == 2", within=box)
    assert not passes("def f(x):\n    return x\nassert f(1) == 2", within=box)
    assert not passes("def f(x:", within=box)
    assert passes(
        "import collections, dataclasses, itertools, json, random, typing, datetime, threading\n"
        "@dataclasses.dataclass\nclass P:\n    x: int = 1\n"
        "Q = collections.namedtuple('Q', 'a b')\n"
        "if __name__ == '__main__':\n    assert P().x == 1 and Q(1, 2).b == 2\n"
        "t = threading.Thread(target=print)\nt.start()\nt.join()\n",
        within=box,
    )


def test_limits_of_time_and_memory(box: Sandbox) -> None:
    started = time.monotonic()
    assert not passes("while True: pass", 1.0, within=box)
    assert not passes("import signal\nsignal.setitimer(0, 0)\nwhile 1: pass", 1.0, within=box)
    assert time.monotonic() - started < 10
    assert not passes("x = 'x' * (2 << 30)", within=box)


def test_told_once_and_what_it_does_not_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    sandbox.found.cache_clear()
    try:
        for _ in range(3):
            assert sandbox.found().name == "limits"
    finally:
        sandbox.found.cache_clear()
    told = capsys.readouterr().err
    assert told.count("not stopped: ") == 1
    assert "finding out which files exist" in told


def test_layers_that_a_system_lacks_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = sandbox._RUNNER.read_text()
    poorer = tmp_path / "runner.py"
    poorer.write_text(source.replace("system.syscall(444,", "system.syscall(9444,"))
    monkeypatch.setattr(sandbox, "_RUNNER", poorer)
    assert any("environment of your processes" in text for text in sandbox.limits().open)
    poorer.write_text(source.replace('"x86_64"', '"another"'))
    assert any("ending yours" in text for text in sandbox.limits().open)


def test_a_sandbox_that_does_not_work_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: str(broken))
    assert sandbox.bubblewrap() is None
