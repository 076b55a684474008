"""`init` writes what it finds, `check` says what to type next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cod_harness.cli import main
from cod_harness.cli.setup.init import GAP


def _checkpoint(folder: Path, shape: list[int]) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    head = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)


def test_from_checkpoints_to_the_next_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, width in (("big", 30), ("small", 10)):
        _checkpoint(tmp_path / "ckpt" / name, [width, width])
    path = tmp_path / "ladder.yaml"
    assert main(["init", str(tmp_path / "ckpt"), "-o", str(path)]) == 0
    found = yaml.safe_load(path.read_text())
    assert [(one["name"], one["params"]) for one in found["rungs"]] == [
        ("small", 100),
        ("big", 900),
    ]
    assert {one["tokens"] for one in found["rungs"]} == {GAP}
    capsys.readouterr()
    # A gap is one line that names it; nothing of the user's is overwritten.
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["init", str(tmp_path / "ckpt"), "-o", str(path)]) == 2
    path.write_text(path.read_text().replace(f"tokens: {GAP}", "tokens: 1e6")
                    .replace(f"params: {GAP}", "params: 1e6").replace(GAP, "mine"))  # fmt: skip
    capsys.readouterr()
    assert main(["check", str(path), str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "2 rungs" in said and "not measured" in said
    assert said.splitlines()[-1].startswith(f"next: cod-harness ladder {path}")


def test_results_of_earlier_runs(tmp_path: Path) -> None:
    runs = tmp_path / "runs" / "org__model-1b"
    runs.mkdir(parents=True)
    results = runs / "results_2026.json"
    results.write_text(json.dumps({"config": {"model_num_parameters": 7}, "results": {}}))
    (runs / "results_broken.json").write_text("[" * 5000)
    path = tmp_path / "l.yaml"
    assert main(["init", str(tmp_path / "runs"), "-o", str(path)]) == 0
    [rung] = yaml.safe_load(path.read_text())["rungs"]
    assert (rung["name"], rung["params"], rung["results"]) == ("model-1b", 7, [str(results)])


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for where in (tmp_path, tmp_path / "nowhere"):
        assert main(["init", str(where), "-o", str(tmp_path / "l.yaml")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
