"""Pass rates out of samples that the harness logged by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness_runs import DOCUMENTS, Ran

from cod_harness.errors import InputError
from cod_harness.harness.ingest.ingest import ingest
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.store import read_store


@pytest.fixture
def logged(everything: Ran, tmp_path: Path) -> Path:
    """A run's folder as it is without the capture's file."""
    folder = tmp_path / "runs"
    shutil.copytree(everything.folder, folder)
    for path in folder.rglob("cod_*"):
        path.unlink()
    return folder


def test_ingested(logged: Path, everything: Ran, ladder_file: Path) -> None:
    found = ingest([logged], read_ladder(ladder_file))
    captured, _ = read_store(everything.stores[0])
    assert set(found.frame["model"]) == {"f1"}
    for task in ("cod_t_choice", "cod_t_choice_many", "cod_t_word"):
        ours = found.frame[found.frame["task"] == task]
        theirs = captured[captured["task"] == task]
        assert list(ours["question"]) == list(theirs["question"])
        assert ours["rate"].to_numpy() == pytest.approx(theirs["rate"].to_numpy(), abs=1e-9)
        assert set(ours["n_samples"]) == {0}
    scores = everything.results["cod"]["tasks"]
    for task in ("cod_t_two_filters", "cod_t_majority", "cod_t_custom", "cod_t_aliases"):
        ours = found.frame[found.frame["task"] == task]
        assert set(ours["n_samples"]) == {1}
        assert ours["rate"].mean() == pytest.approx(scores[task]["harness_score"])
        assert set(ours["filter"]) == {scores[task]["filter"]}
    assert any("5 responses a question are logged" in note for note in found.notes)
    left_out = [note for note in found.notes if "not used" in note]
    assert len(left_out) == 2, left_out
    assert any("cod_t_rolling" in note and "word_perplexity" in note for note in left_out)
    # Its one logged score is the mean over five responses.
    assert any("cod_t_code" in note and "not 0 or 1" in note for note in left_out)


def _one(logged: Path, task: str) -> Path:
    return next(logged.rglob(f"samples_{task}_2*"))


def test_last_line_cut_off(logged: Path, ladder_file: Path) -> None:
    path = _one(logged, "cod_t_choice")
    path.write_text(path.read_text()[:-40])
    found = ingest([path], read_ladder(ladder_file))
    assert len(found.frame) == DOCUMENTS - 1
    assert f"{path}: line {DOCUMENTS} is cut off; the lines before it are used" in found.notes


def test_broken_line(logged: Path, ladder_file: Path) -> None:
    path = _one(logged, "cod_t_choice")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], '{"doc_id": 1}', *lines[2:]]) + "\n")
    found = ingest([path], read_ladder(ladder_file))
    assert len(found.frame) == DOCUMENTS - 1
    assert any("line 2: not a logged sample" in note for note in found.notes)
    assert any("1 broken and left out" in note for note in found.notes)


def test_folder_of_an_unknown_model(logged: Path, ladder_file: Path) -> None:
    (logged / "f1").rename(logged / "someone__else")
    for path in logged.rglob("results_*"):
        path.unlink()
    with pytest.raises(InputError, match=r"no pass rates found.*no entry fits the model"):
        ingest([logged], read_ladder(ladder_file))


def test_captured_comes_before_logged(everything: Ran, ladder_file: Path) -> None:
    found = ingest([everything.folder], read_ladder(ladder_file))
    custom = found.frame[found.frame["task"] == "cod_t_custom"]
    assert set(custom["n_samples"]) == {5}
    assert any("already in a file" in note for note in found.notes)


def test_nothing_there(tmp_path: Path, ladder_file: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        ingest([tmp_path / "x"], read_ladder(ladder_file))
    with pytest.raises(InputError, match="holds no cod_passrates"):
        ingest([tmp_path], read_ladder(ladder_file))
