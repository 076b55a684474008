"""Put trained checkpoints and their ladder file into the package.

`python -m cod_harness.demo.train.ship WORK`, after `cod_harness.demo.train --work WORK`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from pathlib import Path

from cod_harness.demo.train.shapes import RUNGS, SEEDS, TARGET, TARGET_SEEDS, name_of
from cod_harness.errors import InputError

HERE = Path(__file__).parents[1]
_HEADER = """\
# The shipped ladder: character-level Llama models trained by cod_harness.demo.train. Several
# seeds of each, averaged as neighbouring checkpoints are; the target has {ratio:.1f} times the
# compute of the largest rung. `loss` is the mean cross-entropy of the answers of fresh questions,
# nats a token.
ladder: shipped
"""


def entry(work: Path, nominal: int, seeds: tuple[int, ...]) -> tuple[str, float]:
    """One YAML entry of the ladder, its checkpoints copied; and its compute in FLOP."""
    names = [f"{name_of(nominal)}-{seed}" for seed in seeds]
    records = []
    for name in names:
        folder = work / name
        if not (folder / "training.json").exists():
            raise InputError(f"{folder}: not trained yet; run cod_harness.demo.train --work {work}")
        records.append(json.loads((folder / "training.json").read_text()))
        target = HERE / "checkpoints" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
    tokens = statistics.fmean(record["tokens"] for record in records)
    loss = statistics.fmean(record["loss"] for record in records)
    lines = [
        f"- name: {name_of(nominal)}",
        f"  params: {records[0]['parameters']}",
        f"  tokens: {tokens:.0f}",
        f"  loss: {loss:.4f}",
        "  model: cod-tiny",
        f"  model_args: pretrained=checkpoints/{names[0]}",
        f"  checkpoints: [{', '.join(f'checkpoints/{name}' for name in names)}]",
    ]
    return "\n".join(lines) + "\n", 6 * records[0]["parameters"] * tokens


def main() -> None:
    work = Path(sys.argv[1])
    shutil.rmtree(HERE / "checkpoints", ignore_errors=True)  # of a ladder before
    rungs = [entry(work, nominal, SEEDS) for nominal in RUNGS]
    target, compute = entry(work, TARGET, TARGET_SEEDS)
    text = _HEADER.format(ratio=compute / rungs[-1][1])
    text += "rungs:\n" + "".join(rung for rung, _ in rungs) + "targets:\n" + target
    (HERE / "ladder.yaml").write_text(text)


if __name__ == "__main__":
    try:
        main()
    except InputError as refusal:
        sys.exit(str(refusal))
