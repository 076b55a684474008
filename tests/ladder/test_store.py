"""Stores: metadata without rows, what they hold, which of them are a ladder's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cod_harness.errors import InputError
from cod_harness.ladder import store as stores
from cod_harness.ladder.store import (
    model_of,
    newest_captures,
    open_store,
    read_metadata,
    read_store,
    stores_in,
    write_passrates,
)

ROWS = pd.DataFrame(
    {"task": "t", "question": ["p", "q"], "model": "a", "n_correct": [1, 2], "n_samples": 2}
)


def written(folder: Path, name: str, **settings: Any) -> Path:
    return write_passrates(folder / name, ROWS, settings)


def run(rung: str, *tasks: str, checkpoint: str = "") -> dict[str, Any]:
    return {"rung": rung, "checkpoint": checkpoint, "tasks": {task: {"n": task} for task in tasks}}


def dated(day: int) -> str:
    return f"cod_passrates_2026-01-0{day}T00-00-00.parquet"


def test_the_settings_are_had_without_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, dated(1), ladder="l", **run("a", "t"))
    monkeypatch.setattr(stores, "read_parquet", lambda *_: pytest.fail("rows were read"))
    store = open_store(path)
    assert store is not None
    assert (store.path, store.ladder, store.date) == (path, "l", "2026-01-01T00-00-00")
    assert store.order == ("2026-01-01T00-00-00", str(path))
    assert store.settings["schema"] == "cod-passrates/1"
    assert list(store.captures()) == [("a", "", "t")]


def test_the_rows_come_when_asked_for(tmp_path: Path) -> None:
    store = open_store(written(tmp_path, dated(1), **run("a", "t")))
    assert store is not None
    rows = store.rows()
    assert rows["rate"].tolist() == [0.5, 1.0] and rows["checkpoint"].tolist() == ["", ""]
    some = store.columns(["question", "rate"])
    assert list(some.columns) == ["question", "rate"] and some["question"].tolist() == ["p", "q"]
    with pytest.raises(InputError, match=r"lacks the column nothing; capture again"):
        store.columns(["question", "nothing"])
    assert read_store(store.path)[1] == store.settings
    assert store.ladder == ""


def test_each_run_of_a_store_is_a_capture_of_its_own(tmp_path: Path) -> None:
    runs = [run("a", "t", "u", checkpoint="c"), run("b", "t"), {"rung": "d"}]
    store = open_store(written(tmp_path, dated(1), runs=runs))
    assert store is not None
    assert [model_of(one) for one in store.runs()] == [("a", "c"), ("b", ""), ("d", "")]
    found = store.captures()
    assert list(found) == [("a", "c", "t"), ("a", "c", "u"), ("b", "", "t")]
    assert found["a", "c", "u"]["tasks"] == {"u": {"n": "u"}}
    assert model_of({}) == ("", "")


def test_a_run_that_is_no_record_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, dated(1), runs=[run("a", "t"), "no run"])
    with pytest.raises(InputError, match=r"not what a capture writes \(runs\); capture again"):
        open_store(path)


def test_a_file_without_a_date_in_its_name_has_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, "renamed.parquet", **run("a", "t"))
    os.utime(path, (0, 86400 * 365))
    store = open_store(path)
    assert store is not None and store.date.startswith("1971-01-01T")


def test_other_parquet_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    ROWS.to_parquet(path)
    assert open_store(path) is None
    with pytest.raises(InputError, match="holds no settings of ours; give it as a table"):
        read_store(path)
    with pytest.raises(InputError, match=r"none\.parquet: no such file"):
        open_store(tmp_path / "none.parquet")
    assert read_metadata(path, b"pandas") is not None
    assert read_metadata(path, b"nothing") is None


def test_settings_must_be_an_object(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = written(tmp_path, dated(1), **run("a", "t"))
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"cod_passrates": b"[1]"}), path)
    with pytest.raises(InputError, match="its settings are not readable; capture again"):
        open_store(path)


def test_what_is_written_is_of_our_schema_alone(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = written(tmp_path, dated(1), **run("a", "t"))
    schema = pq.read_schema(path)
    assert list(schema.metadata) == [b"cod_passrates", b"cod_digest"]
    assert [str(schema.field(name).type) for name in ("n_correct", "n_samples", "rate")] == [
        "double",
        "int64",
        "double",
    ]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    with pytest.raises(TypeError):
        written(tmp_path, dated(2), model=object())
    with pytest.raises(ValueError, match="not JSON compliant"):
        written(tmp_path, dated(2), loss=float("nan"))
    assert [one.name for one in tmp_path.iterdir()] == [dated(1)]


def test_the_stores_of_a_ladder(tmp_path: Path) -> None:
    written(tmp_path / "z", dated(1), ladder="l", **run("a", "t"))
    written(tmp_path / "a", dated(3), ladder="l", **run("b", "t"))
    written(tmp_path / "a", dated(2), ladder="other", **run("b", "t"))
    broken = tmp_path / "b" / dated(1)
    broken.parent.mkdir()
    broken.write_bytes(b"PAR1")
    foreign = tmp_path / "b" / dated(2)
    ROWS.to_parquet(foreign)
    found, unreadable = stores_in(tmp_path, "l")
    assert [store.path.parent.name for store in found] == ["z", "a"]  # oldest first
    assert [str(problem).partition(": ")[0] for problem in unreadable] == [
        str(broken),
        str(foreign),
    ]
    assert "holds no settings of ours" in str(unreadable[1])


def test_the_newest_store_of_each_capture(tmp_path: Path) -> None:
    written(tmp_path / "z", dated(1), ladder="l", **run("a", "t", "u"))
    written(tmp_path / "y", dated(2), ladder="l", **run("a", "t"))
    written(tmp_path / "y", dated(1), ladder="l", **run("a", "t", checkpoint="c"))
    found, _ = stores_in(tmp_path, "l")
    kept, replaced = newest_captures(found)
    assert {capture: store.path.parent.name for capture, store in kept.items()} == {
        ("a", "c", "t"): "y",
        ("a", "", "t"): "y",
        ("a", "", "u"): "z",
    }
    assert kept["a", "", "t"].date.startswith("2026-01-02")
    assert [(one.key, one.stale.path.parent.name) for one in replaced] == [(("a", "", "t"), "z")]


@pytest.mark.parametrize(("share", "samples"), [(1.0, [1, 1]), (0.97, [2, 2])])
def test_copies_count_as_one_sample(tmp_path: Path, share: float, samples: list[int]) -> None:
    """However a task was run: `forecast`, `ladder` and the others read stores by these rows."""
    about = run("a", "t")
    about["tasks"]["t"]["identical_share"] = share
    rates = pd.DataFrame(
        {"task": "t", "question": ["p", "q"], "model": "a", "n_correct": [0, 2], "n_samples": 2}
    )
    store = open_store(write_passrates(tmp_path / dated(1), rates, about))
    assert store is not None
    rows = store.rows()
    assert rows["n_samples"].tolist() == samples
    assert rows["rate"].tolist() == [0.0, 1.0]


def test_copies_from_98_documents_of_100_on(tmp_path: Path) -> None:
    """Of that task, model and checkpoint alone."""
    for share, draws, right in ((None, 2, [1, 2]), (0.979, 2, [1, 2]), (0.98, 1, [0.5, 1])):
        about = {"rung": "a", "tasks": {"t": {"identical_share": share}}}
        store = open_store(written(tmp_path, f"{share}.parquet", **about))
        assert store is not None
        rows = store.rows()
        assert rows["n_samples"].tolist() == [draws, draws] and rows["n_correct"].tolist() == right
        assert rows["rate"].tolist() == [0.5, 1.0]
    for other in ({"rung": "b"}, {"rung": "a", "checkpoint": "c"}):
        about = {**other, "tasks": {"t": {"identical_share": 1.0}}}
        store = open_store(written(tmp_path, f"{len(other)}.parquet", **about))
        assert store is not None and store.rows()["n_samples"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tasks", ["t"]), ("tasks", {"t": "u"}), ("tasks", {"t": {"identical_share": "all"}}),
        ("tasks", {"t": {"identical_share": 1.01}}), ("tasks", {"t": {"identical_share": -0.01}}),
        ("pooled", ["t"]), ("pooled", {"g": "t"}), ("pooled", {"g": ["t", 1]}),
        ("request", ["t"]), ("request", {"g": "t"}), ("request", {"g": ["t", 1]}),
        ("ladder", 1), ("rung", ["a"]), ("checkpoint", {"a": 1}),
    ],
)  # fmt: skip
def test_settings_of_another_type_are_refused(tmp_path: Path, key: str, value: Any) -> None:
    for place, settings in enumerate(({key: value}, {"runs": [{key: value}]})):
        path = written(tmp_path, f"{place}.parquet", **settings)
        with pytest.raises(InputError, match=rf"not what a capture writes \({key}\)"):
            open_store(path)
    good = {"t": {"identical_share": 1.0}}
    fine = {"tasks": good, "pooled": {"g": ["t"]}, "request": {"g": ["t"]}, "ladder": None}
    assert open_store(written(tmp_path, "fine.parquet", **fine)) is not None


def test_a_schema_of_another_version_is_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = written(tmp_path, dated(1), **run("a", "t"))
    table = pq.read_table(path)
    other = {b"cod_passrates": b'{"schema": "cod-passrates/2"}'}
    pq.write_table(table.replace_schema_metadata(other), path)
    with pytest.raises(InputError, match="its schema is 'cod-passrates/2', this version reads"):
        open_store(path)
