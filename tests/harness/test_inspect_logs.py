"""Logs that Inspect itself wrote; right answers are counted by hand."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cod_harness.cli import main
from cod_harness.errors import InputError
from cod_harness.harness.ingest.ingest import ingest
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.store import read_store

ANSWERS = {"a": ["2", "3"], "b": ["4"], "c": ["0", "5", "7"]}  # given in turn, over the epochs
TARGETS = {"a": "2", "b": "4", "c": "7"}
RIGHT = {"a": 3, "b": 6, "c": 2}  # of 6 epochs


@pytest.fixture
def inspect() -> Any:
    return pytest.importorskip("inspect_ai", reason="needs pip install 'cod-harness[inspect]'")


@pytest.fixture
def ladder(ladder_file: Path) -> Ladder:
    return read_ladder(ladder_file)


def log(
    inspect: Any, folder: Path, model: str = "mockllm/f1", scorers: int = 1, word: str = ""
) -> Any:
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Score, accuracy, includes, match, scorer
    from inspect_ai.solver import solver

    @solver
    def scripted() -> Any:
        async def solve(state: Any, generate: Any) -> Any:
            told = ANSWERS[state.sample_id]
            text = told[(state.epoch - 1) % len(told)]
            state.output = ModelOutput.from_content(str(state.model), text)
            return state

        return solve

    @scorer(metrics=[accuracy()])
    def says() -> Any:
        async def score(state: Any, target: Any) -> Any:
            return Score(value=word)

        return score

    samples = [Sample(id=name, input=f"{name}?", target=TARGETS[name]) for name in ANSWERS]
    task = inspect.Task(
        name="sums",
        dataset=MemoryDataset(samples),
        solver=scripted(),
        scorer=says() if word else [match(), includes()][:scorers],
    )
    [made] = inspect.eval(
        task, model=model, epochs=6, log_dir=str(folder), log_format="eval", display="none"
    )
    assert made.status == "success"
    return made


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Logs of two rungs, the first's first by name."""
    inspect = pytest.importorskip("inspect_ai", reason="needs pip install 'cod-harness[inspect]'")
    made = []
    for rung in ("f1", "f2"):
        folder = tmp_path_factory.mktemp("logs")
        log(inspect, folder, f"mockllm/{rung}")
        [path] = folder.glob("*.eval")
        made.append(path.rename(folder / f"{rung}.eval"))
    return made


def test_epochs_are_repeats(
    inspect: Any, tmp_path: Path, ladder_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [log(inspect, tmp_path / "logs", f"mockllm/{rung}") for rung in ("f1", "f2")]
    out = tmp_path / "rates.parquet"
    words = ["ingest", str(tmp_path / "logs"), "--ladder", str(ladder_file), "-o", str(out)]
    assert main(words) == 0
    assert "2 Inspect logs found, 2 used: 6 questions" in capsys.readouterr().err
    frame, _ = read_store(out)
    for rung in ("f1", "f2"):
        rows = frame[frame["model"] == rung].set_index("question")
        assert rows["n_correct"].to_dict() == RIGHT
        assert set(rows["n_samples"]) == {6}
        accuracy = made[0].results.scores[0].metrics["accuracy"].value
        assert rows["rate"].mean() == pytest.approx(accuracy)


def test_newest_counts(inspect: Any, tmp_path: Path, ladder: Ladder) -> None:
    for folder in ("one", "two"):
        log(inspect, tmp_path / folder)
    found = ingest([tmp_path], ladder)
    assert len(found.frame) == 3
    assert any("is newer" in note for note in found.notes)


def test_several_scorers(inspect: Any, tmp_path: Path, ladder: Ladder) -> None:
    log(inspect, tmp_path, scorers=2)
    with pytest.raises(InputError, match="--metric sums=match/value"):
        ingest([tmp_path], ladder)
    found = ingest([tmp_path], ladder, {"sums": ("includes", "value")})
    assert set(found.frame["filter"]) == {"includes"}
    with pytest.raises(InputError, match="it has match/value, includes/value"):
        ingest([tmp_path], ladder, {"sums": ("match", "f1")})


def test_words_as_scores(inspect: Any, tmp_path: Path, ladder: Ladder) -> None:
    """Inspect takes a word it doesn't know for 0; a forecast must not."""
    log(inspect, tmp_path / "known", word="yes")
    assert set(ingest([tmp_path / "known"], ladder).frame["rate"]) == {1.0}
    log(inspect, tmp_path / "unknown", word="maybe")
    with pytest.raises(InputError, match="the scorer says gives 'maybe', no number"):
        ingest([tmp_path / "unknown"], ladder)


def test_unknown_model(inspect: Any, tmp_path: Path, ladder: Ladder) -> None:
    log(inspect, tmp_path, "mockllm/other")
    with pytest.raises(InputError, match=r"no entry fits the model.*other"):
        ingest([tmp_path], ladder)
    assert set(ingest([tmp_path], ladder, rung="f3").frame["model"]) == {"f3"}


def test_broken_log(inspect: Any, tmp_path: Path, ladder: Ladder) -> None:
    log(inspect, tmp_path)
    [path] = tmp_path.glob("*.eval")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="not a readable log of Inspect"):
        ingest([path], ladder)


