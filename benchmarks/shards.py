"""One task in many shards on each engine, held against the whole run to the last digit.

python benchmarks/shards.py [--shards 40] [--only local,slurm,ray] [--jobs 4]

Compares pass rates and prompt hashes, the harness's own results file, and its samples, question by
question. SLURM and Ray are those of the tests, started here; what is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from clusters import CHECKPOINTS, engine_of

from cod_harness.ladder.files import passrate_files
from cod_harness.ladder.store import read_store
from cod_harness.task_folder import task_folder

TASK = "demo_gsm8k"
# What two runs of one thing have apart.
TIMES = {"date", "total_evaluation_time_seconds", "start_time", "end_time"}


def main() -> None:
    """Print one table. Fails where a run of shards differs from the whole one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=16)
    parser.add_argument("--only", default="local,slurm,ray")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cod") as name:
        folder = Path(name)
        took = _run(folder, "whole", asked.repeats)
        whole = _measured(folder / "whole")
        rates, _, samples = whole
        print(f"{TASK}, {len(rates)} questions x {asked.repeats}, {asked.jobs} jobs at a time\n")
        print("|run|shards|s|pass rates alike|samples alike|results file|")
        print("|---|-----:|-:|---------------:|------------:|------------|")
        print(f"|whole|1|{took:.0f}|-|-|-|", flush=True)
        for engine in asked.only.split(","):
            with engine_of(engine, folder) as options:
                if options is None:
                    continue
                words = ["--shards", str(asked.shards), "--jobs", str(asked.jobs)]
                words += ["--executor", engine]
                words += ["--ray-address", options["address"]] if options else []
                took = _run(folder, engine, asked.repeats, *words)
            cut = _measured(folder / engine)
            pd.testing.assert_frame_equal(cut[0], rates, check_exact=True)
            assert cut[1] == whole[1], "results differ"
            assert cut[2] == samples, "samples differ"
            print(
                f"|{engine}|{asked.shards}|{took:.0f}|{len(cut[0])} of {len(rates)}"
                f"|{len(cut[2])} of {len(samples)}|equal but for its times|",
                flush=True,
            )


def _run(folder: Path, name: str, repeats: int, *more: str) -> float:
    path = folder / "one.yaml"
    path.write_text(
        "ladder: one\nrungs:\n- {name: 18k, params: 18k, tokens: 10M, model: cod-tiny, "
        f"model_args: 'pretrained={CHECKPOINTS / '18k-1'}'}}\n"
    )
    line = [sys.executable, "-m", "cod_harness", "ladder", str(path), "--tasks", TASK]
    line += ["--output_path", str(folder / name), "--cod-repeats", str(repeats), "--log_samples"]
    line += ["--include_path", str(task_folder() / "demo"), "--cod-include-only", *more]
    begun = time.perf_counter()
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 2), done.stderr  # 2: too small for a forecast
    assert "failed" not in done.stderr, done.stderr
    return time.perf_counter() - begun


def _measured(folder: Path) -> tuple[pd.DataFrame, Mapping[str, Any], list[Any]]:
    """Pass rates by question, the results file without its times, the samples."""
    [store] = passrate_files(folder)
    rates = read_store(store)[0].sort_values("question").reset_index(drop=True)
    [results] = folder.rglob("results_*.json")
    [samples] = folder.rglob(f"samples_{TASK}_2*.jsonl")
    found = json.loads(results.read_text())
    return (
        rates,
        {key: value for key, value in found.items() if key not in TIMES},
        [json.loads(line) for line in samples.read_text().splitlines()],
    )


if __name__ == "__main__":
    main()
