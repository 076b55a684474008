"""Commands on results without samples, as users type them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from results_files import SIZES, of_0_3, of_0_4, rising, written

from cod_harness.cli import main
from cod_harness.cli.setup.init import GAP


def ladder_text(folder: Path, results: bool = False) -> Path:
    lines = ["ladder: pythia", "rungs:"]
    for place, size in enumerate(SIZES):
        if size == SIZES[-1]:
            lines.append("targets:")
        named = f", results: [evals/{size}.json]" if results else ""
        lines.append(f"- {{name: {size}, compute: {2.5**place}e20{named}}}")
    path = folder / "ladder.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, size in enumerate(SIZES):
        args = f"pretrained=EleutherAI/pythia-{size},revision=step143000"
        scores = {"sciq": rising(place), "arc_easy": rising(place, 2376)}
        of_0_3(tmp_path / f"evals/{size}.json", args, scores)
    return tmp_path / "evals"


def test_a_folder_of_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ladder = str(ladder_text(folder.parent))
    assert main(["check", ladder, str(folder)]) == 0
    said = capsys.readouterr().out
    assert "of 2 tasks only accuracies are known: their trend, no clusters" in said
    assert "missing" not in said and "cannot run" not in said
    assert said.splitlines()[-1] == f"next: cod-harness forecast {folder} --ladder {ladder}"
    assert main(["forecast", str(folder), "--ladder", ladder]) == 0
    out, err = capsys.readouterr()
    assert "Of results without samples, their trend alone" in out and err.count("written") == 2
    [path] = folder.glob("cod_forecast_*.json")
    assert json.loads(path.read_text())["tasks"]["sciq"]["clusters"] == []
    assert "nothing to cluster" in next(folder.glob("cod_report_*.html")).read_text()
    # What was written there is no results file.
    assert main(["backtest", str(folder), "--ladder", ladder, "--method", "cod,irt"]) == 0
    out, _ = capsys.readouterr()
    assert "No number at all from irt." in out and re.search(r"\|cod +\| *\d", out)


def test_the_ladder_names_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ladder = str(ladder_text(folder.parent, results=True))
    assert main(["check", ladder]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"forecast --ladder {ladder}")
    assert main(["forecast", "--ladder", ladder, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {entry["task"] for entry in document["forecasts"]} == {"sciq", "arc_easy"}
    assert main(["forecast", "--ladder", str(ladder_text(folder.parent))]) == 2
    assert "no pass rates given" in capsys.readouterr().err


def test_ingested(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ladder, store = str(ladder_text(folder.parent)), str(folder.parent / "rates.parquet")
    words = ["ingest", str(folder), "--ladder", ladder, "-o", store, "--match", "*-{rung}"]
    assert main(words) == 0
    assert "16 pass rates of 8 models on 2 tasks" in capsys.readouterr().out
    assert main(["forecast", store, "--ladder", ladder, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["sciq"]["source"] == "accuracies"
    # All files as one rung's.
    again = str(folder.parent / "one.parquet")
    one = str(folder / "1b.json")
    words = ["ingest", one, "--ladder", ladder, "-o", again, "--rung", "70m"]
    assert main(words) == 0
    assert "2 pass rates of 1 models" in capsys.readouterr().out


def test_renamed_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = folder.parent / "theirs.csv"
    lines = ["benchmark,net,score", *(f"arc,{size},0.{3 + i}" for i, size in enumerate(SIZES[:5]))]
    table.write_text("\n".join(lines) + "\n")
    words = ["ingest", str(table), "--ladder", str(ladder_text(folder.parent))]
    words += ["-o", str(folder.parent / "s.parquet"), "--column", "task=benchmark"]
    assert main([*words, "--column", "model=net", "--column", "accuracy=score"]) == 0
    assert "5 pass rates of 5 models on 1 tasks" in capsys.readouterr().out


def test_a_metric_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place, size in enumerate(SIZES):
        scores = {"acc,none": 0.25, "acc_norm,none": rising(place)[0]}
        results = {"hellaswag": scores}
        config = {"model_args": f"pretrained=m-{size}"}
        written(folder.parent / f"norm/{size}.json", results=results, config=config)
    words = ["forecast", str(folder.parent / "norm"), "--ladder", str(ladder_text(folder.parent))]
    words += ["--json", "-", "--metric", "hellaswag=none/acc_norm"]
    assert main(words) == 0
    task = json.loads(capsys.readouterr().out)["tasks"]["hellaswag"]
    assert task["metric"] == "acc_norm" and task["rungs"][-1]["accuracy"] == rising(6)[0]
    assert main([*words[:-1], "hellaswag=acc_norm"]) == 2
    assert "--metric hellaswag=acc_norm: write TASK=FILTER" in capsys.readouterr().err


def test_registered_and_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    target = folder / f"{SIZES[-1]}.json"
    target.rename("target.json")
    assert (
        main(["forecast", "evals", "--ladder", str(ladder_text(Path())), "--json", "f.json"]) == 0
    )
    assert main(["register", "f.json"]) == 0
    capsys.readouterr()
    assert main(["score", "cod_register.jsonl", "target.json"]) == 0
    said = capsys.readouterr().out
    assert "sciq" in said and f"{100 * rising(7)[0]:.1f}" in said


@pytest.mark.parametrize("command", ["forecast", "backtest", "check", "ingest"])
def test_nothing_of_any_kind(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "ckpt"
    empty.mkdir()
    (empty / "weights.bin").write_text("")
    ladder = str(ladder_text(tmp_path))
    if command == "check":
        assert main(["check", ladder, str(empty)]) == 0
        assert "missing: pass rates of 4 rungs or more" in capsys.readouterr().out
        return
    assert main([command, str(empty), "--ladder", ladder]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "(1 .bin)" in said
    for way in ("--output_path", "results", "samples_*.jsonl"):
        assert way in said


def test_a_ladder_file_out_of_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for place, size in enumerate(("70m", "1.4b")):
        of_0_3(Path(f"evals/{size}.json"), f"pretrained=org/m-{size}", {"sciq": rising(place)})
    for step in range(5):
        args = f"pretrained=org/m-1b,revision=step{step}"
        of_0_3(Path(f"evals/1b_step{step}.json"), args, {"sciq": rising(3)})
    of_0_4(Path("evals/org__other/results_x.json"), "org/other", {"sciq": rising(3)})
    Path("sub").mkdir()
    assert main(["init", "evals", "-o", "sub/l.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("check sub/l.yaml evals`")
    text = Path("sub/l.yaml").read_text()
    rungs = {one["name"]: one for one in yaml.safe_load(text)["rungs"]}
    assert list(rungs) == ["m-70m", "m-1b", "m-1.4b", "other"]
    assert "params: 1.4e9  # by its name" in text and rungs["other"]["params"] == GAP
    assert rungs["m-70m"]["results"] == ["../evals/70m.json"] and "results" not in rungs["m-1b"]
    assert "# 5 results files, found by the model's name" in text
