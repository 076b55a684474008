"""A sampled run, killed ten times at random points: samples lost, and time to go on.

    python benchmarks/kills.py [--questions 100] [--repeats 20] [--pause 0.05]

The model is the tests' slow one, the harness and the journal the real ones.  Each attempt is a
fork of a process that has imported everything, so that the time is the run's own: from its start
to its first new question.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "harness"
KILLS = 10


def attempt(words: list[str], said: Path) -> int:
    """Start the run in a process of its own; its id."""
    child = os.fork()
    if child:
        return child
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    from cod_harness.cli import main as command

    os._exit(command(words))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--questions", type=int, default=100)
    arguments.add_argument("--repeats", type=int, default=20)
    arguments.add_argument("--pause", type=float, default=0.05)
    arguments.add_argument("--seed", type=int, default=0)
    asked = arguments.parse_args()
    sys.path.insert(0, str(TESTS))
    import lm_eval.evaluator  # noqa: F401
    import slow_main  # noqa: F401

    source = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ladder, log, said = folder / "ladder.yaml", folder / "asked", folder / "said"
        rungs = "".join(
            f"- {{name: f{at}, params: {at}e6, tokens: 1e9, model: cod-slow, "
            f"model_args: pretrained=f{at}}}\n"
            for at in range(1, 6)
        )
        ladder.write_text(f"ladder: kills\nrungs:\n{rungs}")
        log.touch()
        tasks = folder / "tasks"
        shutil.copytree(TESTS / "tasks", tasks)
        for config in tasks.glob("*.yaml"):
            config.write_text(config.read_text().replace("@TASKS@", str(tasks)))
        os.environ["COD_ASKED"] = str(log)
        words = ["run", "--model", "cod-slow", "--model_args", f"pretrained=f1,pause={asked.pause}"]
        words += ["--tasks", "cod_t_two_filters", "--include_path", str(tasks)]
        words += ["--cod-include-only", "--limit", str(asked.questions), "--cod-no-forecast"]
        words += ["--output_path", str(folder / "out"), "--cod", str(ladder), "--cod-rung", "f1"]
        words += ["--cod-repeats", str(asked.repeats)]
        waits: list[float] = []
        places = [0]  # lines of the log at the beginning of each attempt, and at the end
        done = False
        kills = 0
        while not done:
            before = count(log)
            child = attempt(words, said)
            begun = time.monotonic()
            whole = asked.pause * asked.questions / KILLS
            end = None if kills == KILLS else source.uniform(0.2, 1.8) * whole
            first = None
            while True:
                if first is None and count(log) > before:
                    first = time.monotonic()
                    waits.append(first - begun)
                if os.waitpid(child, os.WNOHANG)[0]:
                    done = True
                    places.append(count(log))
                    break
                if end is not None and first is not None and time.monotonic() - first > end:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    kills += 1
                    places.append(count(log))
                    break
                time.sleep(0.002)
        if not list((folder / "out").rglob("cod_passrates_*")):
            sys.exit(said.read_text()[-2000:])
        lines = log.read_text().splitlines()
        print("| Kill | After questions | Samples lost | First new question after, s |")
        print("|--:|--:|--:|--:|")
        for kill in range(1, kills + 1):
            here = lines[places[kill - 1] : places[kill]]
            lost = len(set(here) & set(lines[places[kill] :]))
            known = len(set(lines[: places[kill]]))
            print(f"| {kill} | {known} | {lost * asked.repeats} | {waits[kill]:.1f} |")
        again = count(log) - asked.questions
        print(
            f"{kills} kills of a run of {asked.questions * asked.repeats} samples: {again} "
            f"questions asked again ({again * asked.repeats} samples, "
            f"{100 * again / max(kills, 1) / asked.questions:.1f} % of the run a kill); from start "
            f"to the first new question {waits[0]:.1f} s at first, "
            f"{sum(waits[1:]) / len(waits[1:]):.1f} s on going on"
        )


def count(log: Path) -> int:
    """Questions asked so far."""
    return log.read_text().count("\n")


if __name__ == "__main__":
    main()
