"""Runs one program under limits. Started as `python -I -S -c`, so the standard library alone.

Arguments: seconds, bytes of memory, bytes of a file, the number of an open pipe, then the folders
that may be read. Standard input: a nonce on a line of its own, then the program. The nonce comes
back through the pipe if the program runs to its end; nothing else tells success. With the nonce
`tell` the limits that this system refuses are told instead, and no program runs.

The program runs in a thread whose last frame is its own: neither frames nor modules lead from it to
the nonce or to the hook, and a refused event ends the process before any code can look at it.
"""

from __future__ import annotations

import _thread
import functools
import itertools
import os
import platform
import resource
import signal
import struct
import sys
import time
import types
from collections import deque
from collections.abc import Sequence
from typing import Any

# Calls of the kernel by number, on x86-64: to start programs and processes, signal and change
# others, reach the network, change files or the machine.
_REFUSED_CALLS = (
    *(57, 58, 59, 322),  # fork, vfork, execve, execveat
    *(62, 200, 234, 129, 297, 424, 434, 438),  # kill and its kin, pidfd_*
    *(101, 310, 311, 312, 440, 448),  # ptrace, process_vm_*, kcmp, process_madvise, _mrelease
    *(109, 112, 141, 142, 144, 203, 251, 256, 279, 314),  # setsid, priorities, affinity, pages
    *(41, 53, 29, 64, 68, 240, 319),  # sockets, SysV objects, mq_open, memfd_create
    *(76, 77, 82, 83, 84, 85, 86, 87, 88, 285),  # truncate, rename, mkdir, creat, link, unlink
    *(258, 259, 263, 264, 265, 266, 316),  # the same below a folder
    *(90, 91, 92, 93, 94, 132, 133, 235, 260, 261, 268, 280, 452),  # modes, owners, times, nodes
    *(188, 189, 190, 197, 198, 199),  # extended attributes
    *(155, 161, 165, 166, 272, 304, 308, 428, 429, 430, 431, 432, 433, 442),  # mounts, namespaces
    *(250, 248, 249, 298, 300, 321, 323, 425, 426, 427),  # keys, perf, fanotify, bpf, io_uring
    *(103, 163, 164, 167, 168, 169, 170, 171, 172, 173, 175, 176, 179, 227, 246, 313),  # of root
)
_CLONE, _CLONE3, _OPEN, _OPENAT, _OPENAT2, _PRLIMIT = 56, 435, 2, 257, 437, 302
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Events of the interpreter that end the process; the same acts, where the kernel is not asked, and
# what would show the program the rest of this process.
_REFUSED_EVENTS = (
    *("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"),
    *("os.kill", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown"),
    *("os.link", "os.symlink", "os.truncate", "os.chdir", "os.fchdir", "os.utime", "os.setxattr"),
    *("os.removexattr", "shutil.", "pty.", "webbrowser.", "syslog.", "fcntl.", "resource.prlimit"),
    *("ctypes.", "gc.", "sys._current", "sys.settrace", "sys.setprofile", "sys.addaudithook"),
    *("code.__new__", "signal.pthread_kill"),
)


def _limited(seconds: float, memory: int, size: int, folders: Sequence[str]) -> list[str]:
    """Set every limit this system knows; returns those it refuses, by name."""
    refused = []
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(seconds) + 1),
    ):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (ValueError, OSError):  # macOS knows no limit of memory
            refused.append("memory" if kind == resource.RLIMIT_AS else "size")
    if sys.platform != "linux":
        return [*refused, "network", "files", "calls"]
    import ctypes

    system = ctypes.CDLL(None, use_errno=True)
    # A user and a network namespace of its own: no interface but an unconfigured loopback.
    if system.unshare(0x10000000 | 0x40000000):
        refused.append("network")
    system.prctl(38, 1, 0, 0, 0)  # no new privileges
    if not _only_reads(system, ctypes, folders):
        refused.append("files")
    if not _filtered_calls(system, ctypes):
        refused.append("calls")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("ctypes", "_ctypes")]:
        del sys.modules[name]
    return refused


