"""What went wrong without being foreseen: one line for people, the trace in a file."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback

from cod_harness import __version__


def told(error: BaseException, what: str = "cod-harness") -> int:
    """Say an error in one line, with the file that its trace was written to. Returns 1."""
    words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    head = f"cod-harness {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    try:
        descriptor, path = tempfile.mkstemp(prefix="cod-harness-trace-", suffix=".txt", text=True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{head}{text}")
    except OSError:  # nowhere to write: then all of it, here
        print(text, file=sys.stderr)
        path = "above"
    if isinstance(error, OSError):  # a full disk, a missing right: not ours to mend
        print(f"{what}: {words} (trace: {path})", file=sys.stderr)
    else:
        print(f"{what}: this went wrong inside: {words} (trace to report: {path})", file=sys.stderr)
    return 1
