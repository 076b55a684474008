"""What users type, and what they are told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cod_harness.cli import main

LADDER = """\
ladder: made
rungs:
- {name: a, params: 1e6, tokens: 1e8}
- {name: b, params: 2e6, tokens: 2e8}
- {name: c, params: 4e6, tokens: 4e8}
- {name: d, params: 8e6, tokens: 8e8}
- {name: e, params: 16e6, tokens: 16e8}
targets:
- {name: big, params: 64e6, tokens: 64e8}
"""


@pytest.fixture
def ladder(tmp_path: Path) -> Path:
    path = tmp_path / "ladder.yaml"
    path.write_text(LADDER)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Forty questions whose rates rise along the ladder."""
    lines = ["task,question,model,n_correct,n_samples"]
    for question in range(40):
        for rank, model in enumerate(["a", "b", "c", "d", "e", "big"]):
            rate = min(0.99, 0.05 + (0.1 + 0.02 * (question % 2)) * (rank + (model == "big")))
            lines.append(f"t,{question},{model},{round(100 * rate)},100")
    path = tmp_path / "rates.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(["--help"], capsys)
    assert status == 0
    for command in ("run", "ladder", "forecast", "ingest", "ablate", "tasks", "demo"):
        assert f"cod-harness {command}" in out


def test_forecast_prints_a_table(
    ladder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(["forecast", str(table), "--ladder", str(ladder)], capsys)
    assert status == 0
    assert "|t " in out
    assert "big" in out


def test_json_to_standard_output_is_one_document_and_nothing_else(
    ladder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["forecast", str(table), "--ladder", str(ladder), "--json", "-"]
    status, out, _ = run([*words, "--method", "cod-paper,cod"], capsys)
    document = json.loads(out)
    assert status == 0
    assert document["schema"] == "cod-forecast/1"
    assert [entry["method"] for entry in document["forecasts"]] == ["cod-paper", "cod"]


def test_json_to_a_file_never_overwrites(
    ladder: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    path.write_text("mine")
    words = ["forecast", str(table), "--ladder", str(ladder), "--json", str(path)]
    status, _, err = run(words, capsys)
    assert status == 2
    assert str(path) in err
    assert path.read_text() == "mine"


def test_a_compute_may_be_asked_for(
    ladder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["forecast", str(table), "--ladder", str(ladder), "--compute", "5e18", "--json", "-"]
    _, out, _ = run(words, capsys)
    assert [entry["compute"] for entry in json.loads(out)["forecasts"]] == [5e18]


def test_ingest_writes_what_forecast_reads(
    ladder: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store.parquet"
    words = ["ingest", str(table), "--ladder", str(ladder), "-o", str(store)]
    status, out, err = run(words, capsys)
    assert status == 0, err
    assert "240 pass rates of 6 models on 1 tasks" in out
    _, from_store, _ = run(["forecast", str(store), "--ladder", str(ladder)], capsys)
    _, from_table, _ = run(["forecast", str(table), "--ladder", str(ladder)], capsys)
    assert from_store == from_table


def test_tasks_path_is_a_folder_of_configurations(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(["tasks", "--path"], capsys)
    assert (Path(out.strip()) / "demo" / "demo_gsm8k.yaml").exists()
    _, out, _ = run(["tasks"], capsys)
    assert "demo_mmlu_pro" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forcast"], "no command 'forcast'"),
        (["forecast"], "--ladder"),
        (["forecast", "TABLE", "--ladder", "/nowhere.yaml"], "/nowhere.yaml"),
        (["forecast", "/nowhere.csv", "--ladder", "LADDER"], "/nowhere.csv"),
        (["forecast", "TABLE", "--ladder", "LADDER", "--method", "magic"], "magic"),
        (["forecast", "TABLE", "--ladder", "LADDER", "--target", "bigger"], "bigger"),
        (["forecast", "TABLE", "--ladder", "LADDER", "--compute", "lots"], "lots"),
        (["forecast", "TABLE", "--ladder", "LADDER", "--compute", "-3"], "-3"),
        (["forecast", "TABLE", "--ladder", "LADDER", "--level", "90"], "--level 90"),
        (["ingest", "LADDER", "--ladder", "LADDER"], "ladder.yaml"),
        (["ingest", "TABLE", "--ladder", "LADDER", "--metric", "x"], "TASK=FILTER/METRIC"),
        (["run", "--tasks", "t"], "--cod LADDER.yaml is missing"),
        (["run", "--tasks", "t", "--cod", "LADDER"], "--output_path"),
        (
            ["run", "--tasks", "t", "--output_path", "OUT", "--cod", "/nowhere.yaml"],
            "/nowhere.yaml",
        ),
        (
            ["run", "--tasks", "t", "--output_path", "OUT", "--cod", "LADDER", "--cod-rung", "z"],
            "z",
        ),
        (["ladder", "LADDER", "--tasks", "t"], "--output_path"),
        (["demo", "--fast"], "--fast"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(
    words: list[str], said: str, ladder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"LADDER": str(ladder), "TABLE": str(table)}
    status, out, err = run([places.get(word, word) for word in words], capsys)
    assert status == 2
    assert out == ""
    assert err.startswith("cod-harness: ")
    assert len(err.splitlines()) == 1
    assert said in err


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cod_harness", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("cod-harness ")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, cod_harness, cod_harness.cli; "
        "print([m for m in ('numpy', 'pandas', 'sklearn', 'scipy', 'lm_eval') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_engine_imports_without_the_harness() -> None:
    code = "import sys, cod_harness.engine; print('lm_eval' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_completion_knows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(["completion", "bash"], capsys)
    assert status == 0
    subprocess.run(["bash", "-c", f"{out}\ncomplete -p cod-harness"], check=True)
    for command in ("forecast", "report", "register", "score"):
        assert command in out


def test_a_folder_gets_the_page_beside_the_json(
    ladder: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    store = str(out / "cod_passrates_1.parquet")
    run(["ingest", str(table), "--ladder", str(ladder), "-o", store], capsys)
    status, _, err = run(["--verbose", "forecast", str(out), "--ladder", str(ladder)], capsys)
    assert status == 0, err
    [document] = out.glob("cod_forecast_*.json")
    [page] = out.glob("cod_report_*.html")
    assert str(page) in err and "page drawn in" in err
    command = json.loads(document.read_text())["settings"]["command"]
    assert command == ["cod-harness", "forecast", str(out), "--ladder", str(ladder)]
    for words in (["--quiet", "forecast"], ["forecast", "--quiet"]):
        _, table_, err = run([*words, str(out), "--ladder", str(ladder)], capsys)
        assert err == "" and "|t " in table_