def _only_reads(system: Any, ctypes: Any, folders: Sequence[str]) -> bool:
    """Landlock: nothing but these folders, for reading."""
    everything, reading = (1 << 13) - 1, 4 | 8
    wanted = ctypes.c_uint64(everything)
    rules = system.syscall(444, ctypes.byref(wanted), ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    for folder in folders:
        try:
            descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        access = reading if os.path.isdir(folder) else 4
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, descriptor))
        system.syscall(445, rules, 1, rule, 0)
        os.close(descriptor)
    confined = bool(system.syscall(446, rules, 0) == 0)
    os.close(rules)
    return confined


def _filtered_calls(system: Any, ctypes: Any) -> bool:
    """Seccomp: a filter over the kernel's calls, for this process and whatever it starts."""
    if platform.machine() != "x86_64" or sys.maxsize < 1 << 32:
        return False
    allow, kill, no, unknown = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    lines: list[tuple[int, int, int, int]] = [
        *((load, 0, 0, 4), (equal, 1, 0, 0xC000003E), (give, 0, 0, kill)),  # another machine's
        *((load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (give, 0, 0, no)),  # the x32 calls
    ]
    for number in _REFUSED_CALLS:
        lines += [(equal, 0, 1, number), (give, 0, 0, no)]
    for number in (_CLONE3, _OPENAT2):  # the C library then takes the older ones
        lines += [(equal, 0, 1, number), (give, 0, 0, unknown)]
    for number, argument, test, bits in (
        (_OPEN, 1, any_bit, _WRITING),
        (_OPENAT, 2, any_bit, _WRITING),
        (_CLONE, 0, any_bit, 0x00010000),  # threads only
        (_PRLIMIT, 0, equal, 0),  # its own limits only
    ):
        hit, miss = (no, allow) if number in (_OPEN, _OPENAT) else (allow, no)
        lines += [(equal, 0, 4, number), (load, 0, 0, 16 + 8 * argument)]
        lines += [(test, 0, 1, bits), (give, 0, 0, hit), (give, 0, 0, miss)]
    lines.append((give, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    head = struct.pack("@HP", len(lines), ctypes.addressof(code))
    return bool(system.prctl(22, 2, ctypes.create_string_buffer(head), 0, 0) == 0)


# Everything the hook needs is a default: names could be changed by the program.
def _hook(
    event: str,
    arguments: tuple[Any, ...],
    refused: tuple[str, ...] = _REFUSED_EVENTS,
    writing: int = _WRITING,
    opened: str = "open",
    letters: frozenset[str] = frozenset("wax+"),
    kind: Any = isinstance,
    text: type = str,
    raw: type = bytes,
    number: type = int,
    end: Any = os._exit,
) -> None:
    if event.startswith(refused):
        end(1)
    if event == opened:
        path, mode, flags = arguments
        if kind(mode, text) and not letters.isdisjoint(mode):
            end(1)
        if kind(flags, number) and flags & writing:
            end(1)
        if kind(path, raw):
            path = path.decode("latin-1")
        if kind(path, text) and "/proc/" in f"/{path}/":
            end(1)


def main() -> None:
    """Run the program of standard input."""
    seconds, memory, size, pipe = float(sys.argv[1]), *map(int, sys.argv[2:5])
    nonce, _, text = sys.stdin.buffer.read().partition(b"\n")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    # Loaded ahead, since typical solutions import them: heapq, math, re, string and more.
    import heapq
    import math
    import re
    import string

    del heapq, math, re, string
    refused = _limited(seconds, memory, size, sys.argv[5:])
    if nonce == b"tell":
        os.write(pipe, " ".join(refused).encode() or b"-")
        os._exit(0)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = [""]
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        code = compile(text.decode("utf-8", "surrogatepass"), "<answer>", "exec")
    except BaseException:
        os._exit(1)
    begun = _thread.allocate_lock()
    begun.acquire()
    steps = (
        functools.partial(begun.release),
        functools.partial(exec, code, module.__dict__),
        functools.partial(os.write, pipe, nonce),
        functools.partial(os._exit, 0),
    )
    running, wait, end = _thread._count, time.sleep, os._exit
    call = functools.partial.__call__
    del code, text
    sys.addaudithook(_hook)
    # One call of C after the other, so that no frame of ours stands below the program's.
    _thread.start_new_thread(deque, (itertools.starmap(call, [(step,) for step in steps]), 0))
    del steps, nonce
    begun.acquire()
    while running():
        wait(0.002)
    end(1)


if __name__ == "__main__":
    main()
