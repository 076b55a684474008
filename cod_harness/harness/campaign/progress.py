"""How far the runs of a campaign are, out of their logs, on one line of standard error."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cod_harness.harness.campaign.jobs import Finished, Job
from cod_harness.harness.sampling.repeated import BAR
from cod_harness.messages import quiet

PREPARED = "questions prepared"  # unit of the bar before a model is asked
_SPEAK_EVERY = 30.0  # seconds between progress lines where stderr is not a terminal
_NAMED = 3  # running jobs that are told of one by one
_LOG_TAIL = 16_384  # bytes of a log that are searched for its last progress bar

# tqdm: `Running generate_until requests:  40%|##  | 96/240 [00:04<00:06, 22.8it/s]`
_BAR = re.compile(rb"([^\r\n|]*?):?\s+\d+%\|[^|]*\|\s*(\d+)/(\d+) \[([\d:]+)<")
# Readings of a bar, and seconds between the first and the last, before a time left is told.
_READINGS, _SECONDS = 3, 3


class Progress:
    """One line on stderr: rung, tasks, questions, time left. Rewritten in place on a terminal."""

    def __init__(self, tasks: str, total: int, repeats: int) -> None:
        self._tasks = tasks
        self._total = total
        self._live = sys.stderr.isatty()
        self._spoken = time.monotonic() - _SPEAK_EVERY + 5.0
        self._width = 0
        self._repeats = repeats

    def show(self, running: Sequence[Job], done: int, still: int) -> None:
        """Say where the running jobs are. still: jobs that run or wait."""
        if quiet() or (not self._live and time.monotonic() - self._spoken < _SPEAK_EVERY):
            return
        self._spoken = time.monotonic()
        parts = [f"{job.name} {described(job.log, self._repeats)}" for job in running[:_NAMED]]
        more = len(running) - len(parts)
        parts += [f"{more} more running"] if more else []
        waiting = still - len(running)
        # A queue is worth a word where nothing moves.
        parts += [f"{waiting} waiting"] if waiting > 0 and (more or not running) else []
        if parts:
            self._write(f"[{done}/{self._total}] {self._tasks}: {'; '.join(parts)}")

    def ended(self, finished: Finished, done: int) -> None:
        """Say that a job has ended, on a line that stays."""
        if quiet() and finished.status == 0:
            return
        word = "done" if finished.status == 0 else f"FAILED ({ending(finished)})"
        self._write(f"[{done}/{self._total}] {finished.job.name}: {word}")
        self.close()

    def again(self, finished: Finished) -> None:
        """Say that a job has ended and is tried again."""
        self._write(
            f"{finished.job.name}: {ending(finished)}: {last_words(finished.job.log)}; again"
        )
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


@dataclass(frozen=True)
class Bar:
    """The last progress bar in a log. unit: what is counted; left: seconds, None until known."""

    done: int
    total: int
    unit: str
    left: float | None


def last_bar(log: Path, repeats: int) -> Bar | None:
    """The last progress bar in a log; None if there is none yet."""
    found = _BAR.findall(_tail(log))
    if not found:
        return None
    # What a model shows of a single call stands beside the bar of all its calls.
    last = next((one for one in reversed(found) if one[0].endswith(BAR.encode())), found[-1])
    label, done, total, _ = (part.decode("utf-8", "replace").strip() for part in last)
    each = repeats if "generate" in label and int(total) % repeats == 0 else 1
    unit = "questions" if label else PREPARED
    if label.endswith("loglikelihood requests"):
        unit = "answer options"
    same = [one for one in found if one[0] == last[0] and one[2] == last[2]]
    readings = [(int(count), _seconds(elapsed)) for _, count, _, elapsed in same]
    return Bar(int(done) // each, int(total) // each, unit, _left(readings, int(total)))


def _left(readings: Sequence[tuple[int, int]], total: int) -> float | None:
    """Seconds that a bar still takes, from (done, elapsed) readings of it; None until known.

    What came before the first item was done, a model that warms up for one, says nothing of the
    others.
    """
    seen = [(done, elapsed) for done, elapsed in readings if done > 0]
    if len(seen) < _READINGS:
        return None
    (first, begun), (last, now) = seen[0], seen[-1]
    if last <= first or now - begun < _SECONDS:
        return None
    return (total - last) * (now - begun) / (last - first)


def _seconds(clock: bytes) -> int:
    """tqdm's 01:02:03 or 02:03."""
    seconds = 0
    for part in clock.split(b":"):
        seconds = 60 * seconds + int(part)
    return seconds


def clock(seconds: float) -> str:
    """A time left, as tqdm writes one: 02:03, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def described(log: Path, repeats: int) -> str:
    """The last progress bar in a log, in words."""
    bar = last_bar(log, repeats)
    if bar is None:
        return "starting"
    left = "" if bar.left is None else f", {clock(bar.left)} left"
    return f"{bar.done}/{bar.total} {bar.unit}{left}"


def _tail(log: Path) -> bytes:
    try:
        with open(log, "rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _LOG_TAIL))
            return stream.read()
    except OSError:
        return b""


def ending(finished: Finished) -> str:
    """How a job ended, in words."""
    if finished.why:
        return finished.why
    # A shell says 128 + n for a child that signal n has killed.
    signal = -finished.status if finished.status < 0 else finished.status - 128
    return f"killed by signal {signal}" if 0 < signal < 65 else f"exit {finished.status}"


def last_words(log: Path) -> str:
    """The last line of a log."""
    lines = [line.strip() for line in re.split(rb"[\r\n]+", _tail(log)) if line.strip()]
    words = lines[-1].decode("utf-8", "replace") if lines else "it said nothing"
    return words[:200].removeprefix("cod-harness: ")