def rewritten(path: Path, name: str, content: bytes) -> None:
    """The archive with another content of one part."""
    with zipfile.ZipFile(path) as good:
        parts = {part: good.read(part) for part in good.namelist()}
    assert name in parts
    with zipfile.ZipFile(path, "w") as made:
        for part, data in (parts | {name: content}).items():
            made.writestr(part, data)


@pytest.mark.parametrize("part", ["header.json", "summaries.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"null", b"[" * 700 + b"]" * 700, b"[" * 9000 + b"]" * 9000, b"\xff"],
    ids=["nothing", "cut", "another type", "null", "deep", "deeper", "no text"],
)
def test_a_broken_log_costs_no_other(
    tmp_path: Path, ladder: Ladder, logs: list[Path], part: str, content: bytes
) -> None:
    for path in logs:
        shutil.copy(path, tmp_path)
    broken, _ = sorted(tmp_path.glob("*.eval"))
    rewritten(broken, part, content)
    found = ingest([tmp_path], ladder)
    assert set(found.frame["model"]) == {"f2"} and len(found.frame) == 3
    assert any(str(broken) in note and "not used" in note for note in found.notes)


def test_a_flipped_byte_costs_no_other(tmp_path: Path, ladder: Ladder, logs: list[Path]) -> None:
    """What is compressed has a sum of its own, which the archive's reader looks at."""
    for path in logs:
        shutil.copy(path, tmp_path)
    broken, _ = sorted(tmp_path.glob("*.eval"))
    with zipfile.ZipFile(broken) as good:
        at = good.getinfo("summaries.json").header_offset
    data = bytearray(broken.read_bytes())
    data[at + 60] ^= 1
    broken.write_bytes(data)
    found = ingest([tmp_path], ladder)
    assert set(found.frame["model"]) == {"f2"}
    assert any(str(broken) in note and "not used" in note for note in found.notes)


def test_a_run_that_did_not_end_well_costs_no_other(
    tmp_path: Path, ladder: Ladder, logs: list[Path]
) -> None:
    for path in logs:
        shutil.copy(path, tmp_path)
    stopped, _ = sorted(tmp_path.glob("*.eval"))
    with zipfile.ZipFile(stopped) as good:
        header = good.read("header.json")
    assert b'"status":"success"' in header
    rewritten(stopped, "header.json", header.replace(b'"status":"success"', b'"status":"error"'))
    found = ingest([tmp_path], ladder)
    assert set(found.frame["model"]) == {"f2"}
    assert any("its run ended with 'error'" in note for note in found.notes)


def test_without_inspect(tmp_path: Path, ladder: Ladder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "inspect_ai.log", None)
    (tmp_path / "x.eval").write_bytes(b"")
    with pytest.raises(InputError, match=r"pip install 'cod-harness\[inspect\]'"):
        ingest([tmp_path], ladder)
