"""Daemons that tests start."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def daemon(
    words: Sequence[str], environment: Mapping[str, str], out: Path
) -> subprocess.Popen[bytes]:
    """Start one in a session of its own; it is asked to end when this process has ended."""

    def end_with_us() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    with open(out, "wb") as stream:
        return subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_us,  # noqa: PLW1509  (tests have no threads)
        )
