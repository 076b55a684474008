"""A job, what became of it, and the shell script that runs it on another machine."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cod_harness.parent import PARENT

# How a command of ours is started, before its words. Not by `-m`, which would import modules out of
# the working folder, a `yaml.py` of somebody's among them, before ours.
COMMAND = (
    sys.executable,
    "-c",
    "import sys; del sys.path[0]; from cod_harness.cli import main; sys.exit(main())",
)

# ended: it said how itself. lost: the engine's fault (a dead node, preemption), not the job's.
# cancelled: somebody wanted it so. unknown: the engine has forgotten it.
Fate = Literal["ended", "lost", "cancelled", "unknown"]

# A shell's words for a command that cannot be started, and ours for wrong input: trying again
# changes nothing.
REFUSED = (2, 126, 127)


@dataclass(frozen=True)
class Job:
    """One process to run: its command, its log file, and what to add to its environment.

    name: of no other job of the campaign. gpus: how many it needs; None if nobody said. sbatch:
    options for SLURM, without their dashes.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    gpus: int | None = None
    sbatch: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        """Of this very command: another one may go by the same name later."""
        return hashlib.sha256("\0".join([self.name, *self.command]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Finished:
    """A job that has ended. status: its exit status; 0 is success. why: the engine's words."""

    job: Job
    status: int
    fate: Fate = "ended"
    why: str = ""


def shell_script(job: Job, folder: Path, setup: Sequence[str]) -> str:
    """The lines of bash that run a job wherever the file system is the same.

    The user's lines come first, each of which must succeed. SIGTERM and SIGUSR1 are handed on to
    the job. The exit status is the job's, 2 where it could not begin.
    """
    log = shlex.quote(str(job.log.absolute()))
    lines = [
        f"mkdir -p {shlex.quote(str(job.log.absolute().parent))}",
        f"exec >> {log} 2>&1 < /dev/null",
        'refuse() { echo "cod-harness: $1 (on $(hostname))"; finish 2; }',
        f"cd {shlex.quote(str(folder))} || refuse {shlex.quote(f'{folder}: no such folder here')}",
    ]
    for line in setup:
        lines += [line, f"[ $? = 0 ] || refuse {shlex.quote(f'setup failed: {line}')}"]
    lines += [f"export {key}={shlex.quote(value)}" for key, value in job.environment.items()]
    # A container may have another Python than the machine that submits, and more between the two.
    lines.append(f'[ -n "${{COD_PYTHON:-}}" ] || export {PARENT}=$$  # not to outlive this shell')
    words = [f"${{COD_PYTHON:-{shlex.quote(job.command[0])}}}", shlex.join(job.command[1:])]
    lines += [
        # bash delays traps while a child is in its foreground: hence `wait`.
        f"{' '.join(words)} &",
        "child=$!",
        "trap 'kill -TERM $child 2>/dev/null' TERM USR1",
        # What bash says of a child that was killed would hide the child's last words.
        "{ wait $child; code=$?; } 2>/dev/null",
        "while kill -0 $child 2>/dev/null; do { wait $child; code=$?; } 2>/dev/null; done",
        "finish $code",
    ]
    return "\n".join(lines) + "\n"
