"""Train the shipped ladder from scratch: `python -m cod_harness.demo.train --work DIR`.

Needs torch (`pip install "cod-harness[train]"`). Every model is seeded, its state is saved once a
minute, and a killed run goes on where it was; finished models are skipped. Several processes may
share one work folder: a model is trained by the process that holds its lock file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from cod_harness.demo.train import shapes
from cod_harness.demo.train.training import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for states and results")
    parser.add_argument("--only", help="sizes to train, e.g. 4000,7600; default: all")
    parser.add_argument("--seeds", help="default: those of the shipped ladder")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--compile", action="store_true", help="faster above 250k; needs a C++ compiler"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    sizes = [int(s) for s in args.only.split(",")] if args.only else [*shapes.RUNGS, shapes.TARGET]
    for nominal in sizes:
        shipped = shapes.TARGET_SEEDS if nominal == shapes.TARGET else shapes.SEEDS
        for seed in [int(s) for s in args.seeds.split(",")] if args.seeds else shipped:
            train(nominal, seed, args.work, args.compile)


if __name__ == "__main__":
    main()
