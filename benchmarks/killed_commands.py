"""Kill commands hard at random moments, and see whether anything was lost.

    python benchmarks/killed_commands.py [--kills 40] [--commands ladder ingest demo forecast]

Each is begun in a folder of its own and killed (-9) at a random moment of the time that it takes
undisturbed; then again, and so on, ten kills to a folder. After each kill every finished file is
looked at: it must still be what it was, and every file of ours must be whole. After the last of a
folder the command is run to its end, and must come to it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cod_harness.cli.demo import LADDER
from cod_harness.errors import InputError
from cod_harness.ladder.store import read_store
from cod_harness.task_folder import task_folder

COMMAND = [sys.executable, "-m", "cod_harness"]
ROUND = 10  # kills in one folder
TASK = "demo_gsm8k"


@dataclass
class Counted:
    """What came of one command's kills."""

    command: str
    kills: int = 0
    lost: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unfinished: int = 0
    left: int = 0
    seconds: float = 0.0

    def row(self) -> str:
        """A line of the table."""
        return (
            f"| `{self.command}` | {self.kills} | {len(self.lost)} | {len(self.broken)} | "
            f"{self.unfinished} | {self.left} |"
        )


def words_of(command: str, folder: Path, shared: Path) -> list[str]:
    """A command line that writes into the folder. shared: what was measured before."""
    ladder = ["--ladder", str(LADDER)]
    if command == "forecast":
        out = folder / "out"
        if not out.exists():
            shutil.copytree(shared, out, ignore=shutil.ignore_patterns("cod_forecast*", "cod_rep*"))
        return ["forecast", str(out), *ladder]
    if command == "ingest":
        return ["ingest", str(shared), *ladder, "-o", str(folder / "rates.parquet")]
    if command == "demo":
        return ["demo", "--output_path", str(folder / "out")]
    words = ["ladder", str(LADDER), "--tasks", TASK, "--output_path", str(folder / "out")]
    words += ["--limit", "40", "--include_path", str(task_folder()), "--cod-include-only"]
    return [*words, "--cod-repeats", "4", "--log_samples", "--jobs", "2"]


def finished(folder: Path) -> dict[Path, bytes]:
    """The files whose names promise that they are whole."""
    kinds = ("cod_passrates_*.parquet", "rates.parquet", "cod_forecast_*.json", "cod_report_*.html")
    return {path: path.read_bytes() for kind in kinds for path in folder.rglob(kind)}


def broken(files: Sequence[Path]) -> list[str]:
    """Those that cannot be read."""
    found = []
    for path in files:
        try:
            if path.suffix == ".parquet":
                read_store(path)
            elif path.suffix == ".json":
                json.loads(path.read_text("utf-8"))
            elif "</html>" not in path.read_text("utf-8"):
                found.append(str(path))
        except (InputError, ValueError) as problem:
            found.append(f"{path}: {problem}")
    return found


def run(words: Sequence[str], after: float | None) -> int:
    """Run to the end, or kill the whole session after some seconds; the exit status."""
    process = subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(
            signal.SIGKILL
        )  # the command alone: its children must end by themselves
        return process.wait()


def tried(command: str, kills: int, chance: random.Random, shared: Path, work: Path) -> Counted:
    """So many kills of a command, each at a moment of its own."""
    count = Counted(command)
    undisturbed = work / f"{command}-undisturbed"
    undisturbed.mkdir()
    begun = time.monotonic()
    assert run(words_of(command, undisturbed, shared), None) == 0, command
    count.seconds = time.monotonic() - begun
    number = 0
    while count.kills < kills:
        folder = work / f"{command}-{number}"
        folder.mkdir()
        number += 1
        for _ in range(min(ROUND, kills - count.kills)):
            before = finished(folder)
            status = run(words_of(command, folder, shared), chance.uniform(0, count.seconds))
            count.kills += status == -signal.SIGKILL
            after = finished(folder)
            count.lost += [str(path) for path, data in before.items() if after.get(path) != data]
            count.broken += broken(list(after))
            if status == 0 and command == "ingest":
                (folder / "rates.parquet").unlink()
        count.unfinished += run(words_of(command, folder, shared), None) != 0
        count.left += len([path for path in folder.rglob(".cod_*.tmp")])
    return count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40, help="of each command")
    parser.add_argument("--commands", nargs="+", default=["forecast", "ingest", "ladder", "demo"])
    asked = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    print(
        "| command | kills | files lost or changed | files not whole | not finished after | left |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        work, chance = Path(name), random.Random(16)
        made = work / "made"
        made.mkdir()
        assert run(words_of("ladder", made, work), None) == 0
        for command in asked.commands:
            found = tried(command, asked.kills, chance, made / "out", work)
            print(found.row(), flush=True)
            for text in [*found.lost, *found.broken]:
                print(f"    {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
