"""A range of compute, and checkpoints held against its band."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_ladders import Seen

from cod_harness.cli import main
from cod_harness.errors import InputError
from cod_harness.evaluation.checkpoints import Checkpoint, read_checkpoints
from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.report.text.curve_table import band, curve_table


def test_checkpoints_are_forecast_at_their_compute(
    engine: Seen, rates: PassRates, ladder: Ladder
) -> None:
    task = rates.tasks[0]
    seen = [Checkpoint(task, "step-9", 3e22, 0.99), Checkpoint(task, "step-8", 2e22, 0.0)]
    options = ForecastOptions(compute=[1e22, 1e23], checkpoints=seen, methods=["exp"])
    record = forecast_ladder(rates, ladder, options).record
    mine = list(record.of(task))
    assert [entry.compute for entry in mine] == [1e22, 1e23, 3e22, 2e22]
    assert [band(entry) for entry in mine] == ["-", "-", "above", "below"]
    text = curve_table(record.forecasts, 80)
    assert "3e+22 (step-9)" in text and text.index("step-8") < text.index("step-9")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("task,compute\nt,1e22", "lacks the column accuracy"),
        ("task,compute,accuracy", "has no rows"),
        ("task,compute,accuracy\nu,1e22,0.5", "row 1: no task 'u'"),
        ("task,compute,accuracy\nt,1e22,0.5\nt,x,0.5", "row 2: compute 'x'"),
        ("task,compute,accuracy\nt,-1,0.5", "row 1: compute is -1"),
        ("task,compute,accuracy\nt,1e22,50", "accuracy is 50"),
        ("", "not a readable CSV file"),
    ],
)
def test_wrong_checkpoints(tmp_path: Path, lines: str, words: str) -> None:
    path = tmp_path / "seen.csv"
    path.write_text(lines)
    with pytest.raises(InputError, match=words):
        read_checkpoints(path, ["t"])
    with pytest.raises(InputError, match="no such file"):
        read_checkpoints(tmp_path / "none.csv", ["t"])


@pytest.mark.parametrize("amount", ["1e24:1e22", "1:2:3:4", "1e22:x", "0:1e22", "1e22:1e23:1"])
def test_a_wrong_range_of_compute(
    amount: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: object
) -> None:
    ladder = tmp_path / "l.yaml"
    rungs = "".join(f"- {{name: r{i}, params: 1e{i + 6}, tokens: 1e9}}\n" for i in range(4))
    ladder.write_text(f"ladder: l\nrungs:\n{rungs}")
    rows = "".join(f"t,q{q},r{i},{q % 2},1\n" for q in range(4) for i in range(4))
    (tmp_path / "p.csv").write_text("task,question,model,n_correct,n_samples\n" + rows)
    status = main(["forecast", f"{tmp_path}/p.csv", "--ladder", str(ladder), "--compute", amount])
    assert status == 2
    told = capsys.readouterr().err
    assert told.startswith("cod-harness: --compute") and told.count("\n") == 1
