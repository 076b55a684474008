"""A store that was damaged is named; what others wrote worse never takes its place."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.files import write_whole
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.ladder.store import read_store, write_passrates


def rows(model: str, questions: int = 20, right: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task": "t",
            "question": [f"q{at}" for at in range(questions)],
            "model": model,
            "n_correct": float(right),
            "n_samples": 8,
            "rate": right / 8,
        }
    )


def settings(model: str) -> dict[str, Any]:
    return {"ladder": "l", "rung": model, "checkpoint": "", "tasks": {"t": {"metric": "acc"}}}


def test_a_flipped_bit_is_named(tmp_path: Path) -> None:
    path = write_passrates(tmp_path / "cod_passrates_1.parquet", rows("m"), settings("m"))
    whole, (frame, about) = path.read_bytes(), read_store(path)
    chance = random.Random(9)
    named = 0
    for _ in range(250):
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        changed = bytearray(whole)
        changed[at] ^= 1 << bit
        path.write_bytes(bytes(changed))
        try:
            found, said = read_store(path)
        except InputError as refused:
            named += str(path) in str(refused) and "\n" not in str(refused)
            continue
        # What counts is untouched: the bit belonged to statistics nobody reads.
        pd.testing.assert_frame_equal(found, frame)
        assert said == about
        named += 1
    assert named == 250


def test_a_store_is_read_as_a_store_wherever_it_is_named(tmp_path: Path) -> None:
    """Not as a table, whose rows count as they are: copies are one sample, a digest is held."""
    about = settings("m")
    about["tasks"]["t"]["identical_share"] = 1.0
    path = write_passrates(tmp_path / "cod_passrates_1.parquet", rows("m", right=8), about)
    for named in (path, tmp_path):
        assert set(read_passrates(named).frame["n_samples"]) == {1}
    pq.write_table(pq.read_table(path).slice(1), path)  # a row less
    for named in (path, tmp_path):
        with pytest.raises(InputError, match="its digest differs"):
            read_passrates(named)


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    old, new = tmp_path / ".cod_x.parquet.a.tmp", tmp_path / ".cod_x.parquet.b.tmp"
    theirs = tmp_path / ".other.tmp"
    for path in (old, new, theirs):
        path.write_text("half")
        if path is not new:
            os.utime(path, (time.time() - 7200,) * 2)
    write_whole(tmp_path / "cod_x.parquet", b"whole")
    assert not old.exists()
    assert new.exists() and theirs.exists()


@pytest.fixture
def ladder(tmp_path: Path) -> Path:
    path = tmp_path / "l.yaml"
    path.write_text("ladder: l\nrungs:\n- {name: m, params: 1e6, tokens: 1e6}\n")
    return path


def test_models_that_the_ladder_does_not_list_are_left_out(tmp_path: Path, ladder: Path) -> None:
    out = tmp_path / "out"
    write_passrates(out / "cod_passrates_1.parquet", rows("m"), settings("m"))
    write_passrates(out / "cod_passrates_2.parquet", rows("other"), settings("other"))
    found = read_passrates(out, read_ladder(ladder))
    assert found.models() == ["m"]
    assert any("left out: other" in note for note in found.notes)
    (out / "cod_passrates_1.parquet").unlink()
    with pytest.raises(InputError, match="left out: other"):
        read_passrates(out, read_ladder(ladder))


def test_a_run_of_a_part_of_the_questions_replaces_nothing(tmp_path: Path, ladder: Path) -> None:
    out = tmp_path / "out"
    write_passrates(out / "cod_passrates_1.parquet", rows("m", 60, right=5), settings("m"))
    write_passrates(out / "cod_passrates_2.parquet", rows("m", 10, right=1), settings("m"))
    found = read_passrates(out, read_ladder(ladder))
    assert len(found.frame) == 60 and set(found.frame["n_correct"]) == {5.0}
    assert any("cod_passrates_2" in note and "more questions" in note for note in found.notes)
    # As many questions or others: the newest counts, as ever.
    write_passrates(out / "cod_passrates_3.parquet", rows("m", 60, right=2), settings("m"))
    assert set(read_passrates(out, read_ladder(ladder)).frame["n_correct"]) == {2.0}
