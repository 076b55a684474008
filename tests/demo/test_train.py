"""Training the shipped ladder: seeded, resumable, exported as transformers expects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")

from safetensors.numpy import load_file  # noqa: E402

from cod_harness.demo.numpy_llama import NumpyLlama  # noqa: E402
from cod_harness.demo.train import data, shapes, training  # noqa: E402
from cod_harness.demo.train.checkpoint import save_checkpoint  # noqa: E402
from cod_harness.demo.train.model import Llama  # noqa: E402

SIZE = shapes.RUNGS[0]


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(shapes.Shape, "tokens", property(lambda shape: shape.parameters))
    monkeypatch.setattr(data, "BATCHES_A_POOL", 8)


def trained(work: Path) -> dict[str, Any]:
    training.train(SIZE, 1, work)
    weights: dict[str, Any] = load_file(work / "6.3k-1" / "model.safetensors")
    return weights


def test_a_killed_run_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = trained(tmp_path / "whole")

    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    save, saves = torch.save, []

    def dying(*args: Any) -> None:
        save(*args)
        saves.append(args)
        if len(saves) == 12:
            raise Killed

    monkeypatch.setattr(torch, "save", dying)
    with pytest.raises(Killed):
        trained(tmp_path / "killed")
    resumed = trained(tmp_path / "killed")
    assert len(saves) > 12
    for name, weight in whole.items():
        np.testing.assert_array_equal(weight, resumed[name], err_msg=name)
    assert not list((tmp_path / "killed").glob("*.state.pt*"))


def test_a_finished_model_is_not_trained_again(tmp_path: Path) -> None:
    trained(tmp_path)
    written = (tmp_path / "6.3k-1" / "model.safetensors").stat().st_mtime_ns
    trained(tmp_path)
    assert (tmp_path / "6.3k-1" / "model.safetensors").stat().st_mtime_ns == written


def test_the_record_says_what_was_trained(tmp_path: Path) -> None:
    trained(tmp_path)
    record = json.loads((tmp_path / "6.3k-1" / "training.json").read_text())
    assert record["parameters"] == shapes.shape_of(SIZE).parameters
    assert record["tokens"] >= record["parameters"]
    assert record["compute"] == 6 * record["parameters"] * record["tokens"]
    assert 0 < record["loss"] < 5


@pytest.mark.parametrize("nominal", [4_000, 99_000])
def test_the_folder_computes_what_the_training_model_computes(nominal: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Llama(shapes.shape_of(nominal))
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()  # what the file can hold
        parameter.data += 0.01 * torch.randn_like(parameter)
    save_checkpoint(tmp_path, model, {})
    network = NumpyLlama(tmp_path)
    ids = network.encode("tom has 5, gets 3:")
    with torch.no_grad():
        logits = torch.nn.functional.linear(
            model.states(torch.tensor([ids])), model.embedding.weight
        )
    expected = torch.log_softmax(logits[0].float(), dim=-1).numpy()
    np.testing.assert_allclose(network.log_probabilities([ids])[0], expected, atol=0.02)
