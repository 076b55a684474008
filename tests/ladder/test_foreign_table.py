"""Columns under other names, and answers that are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.foreign_table import TableColumns
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.rate_table import WHOLE

LADDER = Ladder("l", tuple(Model(name, "rung", compute=1.0) for name in ("f1", "f2")))


def columns(*pairs: str, constant: tuple[str, ...] = ()) -> TableColumns:
    found = TableColumns.parsed(pairs, constant)
    assert found is not None
    return found


def table(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_nothing_said_is_nothing() -> None:
    assert TableColumns.parsed([], []) is None
    assert columns("question=item").constants == {}
    assert columns(constant=("task=t",)).theirs == {}


def test_columns_and_constants(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", "item,who,hits,n_samples,junk", "p,f1,3,4,x", "q,f1,0,4,y")
    names = columns("question=item", "model=who", "n_correct=hits", constant=("task=t",))
    frame = names.read([path], LADDER).frame
    assert frame[["task", "question", "model", "n_correct", "n_samples", "rate"]].values.tolist() \
        == [["t", "p", "f1", 3, 4, 0.75], ["t", "q", "f1", 0, 4, 0]]  # fmt: skip
    assert "junk" not in frame


def test_a_named_column_comes_before_one_of_ours(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", "task,question,model,item,rate", "t,p,f1,q,0.5")
    assert columns("question=item").read([path], LADDER).frame["question"].tolist() == ["q"]


def test_answers_are_counted(tmp_path: Path) -> None:
    words = ("1", "True", " yes ", "C", "0", "false", "NO", "i")
    lines = [f"p,f1,{word}" for word in words] + ["q,f1,1.0", "p,f2,0.0"]
    path = table(tmp_path, "a.csv", "question,model,score", *lines)
    frame = columns("correct=score", constant=("task=t",)).read([path], LADDER).frame
    assert frame[["question", "model", "n_correct", "n_samples"]].values.tolist() == [
        ["p", "f1", 4, 8], ["q", "f1", 1, 1], ["p", "f2", 0, 1],
    ]  # fmt: skip


def test_accuracies_of_whole_tasks(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", "bench,model,accuracy,n", "t,f1,0.25,8")
    found = columns("task=bench").read([path], LADDER).frame
    assert found[["task", "question", "rate", "n_samples"]].values.tolist() == [
        ["t", WHOLE, 0.25, 8]
    ]


def test_several_tables_are_one(tmp_path: Path) -> None:
    one = table(tmp_path, "a.csv", "item,model,rate", "p,f1,0.5")
    two = table(tmp_path, "b.csv", "item,model,rate", "p,f2,1")
    names = columns("question=item", constant=("task=t",))
    assert names.read([one, two], LADDER).frame["model"].tolist() == ["f1", "f2"]
    with pytest.raises(InputError, match=r"2 tables: row 2: .* occurs twice"):
        names.read([one, one], LADDER)


@pytest.mark.parametrize(
    ("pairs", "constant", "words"),
    [
        (("question",), (), r"--column question: write OURS=THEIRS"),
        (("question=",), (), r"write OURS=THEIRS"),
        ((), ("colour=x",), r"--constant colour=x: there is no column 'colour'"),
        (("question=gone",), (), r"csv: --column question=gone: it has no column 'gone'; it has"),
        (("correct=odd",), ("task=t",), r"row 2: correct is 'x', not 0 or 1"),
        (("correct=score",), (), r"no column for task; say which with --column task=THEIRS"),
        (("correct=score",), ("task=t", "model=f9"), r"1: the model 'f9' is not in the ladder l;"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    tmp_path: Path, pairs: tuple[str, ...], constant: tuple[str, ...], words: str
) -> None:
    path = table(tmp_path, "a.csv", "question,model,score,odd", "p,f1,1,1", "q,f1,0,x")
    with pytest.raises(InputError, match=words):
        columns(*pairs, constant=constant).read([path], LADDER)


def test_folders_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are for tables; name the"):
        columns("question=item").read([tmp_path], LADDER)
