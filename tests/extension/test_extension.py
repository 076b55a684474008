"""A package of another house, installed beside ours: what it brings is found and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

EXAMPLE = Path(__file__).parent / "example"
QUESTIONS = 40
LADDER = """\
ladder: example
rungs:
- {name: a, compute: 1e18, model: cod-tiny}
- {name: b, compute: 4e18, model: cod-tiny}
- {name: c, compute: 16e18, model: cod-tiny}
- {name: d, compute: 64e18, model: cod-tiny}
- {name: e, compute: 256e18, model: cod-tiny}
targets:
- {name: big, compute: 4e21}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the example package was installed into."""
    pytest.importorskip("hatchling", reason="the package is built with hatchling")
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def ran(installed: Path, *words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Our command line in a process that has the package."""
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "cod_harness", *map(str, words)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def ladder(tmp_path: Path) -> Path:
    path = tmp_path / "ladder.yaml"
    path.write_text(LADDER)
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder of logs that only the example's reader knows."""
    folder = tmp_path / "logs"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for place, name in enumerate("abcde"):
        for date, shift in (("2026-01-01", -0.1), ("2026-01-02", 0.0)):
            right = generator.binomial(50, 0.2 + shift + 0.1 * place, QUESTIONS).tolist()
            log = {"model": name, "task": "sums", "date": date}
            log["right"] = {f"q{at}": [count, 50] for at, count in enumerate(right)}
            (folder / f"{name}-{date}.tally.json").write_text(json.dumps(log))
    (folder / "x.tally.json").write_text(
        json.dumps({"model": "stranger", "task": "sums", "date": "2026", "right": {}})
    )
    return folder


def test_logs_of_a_kind_of_its_own_are_ingested(
    installed: Path, logs: Path, ladder: Path, tmp_path: Path
) -> None:
    from cod_harness import read_passrates

    out = tmp_path / "rates.parquet"
    done = ran(installed, "ingest", logs, "--ladder", ladder, "-o", out)
    assert "a-2026-01-01.tally.json: not used, a-2026-01-02.tally.json is newer" in done.stderr
    assert "x.tally.json: not used: " in done.stderr
    rates = read_passrates(out)
    assert rates.models("sums") == list("abcde")
    matrix = rates.matrix("sums", ["a"])
    log = json.loads((logs / "a-2026-01-02.tally.json").read_text())
    np.testing.assert_allclose(
        matrix.rates[:, 0] * 50, [right for right, _ in log["right"].values()]
    )
    assert {run["tasks"]["sums"]["metric"] for run in rates.settings} == {"tally"}
    # Without the package nobody knows these files.
    unknown = ran(tmp_path, "ingest", logs, "--ladder", ladder, "-o", tmp_path / "no", status=2)
    assert unknown.stderr.count("\n") == 1


def table(folder: Path) -> Path:
    """Rates with means that a line through two points tells at once: 0.3, 0.4, ... 0.7."""
    rows = [
        {"task": "sums", "question": f"q{at}", "model": name, "n_correct": right, "n_samples": 10}
        for place, name in enumerate("abcde")
        for at, right in enumerate([3 + place] * QUESTIONS)
    ]
    path = folder / "rates.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_method_of_its_own_forecasts(installed: Path, ladder: Path, tmp_path: Path) -> None:
    rates = table(tmp_path)
    words = ["--ladder", ladder, "--method", "two-rungs", "--json", "-"]
    (made,) = json.loads(ran(installed, "forecast", rates, *words).stdout)["forecasts"]
    assert made["method"] == "two-rungs"
    slope = 0.1 / np.log(4)
    assert made["mean"] == pytest.approx(min(1, 0.7 + slope * np.log(4e21 / 256e18)))
    hidden = json.loads(ran(installed, "backtest", rates, *words, "--holdout", "1").stdout)
    assert [(row["method"], row["target"]) for row in hidden["rows"]] == [("two-rungs", "e")]
    assert hidden["rows"][0]["forecast"] == pytest.approx(0.7)
    unknown = ran(tmp_path, "forecast", rates, *words, status=2)
    assert "two-rungs" in unknown.stderr and unknown.stderr.count("\n") == 1


def test_an_executor_of_its_own_is_asked(installed: Path, ladder: Path, tmp_path: Path) -> None:
    from cod_harness.harness.campaign import executors

    if not hasattr(executors, "EXECUTORS"):
        pytest.skip("ladders run on this machine alone")
    words = ["ladder", ladder, "--tasks", "demo", "--output_path", tmp_path / "out"]
    done = ran(installed, *words, "--executor", "one-by-one", "--dry-run")
    assert [line for line in done.stdout.splitlines() if line.startswith("one by one: ")]
    unknown = ran(tmp_path, *words, "--executor", "one-by-one", "--dry-run", status=2)
    assert "one-by-one" in unknown.stderr and unknown.stderr.count("\n") == 1
