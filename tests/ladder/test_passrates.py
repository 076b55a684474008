from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import COLUMNS
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates
from cod_harness.ladder.store import read_store, write_passrates

SHARED = Path(os.environ.get("COD_SHARED", Path(__file__).parents[2] / ".." / "shared")).resolve()
LADDERS = sorted(path.parent for path in SHARED.glob("data/ladders/*/ladder.yaml"))


def rows(model: str, rates: dict[str, float], task: str = "t", **more: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"question": list(rates), "n_correct": [8 * r for r in rates.values()]})
    return frame.assign(task=task, model=model, n_samples=8, **more)


def settings_of(rung: str, *tasks: str, checkpoint: str = "") -> dict[str, Any]:
    return {"rung": rung, "checkpoint": checkpoint, "tasks": {task: {} for task in tasks}}


def ladder(*names: str) -> Ladder:
    return Ladder("l", tuple(Model(name, "rung", compute=1.0) for name in names))


def capture(out: Path, stamp: str, frame: pd.DataFrame, **settings: Any) -> Path:
    return write_passrates(out / f"cod_passrates_2025-01-{stamp}.parquet", frame, settings)


def test_matrix_marks_what_is_missing() -> None:
    table = pd.concat([rows("a", {"p": 1, "q": 0.5}), rows("b", {"q": 0.25, "r": 0})])
    matrix = PassRates(table).matrix("t", ["b", "a", "none"])
    assert matrix.questions == ["p", "q", "r"]
    np.testing.assert_array_equal(
        matrix.rates, [[np.nan, 1, np.nan], [0.25, 0.5, np.nan], [0, np.nan, np.nan]]
    )
    np.testing.assert_array_equal(matrix.n_samples, [[0, 8, 0], [8, 8, 0], [8, 0, 0]])
    part = matrix.on(["a", "b"])
    assert part.complete.tolist() == [False, True, False]
    assert part.keep(part.complete).questions == ["q"]


def test_checkpoints_are_averaged() -> None:
    parts = [rows("a", {"p": rate}, checkpoint=str(rate)) for rate in (0.25, 0.5, 0.75)]
    matrix = PassRates(pd.concat(parts)).matrix("t", ["a"])
    assert matrix.rates.tolist() == [[0.5]]
    assert matrix.n_samples.tolist() == [[24]]


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    table = pd.concat(
        [rows(model, {"p": 0.5, "q": i / 8}, task=task) for task in "st" for i, model in
         enumerate("abc")], ignore_index=True,
    )  # fmt: skip
    plain, mixed = PassRates(table), PassRates(table.iloc[order])
    assert plain.tasks == mixed.tasks == ["s", "t"]
    for task in plain.tasks:
        first, second = plain.matrix(task, list("abc")), mixed.matrix(task, list("abc"))
        again = [second.questions.index(name) for name in first.questions]
        np.testing.assert_array_equal(first.rates, second.rates[again])


def test_tasks_and_models() -> None:
    rates = PassRates(pd.concat([rows("a", {"p": 1}, "x"), rows("b", {"p": 1}, "w")]))
    assert rates.tasks == ["w", "x"]
    assert rates.models() == ["a", "b"]
    assert rates.models("x") == ["a"] and rates.models("none") == []
    assert rates.only(["x"]).tasks == ["x"]
    with pytest.raises(InputError, match="no pass rates for the task 'y'; there are some for w, x"):
        rates.matrix("y", ["a"])
    with pytest.raises(InputError, match="for w, x; did you mean 'x'"):
        rates.matrix("xx", ["a"])


def test_whole_numbers_are_names_too() -> None:
    table = rows("a", {"x": 1, "y": 1}).assign(question=[7.0, 8.0], model=3)
    assert PassRates(table).matrix("t", ["3"]).questions == ["7", "8"]


