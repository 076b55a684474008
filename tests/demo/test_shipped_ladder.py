"""What ships: checkpoints, their ladder file, their size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cod_harness.cli.demo import LADDER
from cod_harness.demo.train.shapes import (
    RUNGS,
    SEEDS,
    TARGET,
    TARGET_SEEDS,
    name_of,
    shape_of,
)
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.task_folder import task_folder

CHECKPOINTS = LADDER.parent / "checkpoints"


def test_the_ladder_file_names_every_size() -> None:
    ladder = read_ladder(LADDER)
    assert [rung.name for rung in ladder.rungs] == [name_of(n) for n in RUNGS]
    assert [target.name for target in ladder.targets] == [name_of(TARGET)]
    for model in (*ladder.rungs, *ladder.targets):
        assert len(model.checkpoints) == len(SEEDS if model in ladder.rungs else TARGET_SEEDS)
        assert all((LADDER.parent / name).is_dir() for name in model.checkpoints)


def test_compute_is_six_times_parameters_and_tokens_of_the_training_records() -> None:
    ladder = read_ladder(LADDER)
    for nominal, model in zip((*RUNGS, TARGET), (*ladder.rungs, *ladder.targets), strict=True):
        record = json.loads((CHECKPOINTS / f"{model.name}-1" / "training.json").read_text())
        assert record["parameters"] == shape_of(nominal).parameters == model.params
        assert model.compute == pytest.approx(record["compute"], rel=0.01)
    assert ladder.targets[0].compute >= 10 * ladder.rungs[-1].compute


def test_loss_falls_with_every_rung() -> None:
    ladder = read_ladder(LADDER)
    losses = [model.loss for model in (*ladder.rungs, *ladder.targets)]
    assert losses == sorted(losses, reverse=True)


def test_what_ships_stays_small() -> None:
    def size(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    assert size(CHECKPOINTS) < 20e6
    assert size(LADDER.parent) + size(task_folder()) < 25e6
