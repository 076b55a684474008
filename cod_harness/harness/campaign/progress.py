"""How far the runs of a campaign are, out of their logs, on one line of standard error."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cod_harness.harness.campaign.executors import Finished, RungJob
from cod_harness.messages import quiet

_SPEAK_EVERY = 30.0  # seconds between progress lines where stderr is not a terminal
_LOG_TAIL = 4096  # bytes of a log that are searched for its last progress bar

# tqdm: `Running generate_until requests:  40%|##  | 96/240 [00:04<00:06, 22.8it/s]`
_BAR = re.compile(rb"([^\r\n|]*?):?\s+\d+%\|[^|]*\|\s*(\d+)/(\d+) \[[\d:]+<([\d:?]+)")


class Progress:
    """One line on stderr: rung, tasks, questions, time left. Rewritten in place on a terminal."""

    def __init__(self, tasks: str, total: int, repeats: int) -> None:
        self._tasks = tasks
        self._total = total
        self._live = sys.stderr.isatty()
        self._spoken = time.monotonic() - _SPEAK_EVERY + 5.0
        self._width = 0
        self._repeats = repeats

    def show(self, running: Sequence[RungJob], done: int) -> None:
        """Say where the running jobs are."""
        if quiet() or (not self._live and time.monotonic() - self._spoken < _SPEAK_EVERY):
            return
        self._spoken = time.monotonic()
        parts = [f"{job.name} {_tail_progress(job.log, self._repeats)}" for job in running]
        if parts:
            self._write(f"[{done}/{self._total}] {self._tasks}: {'; '.join(parts)}")

    def ended(self, finished: Finished, done: int) -> None:
        """Say that a job has ended, on a line that stays."""
        if quiet() and finished.status == 0:
            return
        word = "done" if finished.status == 0 else f"FAILED ({ending(finished.status)})"
        self._write(f"[{done}/{self._total}] {finished.job.name}: {word}")
        self.close()

    def _write(self, text: str) -> None:
        if self._live:
            text = text[:160]
            print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        else:
            print(f"cod-harness: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line standing."""
        if self._live and self._width:
            print(file=sys.stderr)
            self._width = 0


def _tail_progress(log: Path, repeats: int) -> str:
    """The last progress bar in a child's log, in words."""
    found = _BAR.findall(_tail(log))
    if not found:
        return "starting"
    label, done, total, left = (part.decode("utf-8", "replace").strip() for part in found[-1])
    if "generate" in label and int(total) % repeats == 0:
        done, total = str(int(done) // repeats), str(int(total) // repeats)
    unit = "questions" if label else "questions prepared"
    return f"{done}/{total} {unit}, {left} left"


def _tail(log: Path) -> bytes:
    try:
        with open(log, "rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _LOG_TAIL))
            return stream.read()
    except OSError:
        return b""


def ending(status: int) -> str:
    """How a process ended, in words."""
    return f"exit {status}" if status >= 0 else f"killed by signal {-status}"


def last_words(log: Path) -> str:
    """The last line of a log."""
    lines = [line.strip() for line in re.split(rb"[\r\n]+", _tail(log)) if line.strip()]
    words = lines[-1].decode("utf-8", "replace") if lines else "it said nothing"
    return words[:200].removeprefix("cod-harness: ")
