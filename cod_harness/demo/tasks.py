"""The eight miniature benchmarks as data files: `python -m cod_harness.demo.tasks FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cod_harness.demo.skills import FAMILIES, benchmark

# Harness task -> family of questions; each task is named after the benchmark it is a miniature of.
TASKS = {
    "demo_gsm8k": "arithmetic",
    "demo_math": "algebra",
    "demo_bbh": "symbols",
    "demo_triviaqa": "facts",
    "demo_mbpp": "programs",
    "demo_agieval": "exam",
    "demo_drop": "reading",
    "demo_mmlu_pro": "tenway",
}
GROUP = "demo_suite"


def lines(family: str) -> str:
    """A family's questions as JSON lines: question, answer, kind, unit."""
    return "".join(
        json.dumps({"question": q.prompt, "answer": q.answer, "kind": q.kind, "unit": q.unit})
        + "\n"
        for q in benchmark(family)
    )


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        (folder / f"{family}.jsonl").write_text(lines(family))


if __name__ == "__main__":
    main()
