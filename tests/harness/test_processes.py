"""Several processes: the first gathers all responses, scores and writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cod_harness.ladder.store import read_store

pytest.importorskip("torch", reason="several processes need torch")
pytest.importorskip("accelerate", reason="several processes need accelerate")


def test_two_processes(task_folder: Path, ladder_file: Path, tmp_path: Path) -> None:
    """Seven documents on two processes: 4 and 3, so that one pads its last request."""
    here = Path(__file__).parent
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += [str(here / "rank_main.py"), str(task_folder), "--cod", str(ladder_file)]
    command += ["--model", "cod-fake-ranks", "--model_args", "pretrained=f1,skill=2"]
    command += ["--tasks", "cod_t_custom,cod_t_choice", "--limit", "7", "--log_samples"]
    command += ["--output_path", str(tmp_path)]
    paths = [str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("pass rates written to") == 1
    [store] = tmp_path.rglob("cod_passrates_*")
    frame, settings = read_store(store)
    assert frame.groupby("task").size().to_dict() == {"cod_t_custom": 7, "cod_t_choice": 7}
    about = settings["tasks"]["cod_t_custom"]
    assert about["repeats"] == 5
    assert about["same_answer"] == 7
    assert about["first_repeat_score"] == pytest.approx(about["harness_score"])
    # Rows stand in the order of the data, and their hashes are those the harness logged.
    [samples] = tmp_path.rglob("samples_cod_t_custom_*")
    logged = [json.loads(line) for line in samples.read_text().splitlines()]
    logged.sort(key=lambda row: row["doc_id"])
    ours = frame[frame["task"] == "cod_t_custom"]
    assert list(ours["doc_hash"]) == [row["doc_hash"] for row in logged]
    assert max(len(row["resps"][0]) for row in logged) == 10  # the padded one
