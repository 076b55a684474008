"""`cod-harness ablate` as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cod_harness.cli import main

MODELS = ("a", "b", "c", "d", "e", "big")
LADDER = "\n".join(
    [
        "ladder: made",
        "rungs:",
        *(
            f"- {{name: {name}, params: {2**i}e6, tokens: {2**i}e8}}"
            for i, name in enumerate("abcde")
        ),
        "targets:",
        "- {name: big, params: 64e6, tokens: 64e8}",
    ]
)


@pytest.fixture
def ladder(tmp_path: Path) -> Path:
    path = tmp_path / "ladder.yaml"
    path.write_text(LADDER)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twenty easy and twenty hard questions that rise, exact rates."""
    lines = ["task,question,model,rate,n_samples"]
    for question in range(40):
        rise, start = (0.12, 0.1) if question % 2 else (0.06, 0.05)
        for rank, model in enumerate(MODELS):
            lines.append(f"t,{question},{model},{start + rise * rank:.4f},0")
    path = tmp_path / "rates.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["ablate", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_table(ladder: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(table), "--ladder", str(ladder), "--what", "clustering,law", "--by-task"]
    status, out, err = run(words, capsys)
    assert status == 0
    assert err == "cod-harness: [1/1] t\n"
    # The numbers are the engine's; here is what stands around them.
    assert (
        re.sub(r"[-+ ]*\d+\.\d+", "#", out)
        == """\
Table 3: how questions are clustered, by cod-paper, 1 task, big measured

|Variant             |  k|  IAD| OR|  EE|  FE|FE max|Made|
|--------------------|--:|----:|--:|---:|---:|-----:|---:|
|K-Means             |#|#|#|#|#|#| 1/1|
|DBSCAN              |#|#|#|#|#|#| 1/1|
|MeanShift           |#|#|#|#|#|#| 1/1|
|Improved-KMeans     |#|#|#|#|#|#| 1/1|
|Improved-MeanShift *|#|#|#|#|#|#| 1/1|

Forecast of big minus measured, points
|Task|K-Means|DBSCAN|MeanShift|Improved-KMeans|Improved-MeanShift|
|----|------:|-----:|--------:|--------------:|-----------------:|
|t   |#|#|#|#|#|

Table 4: the law of a cluster, by cod-paper, 1 task, big measured

|Variant|   TR|  EE|  FE|FE max|Made|
|-------|----:|---:|---:|-----:|---:|
|f *    |#|#|#|#| 1/1|
|f1     |#|#|#|#| 1/1|
|f2     |#|#|#|#| 1/1|
|f3     |#|#|#|#| 1/1|

Forecast of big minus measured, points
|Task|   f|  f1|  f2|  f3|
|----|---:|---:|---:|---:|
|t   |#|#|#|#|

k: clusters; IAD: mean distance of a clustered question to the centre of its
cluster; OR: share of questions that are outliers, of those ever answered,
percent; TR: share of questions in the predictable subset, percent; EE: absolute
error on the predictable subset, points; FE: absolute error on the whole
benchmark, points; Made: forecasts made, of those asked for; the others abstain.
*: the paper's choice.
"""
    )


def test_json_to_standard_output_is_one_document(
    ladder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(table), "--ladder", str(ladder), "--base", "cod", "--json", "-"]
    status, out, err = run([*words, "--what", "law"], capsys)
    document = json.loads(out)
    assert status == 0
    assert (document["schema"], document["base"]) == ("cod-ablation/1", "cod")
    assert list(document["axes"]) == ["law"]
    assert "[1/1] t" in err


def test_an_output_folder_gets_the_json(
    ladder: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    store = folder / "cod_passrates_2026-01-01T00-00-00.000000.parquet"
    assert main(["ingest", str(table), "--ladder", str(ladder), "-o", str(store)]) == 0
    capsys.readouterr()
    status, out, err = run([str(folder), "--ladder", str(ladder), "--what", "map"], capsys)
    (written,) = folder.glob("cod_ablation_*.json")
    assert status == 0 and out.startswith("Figure A1")
    assert f"ablations written to {written}" in err
    assert list(json.loads(written.read_text())["axes"]) == ["map"]


def test_json_to_a_file_never_overwrites(
    ladder: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    path.write_text("mine")
    words = [str(table), "--ladder", str(ladder), "--what", "map", "--json", str(path)]
    status, _, err = run(words, capsys)
    assert status == 2 and f"{path}: exists already" in err
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["TABLE"], "--ladder"),
        (["TABLE", "--ladder", "LADDER", "--what", "lwa"], "no ablation 'lwa'"),
        (["TABLE", "--ladder", "LADDER", "--what", ""], "no ablation given"),
        (["TABLE", "--ladder", "LADDER", "--what", "anchors"], "no anchor was measured"),
        (["TABLE", "--ladder", "LADDER", "--base", "exp"], "no recipe 'exp'"),
        (["/nowhere.csv", "--ladder", "LADDER"], "/nowhere.csv"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(
    words: list[str], said: str, ladder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"LADDER": str(ladder), "TABLE": str(table)}
    status, out, err = run([places.get(word, word) for word in words], capsys)
    assert (status, out) == (2, "")
    lines = [line for line in err.splitlines() if "[1/1]" not in line]
    assert len(lines) == 1 and lines[0].startswith("cod-harness: ") and said in lines[0]