def test_analytic_rates() -> None:
    table = pd.DataFrame({"task": "t", "question": ["p", "q"], "model": "a", "rate": [0.2, 0.4]})
    for frame in (table, table.assign(n_samples=0), table.assign(n_samples=0, n_correct=np.nan)):
        matrix = PassRates(frame).matrix("t", ["a"])
        assert matrix.rates[:, 0].tolist() == [0.2, 0.4]
        assert matrix.n_samples.tolist() == [[0], [0]]
    drawn = PassRates(table.assign(n_samples=10))
    assert drawn.frame["n_correct"].tolist() == [2, 4]


GOOD = pd.DataFrame(
    {"task": "t", "question": list("pqr"), "model": "a", "n_correct": [0, 1, 2], "n_samples": 2}
)
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"n_correct": [0, 3, 2]}, r"row 2: n_correct is above n_samples \(n_correct=3, n_samples=2\)"),
    ({"n_correct": [0, 1, -1]}, "row 3: n_correct is negative"),
    ({"n_correct": [np.nan, 1, np.nan]}, r"row 1: n_correct is missing .* \(and 1 more rows\)"),
    ({"n_correct": ["0", "one", "2"]}, "row 2: n_correct is 'one', not a number"),
    ({"n_samples": [2, -2, 2]}, "row 2: n_samples is negative"),
    ({"n_samples": [2, 2.5, 2]}, "row 2: n_samples is not a whole number"),
    ({"n_samples": [2, np.inf, 2]}, "row 2: n_samples is missing or not finite"),
    ({"n_samples": [2, np.nan, 2]}, "row 2: n_samples is missing"),
    ({"n_samples": [2, 2, 0]}, "row 3: n_samples is 0 and there is no column rate"),
    ({"rate": [0, 0.5, 1.2], "n_samples": 0}, "row 3: rate is outside 0 to 1"),
    ({"rate": [0, np.nan, 1], "n_samples": 0}, "row 2: rate is missing"),
    ({"rate": [0, 0.4, 1]}, "row 2: rate contradicts n_correct / n_samples"),
    ({"question": ["p", None, "r"]}, "row 2: question is empty"),
    ({"model": ["a", "a", ""]}, "row 3: model is empty"),
    ({"question": ["p", "q", "p"]}, "row 3: task 't', question 'p', model 'a' occurs twice"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message for _, message in FAULTS])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_wrong_row_is_named(
    tmp_path: Path, change: dict[str, Any], message: str, suffix: str
) -> None:
    table, path = GOOD.assign(**change), tmp_path / f"rates{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    with pytest.raises(InputError) as caught:
        read_passrates(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    # A CSV file holds every number as text; only the values shown may differ.
    assert caught.match(message if suffix == ".parquet" else message.partition(r" \(n_")[0])


def test_missing_columns_and_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lacks the columns model, n_correct \(it has .*'modle'"):
        PassRates(GOOD.rename(columns={"model": "modle", "n_correct": "x"}))
    with pytest.raises(InputError, match="lacks the column n_samples"):
        PassRates(GOOD.drop(columns="n_samples"))
    with pytest.raises(InputError, match="lacks the column n_samples"):
        PassRates(GOOD.drop(columns="n_samples").assign(rate=0.5))
    with pytest.raises(InputError, match="has no rows"):
        PassRates(GOOD.iloc[:0])
    twice = pd.concat([GOOD, GOOD[["model"]]], axis=1)
    with pytest.raises(InputError, match="the column 'model' twice"):
        PassRates(twice)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    good = tmp_path / "good.parquet"
    GOOD.to_parquet(good)
    faults = {
        "none.csv": (None, "no such file"),
        "none.parquet": (None, "no such file"),
        "x.txt": (b"{}", r"the name ends in '.txt'; give a .parquet or .csv"),
        "x.json": (b"{}", r"has no `results`; name a results_\*.json"),
        "empty.csv": (b"", "is empty"),
        "header.csv": (b"task,question,model,n_correct,n_samples\n", "has no rows"),
        "ragged.csv": (b"task,question\na,b\na,b,c,d\n", "not a readable CSV file"),
        "latin.csv": (b"task,question\na,\xff\xfe\n", "not text in UTF-8"),
        "short.parquet": (good.read_bytes()[:-40], "not a readable Parquet file"),
        "text.parquet": (b"hello", "not a readable Parquet file"),
        "zero.parquet": (b"", "not a readable Parquet file"),
    }
    for name, (content, message) in faults.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            read_passrates([path])
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no pass rates given"):
        read_passrates([])


def test_names_in_a_csv_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("\ufefftask,question,model,n_correct,n_samples\nt,007,1e3,1,2\nt,NA,1e3,2,2\n")
    matrix = read_passrates(path).matrix("t", ["1e3"])
    assert matrix.questions == ["007", "NA"]
    assert matrix.rates[:, 0].tolist() == [0.5, 1]


def test_a_store_keeps_everything(tmp_path: Path) -> None:
    frame = rows("a", {"p": 0.5}, doc_hash="d", filter="f", metric="m", checkpoint="c")
    path = capture(tmp_path, "01", frame, **settings_of("a", "t", checkpoint="c"), lm_eval="0.4")
    back, settings = read_store(path)
    assert settings == {
        "schema": "cod-passrates/1", "lm_eval": "0.4", **settings_of("a", "t", checkpoint="c"),
    }  # fmt: skip
    assert back.loc[0, ["doc_hash", "filter", "metric", "prompt_hash"]].tolist() == [
        "d", "f", "m", "",
    ]  # fmt: skip
    rates = read_passrates(path)
    assert rates.matrix("t", ["a"]).filter == "f"
    again = rates.write(tmp_path / "all.parquet", source="test")
    pd.testing.assert_frame_equal(read_passrates(again).frame, rates.frame)
    assert read_passrates(again).settings == rates.settings == (settings,)
    with pytest.raises(InputError, match="exists already"):
        rates.write(again)


def test_a_store_of_another_version(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = capture(tmp_path, "01", rows("a", {"p": 1}))
    table = pq.read_table(path)
    for text, message in [
        (b'{"schema": "cod-passrates/9"}', "its schema is 'cod-passrates/9'"),
        (b"{", "its settings are not readable"),
    ]:
        pq.write_table(table.replace_schema_metadata({b"cod_passrates": text}), path)
        with pytest.raises(InputError, match=message):
            read_passrates(path)


def test_the_newest_capture_counts(tmp_path: Path) -> None:
    old = pd.concat([rows("a", {"p": 0, "q": 0}), rows("a", {"p": 0.5}, "u")])
    capture(tmp_path / "z", "01", old, **settings_of("a", "t", "u"), turn=1)
    capture(tmp_path / "a", "02", rows("a", {"p": 1, "q": 1}), **settings_of("a", "t"), turn=2)
    capture(tmp_path / "b", "01", rows("b", {"p": 1, "q": 1}), **settings_of("b", "t"), turn=3)
    rates = read_passrates(tmp_path, ladder("a", "b"))
    matrix = rates.matrix("t", ["a", "b"])
    assert matrix.questions == ["p", "q"] and matrix.rates.tolist() == [[1, 1], [1, 1]]
    assert rates.matrix("u", ["a"]).rates.tolist() == [[0.5]]
    tasks = {(run["turn"], *run["tasks"]) for run in rates.settings}
    assert tasks == {(1, "u"), (2, "t"), (3, "t")}
    (note,) = rates.notes
    assert "t on a not used, captured again, or on more questions, in " in note
    assert note.endswith("cod_passrates_2025-01-02.parquet")
    assert len(read_passrates([tmp_path, tmp_path / "a"]).frame) == len(rates.frame)


def test_checkpoints_are_captures_of_their_own(tmp_path: Path) -> None:
    for stamp, checkpoint, rate in [("01", "x", 0), ("02", "y", 1), ("03", "x", 0.5)]:
        frame = rows("a", {"p": rate}, checkpoint=checkpoint)
        capture(tmp_path, stamp, frame, **settings_of("a", "t", checkpoint=checkpoint))
    rates = read_passrates(tmp_path)
    assert rates.matrix("t", ["a"]).rates.tolist() == [[0.75]]
    assert len(rates.settings) == 2


def test_tables_must_not_repeat(tmp_path: Path) -> None:
    rows("a", {"p": 1, "q": 1}).to_parquet(tmp_path / "one.parquet")
    rows("a", {"r": 0, "q": 1}).to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(InputError, match=r"two.csv: row 2: .*'q'.* also in .*one.parquet \(row 2"):
        read_passrates([tmp_path / "one.parquet", tmp_path / "two.csv"])
    rows("b", {"p": 1}).to_csv(tmp_path / "two.csv", index=False)
    both = read_passrates([tmp_path / "one.parquet", tmp_path / "two.csv"])
    assert both.models() == ["a", "b"]


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    pd.concat([rows("a", {"p": 1}), rows("b", {"p": 1}), rows("c", {"p": 1})]).to_csv(path)
    assert read_passrates(path, ladder("a", "b", "c")).models() == ["a", "b", "c"]
    with pytest.raises(
        InputError, match=r"row 2: the model 'b' is not in the ladder l \(nor are 1"
    ):
        read_passrates(path, ladder("a"))


def test_folders_without_captures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(it is empty\); name the --output_path of .*results"):
        read_passrates(tmp_path)
    (tmp_path / "model.bin").write_text("")
    with pytest.raises(InputError, match=r"no results_\*\.json \(1 \.bin\)"):
        read_passrates(tmp_path)
    (tmp_path / "rates.csv").write_text("")
    with pytest.raises(InputError, match=r"name the file itself if rates\.csv"):
        read_passrates(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "samples_t_2025.jsonl").write_text("")
    with pytest.raises(InputError, match="cod-harness ingest"):
        read_passrates(tmp_path)


def test_there_are_shared_ladders() -> None:
    if not LADDERS:
        pytest.skip(
            f"no ladders under {SHARED}; set COD_SHARED to the folder that has data/ladders"
        )


@pytest.mark.parametrize("folder", LADDERS, ids=lambda folder: folder.name)
def test_shared_ladders(folder: Path) -> None:
    models = read_ladder(folder / "ladder.yaml")
    rates = read_passrates(folder / "rates.parquet", models)
    whole = pd.read_parquet(folder / "rates.parquet")
    for task in rates.tasks:
        matrix = rates.matrix(task, rates.models(task))
        assert set(matrix.models) <= {model.name for model in models.models}
        mine = whole[whole["task"] == task]
        expected = (mine["n_correct"] / mine["n_samples"]).groupby(mine["model"]).mean()
        means = pd.Series(np.nanmean(matrix.rates, axis=0), index=matrix.models)
        np.testing.assert_allclose(means[expected.index], expected)


def test_the_rows_of_other_models_leave_no_trace(tmp_path: Path) -> None:
    frame = pd.concat([rows("other", {"p": 1}), rows("a", {"p": 1})])
    capture(tmp_path, "01", frame, **settings_of("a", "t"))
    rates = read_passrates(tmp_path, ladder("a"))
    assert list(rates.frame.columns) == list(COLUMNS) and rates.frame.index.tolist() == [0]
    assert rates.models() == ["a"] and "other" in rates.notes[0]


def test_each_question_of_each_task_has_a_number() -> None:
    table = pd.concat([rows(m, {"p": 1, "q": 0}, task) for m in "ab" for task in ("t", "u")])
    assert PassRates(table).asked.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


@pytest.mark.parametrize(("stated", "fits"), [(0.505, True), (0.495, True), (0.506, False)])
def test_rates_may_be_rounded_to_hundredths(stated: float, fits: bool) -> None:
    table = GOOD.assign(rate=[0, stated, 1])
    if fits:
        assert PassRates(table).frame["rate"].tolist() == [0, 0.5, 1]
    else:
        with pytest.raises(InputError, match="row 2: rate contradicts"):
            PassRates(table)
