"""Inputs as nobody should give them, class by class: how many were tried, and what came of them.

    python benchmarks/hostile.py [--inputs 200] [--classes stores registers]

The classes are those of tests/fuzz/hostile.py. Every command line must end with 0 or 2 and, with 2,
one line; no trace; and what was in the folder before must lie there unchanged after.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))

import hostile

KINDS = {"traceback": "tracebacks", "exit": "wrong exits", "lost": "lost or changed"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200, help="of each class")
    parser.add_argument("--classes", nargs="+", default=list(hostile.CLASSES))
    parser.add_argument("--seed", type=int, default=0, help="of the first")
    asked = parser.parse_args()
    print(f"| class | inputs | taken | refused | {' | '.join(KINDS.values())} | other faults |")
    print("|---|" + "---|" * (len(KINDS) + 4))
    for name in asked.classes:
        statuses: Counter[int] = Counter()
        faults: Counter[str] = Counter()
        for seed in range(asked.seed, asked.seed + asked.inputs):
            with tempfile.TemporaryDirectory() as folder:
                ran = hostile.tried(hostile.CLASSES[name], seed, Path(folder))
            statuses[ran.status] += 1
            for fault in ran.faults:
                faults[next((kind for kind in KINDS if fault.startswith(kind)), "other")] += 1
                print(f"{name} {seed}: {fault}", file=sys.stderr)
        counts = [asked.inputs, statuses[0], statuses[2], *(faults[kind] for kind in KINDS)]
        print(f"| {name} | {' | '.join(map(str, counts))} | {faults['other']} |", flush=True)


if __name__ == "__main__":
    main()
