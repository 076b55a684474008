"""Jobs as tasks of SLURM job arrays, by `sbatch`, `squeue` and `scancel` alone.

Accounting is not needed: the queue remembers a job for MinJobAge (300 s) after its end, and each
try of a task leaves its exit status in a file of its own. The last try's is believed, once SLURM
says that the task has ended: a requeued one leaves a file too, and may do so late, from a node that
was cut off.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cod_harness.errors import InputError
from cod_harness.harness.campaign.executors import Room
from cod_harness.harness.campaign.jobs import Finished, Job, shell_script
from cod_harness.ladder.files import write_whole

_LOST = frozenset({"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED"})
_ENDED = _LOST | {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"}
_WORDS = {
    "TIMEOUT": "time limit reached",
    "OUT_OF_MEMORY": "out of memory",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not start",
    "PREEMPTED": "preempted",
    "CANCELLED": "cancelled",
    "DEADLINE": "past its deadline",
}
# Tasks of one array: SLURM's own default is 1001 with the last number left out.
_ARRAY_MOST = 1000
_PATIENCE = 60.0  # seconds that SLURM may not answer before that is a fault
# Seconds before the time limit at which a job is asked to end.
_WARNING = 60


@dataclass
class _Array:
    """One job array. told: names whose end a driver has heard of."""

    folder: Path
    jobs: dict[str, str]  # name -> key, in the order of the array
    id: str = ""
    told: set[str] = field(default_factory=set)
    states: dict[int, str] = field(default_factory=dict)
    codes: dict[int, int] = field(default_factory=dict)

    @property
    def token(self) -> str:
        return self.folder.name

    def index(self, job: Job) -> int:
        return list(self.jobs).index(job.name)

    def save(self) -> None:
        text = json.dumps({"id": self.id, "jobs": self.jobs, "told": sorted(self.told)}, indent=1)
        write_whole(self.folder / "array.json", text, overwrite=True)


class SlurmExecutor:
    """One array for all jobs with equal options, each submission in a folder of its own."""

    stays = True

    def __init__(self, room: Room) -> None:
        self._room = room
        self._folder = (room.folder / "slurm").absolute()
        self._waiting: list[Job] = []
        self._open: dict[Job, _Array] = {}
        self._looked = 0.0
        self._silent_since: float | None = None

    def found(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Jobs of an earlier driver that are in the queue, or have ended and nobody was told."""
        if not self._folder.is_dir():
            return []
        found = []
        for array in sorted(self._arrays(), key=lambda a: a.token, reverse=True):
            for job in jobs:
                if array.jobs.get(job.name) == job.key and job not in self._open:
                    if job.name in array.told:
                        continue
                    self._open[job] = array
                    found.append(job)
        return found

    def _arrays(self) -> Iterable[_Array]:
        for path in sorted(self._folder.glob("*/array.json")):
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
                array = _Array(path.parent, dict(kept["jobs"]), kept["id"], set(kept["told"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if not array.id:
                # The driver died between asking SLURM and noting the answer.
                array.id = self._id_of(array.token)
                if not array.id:
                    continue
                if not self._room.watching:
                    array.save()
            yield array

    def _id_of(self, token: str) -> str:
        line = ["squeue", "-h", "--states=all", f"--name=cod-{token}", "-o", "%F"]
        return next(iter(_asked(line).stdout.split()), "")

    def submit(self, job: Job) -> None:
        """Take a job; it is handed to SLURM at the next `poll`."""
        self._waiting.append(job)

    def running(self) -> Sequence[Job]:
        """The jobs that have a node."""
        return [
            job
            for job, array in self._open.items()
            if array.states.get(array.index(job)) in ("RUNNING", "COMPLETING")
        ]

    def poll(self) -> Sequence[Finished]:
        """Hand over what waits; return the jobs that have ended since the last call."""
        waiting, self._waiting = self._waiting, []
        for some, options in _alike(waiting):
            array = self._submitted(some, options, len(waiting))
            self._open.update(dict.fromkeys(some, array))
            self._looked = time.monotonic()
        if not self._open or time.monotonic() - self._looked < self._room.look_every:
            return []
        return self._ended()

    def _ended(self) -> list[Finished]:
        self._looked = time.monotonic()
        ended = []
        for array in {id(array): array for array in self._open.values()}.values():
            if not self._look(array):
                continue
            mine = [job for job, of in self._open.items() if of is array]
            over = [f for job in mine if (f := self._end(array, job)) is not None]
            for finished in over:
                del self._open[finished.job]
                array.told.add(finished.job.name)
            if over and not self._room.watching:
                array.save()
            ended += over
        return ended

    def _look(self, array: _Array) -> bool:
        """Ask SLURM; False where it does not answer."""
        line = ["squeue", "-h", "-r", "-j", array.id, "--states=all"]
        line += ["-O", "ArrayTaskID:.12,State:.20,exit_code:.12"]
        answer = _asked(line)
        if answer.returncode and "Invalid job id" not in answer.stderr:
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since > _PATIENCE:
                raise InputError(
                    f"squeue: {_line(answer.stderr)}; the jobs are not affected: run the same "
                    "command when SLURM answers again"
                )
            return False
        self._silent_since = None
        array.states = {}
        for text in answer.stdout.splitlines():
            number, state, code = text.split()
            if number.isdecimal():
                array.states[int(number)] = state
                array.codes[int(number)] = int(code) if code.isdecimal() else 0
        return True

    def _end(self, array: _Array, job: Job) -> Finished | None:
        number = array.index(job)
        state = array.states.get(number, "")
        if state and state not in _ENDED:
            return None
        status = _status(array.folder, number)
        if state == "CANCELLED":
            return Finished(job, status or -15, "cancelled", _WORDS[state])
        if state in _LOST:
            return Finished(job, status or 1, "lost", _WORDS.get(state, state.lower()))
        if not state and status is None:
            return Finished(job, 1, "unknown", "SLURM has forgotten it")
        if status is None:
            raw = array.codes.get(number, 0)  # as wait(2) has it
            status = -(raw & 127) if raw & 127 else (raw >> 8) or (state != "COMPLETED")
        why = _WORDS.get(state, "") if status else ""
        return Finished(job, int(status), "ended", why)

    def stop(self) -> None:
        """Cancel everything that is in the queue."""
        self._waiting.clear()
        for array in {id(array): array for array in self._open.values()}.values():
            mine = sorted(array.index(job) for job, of in self._open.items() if of is array)
            numbers = ",".join(map(str, mine))
            _asked(["scancel", f"{array.id}_[{numbers}]"])
            array.told |= {name for place, name in enumerate(array.jobs) if place in mine}
            array.save()
        self._open.clear()

    def leave(self) -> None:
        """Nothing to do: SLURM has the jobs."""
        self._waiting.clear()
        self._open.clear()

    # -- submission -------------------------------------------------------------------------

    def _submitted(self, jobs: Sequence[Job], options: Mapping[str, str], of: int) -> _Array:
        folder = self._folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
        for number, job in enumerate(jobs):
            script = self._script_of(folder, number, job)
            write_whole(folder / f"{number}.sh", script)
        array = _Array(folder, {job.name: job.key for job in jobs})
        write_whole(folder / "array.sh", _outer(folder))
        # Before SLURM is asked: whoever comes after a crash looks for the token in the queue.
        array.save()
        line = [*self._line(folder, len(jobs), jobs[0].gpus, options, of), f"{folder}/array.sh"]
        try:
            answer = _asked(line)
        except InputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if answer.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise InputError(f"{_line(answer.stderr)} (asked: {shlex.join(line[:-1])})")
        array.id = answer.stdout.strip().split(";")[0]  # `id;cluster` where there are several
        array.save()
        return array

    def _line(
        self, folder: Path, count: int, gpus: int | None, options: Mapping[str, str], of: int
    ) -> list[str]:
        width = f"%{max(1, (self._room.jobs * count) // of)}" if self._room.jobs else ""
        line = ["sbatch", "--parsable", f"--job-name=cod-{folder.name}"]
        line += [f"--array=0-{count - 1}{width}", "--requeue", "--open-mode=append"]
        line += [f"--output={folder}/%a.out", f"--signal=B:TERM@{_WARNING}"]
        line += [f"--gres=gpu:{gpus}"] if gpus else []
        # The user's come last: of two that disagree sbatch takes the later.
        for key, value in options.items():
            dashes = "-" if len(key) == 1 else "--"
            if not value:
                line.append(f"{dashes}{key}")
            elif len(key) == 1:
                line += [f"-{key}", value]
            else:
                line.append(f"--{key}={value}")
        return line

    def _script_of(self, folder: Path, number: int, job: Job) -> str:
        mine = f"{shlex.quote(str(folder / str(number)))}.${{SLURM_RESTART_COUNT:-0}}"
        # By rename: half a file is none. Empty from the start, so that no earlier try's is taken.
        finish = (
            f'finish() {{ echo "$1" > {mine}.part && mv {mine}.part {mine}.status; exit "$1"; }}'
        )
        head = f"#!/bin/bash\n# {' '.join(job.name.split())}\n{finish}\n: > {mine}.status\n"
        return head + shell_script(job, Path.cwd(), self._room.setup)

    def script(self, jobs: Sequence[Job]) -> str:
        """The `sbatch` lines and every script they would run."""
        parts = []
        for at, (some, options) in enumerate(_alike(jobs)):
            folder = self._folder / f"SUBMISSION-{at + 1}"
            line = [*self._line(folder, len(some), some[0].gpus, options, len(jobs))]
            parts.append(f"{shlex.join(line)} {folder}/array.sh\n")
            parts.append(f"# {folder}/array.sh\n{_outer(folder)}")
            for number, job in enumerate(some):
                parts.append(f"# {folder}/{number}.sh\n{self._script_of(folder, number, job)}")
        return "\n".join(parts)


def sbatch_options(text: str) -> dict[str, str]:
    """`--partition=gpu --time 4:00:00 -A me --exclusive` as name -> value, '' for none.

    Raises InputError for words that are no options.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--sbatch {text}: {error}") from None
    found: dict[str, str] = {}
    last = ""
    for word in words:
        match = re.fullmatch(r"--([A-Za-z][\w-]*)(?:=(.*))?|-([A-Za-z])(.*)", word, re.DOTALL)
        if match is not None:
            last = match[1] or match[3]
            found[last] = match[2] or match[4] or ""
        elif last and not found[last]:
            found[last] = word
        else:
            raise InputError(
                f"--sbatch {text}: {word!r} is no option of sbatch; write it like "
                '"--partition=gpu --time=4:00:00"'
            )
    return found


def _alike(jobs: Sequence[Job]) -> list[tuple[list[Job], Mapping[str, str]]]:
    """The jobs that can be one array: equal options and GPUs, and not too many."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(json.dumps([job.gpus, dict(job.sbatch)]), []).append(job)
    return [
        (some[at : at + _ARRAY_MOST], some[0].sbatch)
        for some in groups.values()
        for at in range(0, len(some), _ARRAY_MOST)
    ]


def _outer(folder: Path) -> str:
    return f"#!/bin/bash\nexec bash {shlex.quote(str(folder))}/$SLURM_ARRAY_TASK_ID.sh\n"


def _asked(line: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except FileNotFoundError:
        raise InputError(
            f"{line[0]}: no such program here; --executor slurm needs a machine that can submit "
            "to SLURM"
        ) from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(line), 1, "", f"{line[0]} does not answer")


def _status(folder: Path, number: int) -> int | None:
    """The exit status that a task's last try left; None if it left none."""
    tries = {int(path.name.split(".")[1]): path for path in folder.glob(f"{number}.*.status")}
    with contextlib.suppress(OSError, ValueError):  # ValueError: also of no try at all
        return int(tries[max(tries)].read_text(encoding="utf-8"))
    return None


def _line(text: str) -> str:
    return " ".join(text.split()) or "no reason given"
