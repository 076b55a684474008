"""Reading and comparing a large ladder's stores: 8 rungs, 57 tasks, 1,000 questions each.

    python benchmarks/stores.py [--rungs 8] [--tasks 57] [--questions 1000]

The stores are made on the fly. Each line says what was done, the seconds it took on the clock and
on the processor.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cod_harness.harness.capture import guards
from cod_harness.harness.scoring.responses import doc_hash, hash_of_all, text_hash
from cod_harness.ladder.compare import differences
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.ladder.store import stores_in, write_passrates


def document(task: str, question: int) -> dict[str, str]:
    return {"question": f"question {question} of {task}"}


def prompt(task: str, question: int) -> str:
    return f"Q: question {question} of {task}\nA:"


def made(folder: Path, rungs: int, tasks: int, questions: int) -> Ladder:
    """A folder of stores as captured runs leave them, and their ladder."""
    generator = np.random.default_rng(0)
    names = [f"task_{task:02d}" for task in range(tasks)]
    asked = [(task, question) for task in names for question in range(questions)]
    hashes = {
        "doc": np.array([doc_hash(document(*one)) for one in asked]),
        "prompt": np.array([text_hash(prompt(*one)) for one in asked]),
        "target": np.array([text_hash(f"answer {one}") for one in asked]),
    }
    abouts = {
        task: {
            "version": 1.0,
            "filter": "none",
            "metric": "exact_match",
            "repeats": 100,
            "num_fewshot": 5,
            "generation_kwargs": {"do_sample": True, "temperature": 1.0},
            "questions": questions,
            "prompt_hash": hash_of_all(hashes["prompt"][at * questions :][:questions]),
        }
        for at, task in enumerate(names)
    }
    for rung in range(rungs):
        frame = pd.DataFrame(
            {
                "task": np.repeat(names, questions),
                "question": [name[:16] for name in hashes["doc"]],
                "model": f"r{rung}",
                "checkpoint": "",
                "n_correct": generator.binomial(100, 0.1 + 0.1 * rung, tasks * questions),
                "n_samples": 100,
                **{f"{kind}_hash": values for kind, values in hashes.items()},
                "filter": "none",
                "metric": "exact_match",
            }
        )
        settings = {"rung": f"r{rung}", "checkpoint": "", "ladder": "made", "tasks": abouts}
        path = folder / f"r{rung}" / f"cod_passrates_2026-01-0{rung + 1}T00-00-00.parquet"
        write_passrates(path, frame, {**settings, "complete": True})
    models = [Model(f"r{rung}", "rung", compute=10.0 ** (18 + rung)) for rung in range(rungs)]
    return Ladder("made", tuple(models))


def timed(what: str, work: Callable[[], Any]) -> Any:
    clock, processor = time.perf_counter(), time.process_time()
    found = work()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"{what:58} {clock:7.3f} s  {processor:7.3f} s of processor")
    return found


@dataclass
class Request:
    """As much of the harness's Instance as the guards look at."""

    doc_id: int
    idx: int
    doc: dict[str, str]
    arguments: tuple[str, ...]


@dataclass
class Task:
    instances: list[Request]


def guarded(folder: Path, ladder: Ladder, questions: int) -> None:
    """The guards of a run of the first rung over again, prompts of all tasks included."""
    others = guards.neighbours(folder, ladder, "r0", "")
    mine = {task: run["tasks"][task] for (_, _, task), run in others.runs.items()}
    guards.check_settings({"rung": "r0", "tasks": mine}, others)
    for task in mine:
        requests = [
            Request(at, 0, document(task, at), (prompt(task, at),)) for at in range(questions)
        ]
        guards.check_prompts(task, Task(requests), others)


def opened(path: str) -> list[str]:
    """Modules of the harness side that a forecast's reading of a CSV file loads."""
    code = (
        "import sys; from cod_harness import read_passrates; read_passrates(sys.argv[1]); "
        "print(*(name for name in sys.modules if name.startswith('cod_harness.harness')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rungs", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=57)
    parser.add_argument("--questions", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ladder = made(folder, asked.rungs, asked.tasks, asked.questions)
        fewer = asked.questions - 1
        timed("the guards of one run", lambda: guarded(folder, ladder, asked.questions))
        timed("the same where it has --limit", lambda: guarded(folder, ladder, fewer))
        timed("metadata of all stores", lambda: stores_in(folder, ladder.name))
        rates: PassRates = timed("all rows", lambda: read_passrates(folder, ladder))
        timed("comparing all models", lambda: differences(rates))
        timed("all matrices", lambda: [rates.matrix(t, rates.models(t)) for t in rates.tasks])
        table = folder / "rates.csv"
        rates.frame.head(1000).to_csv(table, index=False)
        print(f"modules of the harness side loaded by a table: {len(opened(str(table)))}")


if __name__ == "__main__":
    main()
