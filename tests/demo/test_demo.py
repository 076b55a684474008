"""`cod-harness demo`, on a few of the shipped checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from cod_harness.cli import demo
from cod_harness.ladder.read_ladder import read_ladder

RUNGS = ("6.3k", "10.6k", "18k", "30.7k")
TARGET = "52.4k"


def short_ladder(folder: Path) -> Path:
    """A ladder file of some shipped models, one seed each; the last one is the target."""
    shipped = read_ladder(demo.LADDER)
    lines = ["ladder: short", "rungs:"]
    for model in (model for model in shipped.rungs if model.name in (*RUNGS, TARGET)):
        lines += ["targets:"] * (model.name == TARGET)
        lines += [
            f"- name: {model.name}",
            f"  params: {model.params}",
            f"  tokens: {model.tokens}",
            f"  loss: {model.loss}",
            "  model: cod-tiny",
            f"  model_args: pretrained={demo.LADDER.parent / model.checkpoints[0]}",
        ]
    path = folder / "ladder.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("light")
def test_the_demo_ends_with_a_table_a_sentence_and_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "LADDER", short_ladder(tmp_path))
    monkeypatch.setattr(demo, "REPEATS", 4)
    assert demo.main(["--output_path", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    said = " ".join(out.split())
    assert said.startswith(
        "4 models of 6.3k to 30.7k parameters forecast one of 52.4k, trained with 2."
    )
    rows = [line for line in out.splitlines() if line.startswith("|demo_")]
    assert len(rows) == 8
    assert "|mean error size" in out
    assert "From the smaller models alone cod forecast" in said
    page = Path(out.rstrip().rpartition(": ")[2])
    assert page.suffix == ".html"
    assert all(row.split("|")[1].strip() in page.read_text() for row in rows)
