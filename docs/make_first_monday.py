"""Write into docs/first-monday.md what its commands print: `python docs/make_first_monday.py`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent / "first-monday.md"
# A block of commands, and the block of what they print where one follows.
_STEP = re.compile(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


class Step(NamedTuple):
    """Commands, and what they are said to print; None where nothing is shown."""

    commands: str
    printed: str | None


def steps(page: str) -> list[Step]:
    """The steps of the guide, in order."""
    return [Step(found[1], found[2]) for found in _STEP.finditer(page)]


def ran(commands: str, folder: Path) -> str:
    """Standard output of some commands in a folder; raises RuntimeError where one fails."""
    here = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}:\n{commands}\n{done.stdout}{done.stderr}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


def main() -> None:
    """Fill in what the commands print."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:

        def filled(found: re.Match[str]) -> str:
            printed = ran(found[1], Path(folder))
            said = f"\n```text\n{printed}```\n" if found[2] is not None else ""
            return f"```sh\n{found[1]}```\n{said}"

        PAGE.write_text(_STEP.sub(filled, page), encoding="utf-8")


if __name__ == "__main__":
    main()
