"""Kill commands hard at random moments, and see whether anything was lost.

    python benchmarks/killed_commands.py [--kills 40] [--commands ladder ingest demo forecast]

Each is begun in a folder of its own and killed (-9) at a random moment of the processor time that
it takes undisturbed; then again, and so on, until it has come to its end or ten kills were made in
a folder. After each kill every finished file is looked at: it must still be what it was, and every
file of ours must be whole; nothing that the command started may run five seconds later, and nothing
of it, its children's logs included, may have told of a trace. After the last kill of a folder the
command is run to its end, and must come to it.

`ladder` and `demo` are the commands themselves on the four smallest rungs of the shipped ladder,
the fifth as target, one checkpoint each, two tasks and few samples: what is killed is the same, and
a run takes half a minute instead of several.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from cod_harness.cli.demo import LADDER
from cod_harness.errors import InputError
from cod_harness.ladder.store import read_store
from cod_harness.task_folder import task_folder

COMMAND = [sys.executable, "-m", "cod_harness"]
ROUND = 10  # kills in one folder
TASKS = "demo_gsm8k,demo_bbh"
RUNGS = 4
MARK = "COD_KILLED"  # in the environment of all that a command starts: its folder
TOLD = "told.txt"  # standard error of a folder's commands
GRACE = 5.0  # seconds in which what a killed command started has to end
# `demo` with a ladder, tasks and samples of ours.
DEMO = """
import sys
from pathlib import Path
from cod_harness.cli import demo, main
demo.LADDER, demo.GROUP, demo.REPEATS = Path(sys.argv.pop(1)), sys.argv.pop(1), 4
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Counted:
    """What came of one command's kills."""

    command: str
    kills: int = 0
    lost: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unfinished: int = 0
    left: int = 0
    running: int = 0
    traces: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def row(self) -> str:
        """A line of the table."""
        return (
            f"| `{self.command}` | {self.kills} | {len(self.lost)} | {len(self.broken)} | "
            f"{self.unfinished} | {self.left} | {self.running} | {len(self.traces)} |"
        )


def small_ladder(folder: Path) -> Path:
    """The beginning of the shipped ladder, one checkpoint a rung, and the next as its target."""
    content = yaml.safe_load(LADDER.read_text("utf-8"))
    models = content["rungs"][: RUNGS + 1]
    for model in models:
        del model["checkpoints"]
        model["model_args"] = model["model_args"].replace("=", f"={LADDER.parent}/")
    path = folder / "ladder.yaml"
    content |= {"rungs": models[:RUNGS], "targets": models[RUNGS:]}
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def words_of(command: str, folder: Path, shared: Path) -> list[str]:
    """A command line that writes into the folder. shared: what was measured before."""
    small = shared / "ladder.yaml"
    if command == "forecast":
        out = folder / "out"
        if not out.exists():
            leave = shutil.ignore_patterns("cod_forecast*", "cod_rep*")
            shutil.copytree(shared / "out", out, ignore=leave)
        return [*COMMAND, "forecast", str(out), "--ladder", str(small)]
    if command == "ingest":
        words = ["ingest", str(shared / "out"), "--ladder", str(small)]
        return [*COMMAND, *words, "-o", str(folder / "rates.parquet")]
    if command == "demo":
        words = ["demo", "--output_path", str(folder / "out")]
        return [sys.executable, "-c", DEMO, str(small), TASKS, *words]
    words = ["ladder", str(small), "--tasks", TASKS, "--output_path", str(folder / "out")]
    words += ["--limit", "40", "--include_path", str(task_folder()), "--cod-include-only"]
    return [*COMMAND, *words, "--cod-repeats", "4", "--log_samples", "--jobs", "2"]


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


def run(words: Sequence[str], after: float | None, folder: Path) -> int:
    """Run to the end, or kill it once it and its children have used so many seconds of processor
    time; the exit status."""
    with open(folder / TOLD, "ab") as told:
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=told, start_new_session=True,
            env=os.environ | {MARK: str(folder)},
        )  # fmt: skip
    while process.poll() is None:
        time.sleep(0.1)
        if after is not None and used(folder) >= after:
            process.kill()  # the command alone: its children must end by themselves
            break
    return process.wait()


def traces(folder: Path) -> list[str]:
    """Traces in what was told: what stands in a file from the first to the end."""
    texts = [path.read_text("utf-8", "replace") for path in (folder / TOLD, *folder.rglob("*.log"))]
    return [text[text.index("Traceback") :] for text in texts if "Traceback" in text]


def used(folder: Path) -> float:
    """Seconds of processor time of what was started for the folder, with what has ended of it."""
    ticks = 0
    for number in filter(str.isdecimal, os.listdir("/proc")):
        if _marked(number, folder):
            with contextlib.suppress(OSError):
                stat = Path("/proc", number, "stat").read_text().rsplit(")", 1)[1].split()
                ticks += sum(map(int, stat[11:15]))  # its own and its dead children's
    return ticks / os.sysconf("SC_CLK_TCK")


def still_running(folder: Path) -> bool:
    """Whether anything that was started for the folder runs on."""
    end = time.monotonic() + GRACE
    while any(_marked(number, folder) for number in os.listdir("/proc") if number.isdecimal()):
        if time.monotonic() > end:
            return True
        time.sleep(0.1)
    return False


def _marked(process: str, folder: Path) -> bool:
    try:
        return f"{MARK}={folder}\0".encode() in Path("/proc", process, "environ").read_bytes()
    except OSError:  # it has ended
        return False


def tried(command: str, kills: int, chance: random.Random, shared: Path, work: Path) -> Counted:
    """So many kills of a command, each at a moment of its own."""
    count = Counted(command)
    undisturbed = work / f"{command}-undisturbed"
    undisturbed.mkdir()
    before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    assert run(words_of(command, undisturbed, shared), None, undisturbed) == 0, command
    count.seconds = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before
    number = 0
    while count.kills < kills:
        folder = work / f"{command}-{number}"
        folder.mkdir()
        number += 1
        for _ in range(min(ROUND, kills - count.kills)):
            whole = finished(folder)
            moment = chance.uniform(0, count.seconds)
            status = run(words_of(command, folder, shared), moment, folder)
            count.kills += status == -signal.SIGKILL
            count.running += still_running(folder)
            after = finished(folder)
            count.lost += [str(path) for path, data in whole.items() if after.get(path) != data]
            count.broken += broken(list(after))
            print(f"{moment:5.1f} of {count.seconds:.1f} s: {count.row()}", file=sys.stderr)
            if status == 0:
                break
        (folder / "rates.parquet").unlink(missing_ok=True)
        count.unfinished += run(words_of(command, folder, shared), None, folder) != 0
        count.left += len([path for path in folder.rglob(".cod_*.tmp")])
        count.traces += traces(folder)
    return count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40, help="of each command")
    parser.add_argument("--commands", nargs="+", default=["forecast", "ingest", "ladder", "demo"])
    asked = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    print(
        "| command | kills | files lost or changed | files not whole | not finished after | left | "
        f"running {GRACE:.0f} s after | traces |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        work, chance = Path(name), random.Random(16)
        made = work / "made"
        made.mkdir()
        small_ladder(made)
        if not {"forecast", "ingest"}.isdisjoint(asked.commands):  # which read what was measured
            assert run(words_of("ladder", made, made), None, made) == 0
        for command in asked.commands:
            found = tried(command, asked.kills, chance, made, work)
            print(found.row(), flush=True)
            for text in [*found.lost, *found.broken, *found.traces]:
                print(f"    {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
