from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cod_harness.errors import InputError
from cod_harness.ladder.logs.samples_log import (
    CutOff,
    NoSample,
    SamplesLog,
    filters_in,
    samples_files,
    task_and_date,
)


def line(number: int, name: str = "none", **more: Any) -> str:
    sample = {"doc_id": number, "doc": {}, "resps": [["x"]], "filter": name, "doc_hash": "h"}
    return json.dumps({**sample, **more}) + "\n"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


def log(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "samples_t_2026-01-01T00-00-00.000.jsonl"
    path.write_text("".join(lines))
    return path


def test_names_of_files(tmp_path: Path) -> None:
    assert task_and_date(Path("x/samples_a_b_2026-01-02T03-04-05.678.jsonl")) == (
        "a_b",
        "2026-01-02T03-04-05.678",
    )
    for other in ("samples_a.jsonl", "results_a_2026-01-02T03.json", "samples_2026-01-02T03.jsonl"):
        assert task_and_date(Path(other)) is None
    (tmp_path / "sub").mkdir()
    for name in ("samples_b.jsonl", "sub/samples_a.jsonl", "other.jsonl"):
        (tmp_path / name).write_text("")
    assert [path.name for path in samples_files(tmp_path)] == ["samples_b.jsonl", "samples_a.jsonl"]


def test_one_filter_is_read_and_the_others_are_counted(tmp_path: Path) -> None:
    path = log(tmp_path, line(0, "a"), line(1, "a"), line(0, 'b"c'), "\n", line(1, 'b"c'))
    read = SamplesLog(path)
    assert read.first()["doc_id"] == 0
    told: list[int] = []
    found = list(read.samples("a", told.append))
    assert [(number, sample["doc_id"]) for number, _, sample in found] == [(1, 0), (2, 1)]
    assert [size for _, size, _ in found] == [len(line(0, "a")), len(line(1, "a"))]
    assert sum(told) == path.stat().st_size  # of all lines, once
    assert dict(read.filters) == {"a": 2, 'b"c': 2}
    assert filters_in(path) == ["a", 'b"c']
    everything = SamplesLog(path).samples(None)
    assert [sample["filter"] for _, _, sample in everything] == ["a", "a", 'b"c', 'b"c']


def test_a_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = log(tmp_path, line(0), line(1))
    opened: list[Any] = []
    plain = open
    monkeypatch.setattr(
        "builtins.open", lambda *args, **kw: opened.append(args[0]) or plain(*args, **kw)
    )
    read = SamplesLog(path)
    read.first()
    assert len(list(read.samples("none"))) == 2
    assert opened == [path]


def test_the_last_line_may_be_cut_off(tmp_path: Path) -> None:
    path = log(tmp_path, line(0), line(1)[:-30])
    found = SamplesLog(path).samples("none")
    assert next(found)[0] == 1
    with pytest.raises(CutOff) as cut:
        next(found)
    assert cut.value.line == 2
    with pytest.raises(NoSample, match="holds no samples; was the run broken off"):
        SamplesLog(log(tmp_path, line(0)[:-30])).first()
    with pytest.raises(NoSample, match="holds no samples"):
        SamplesLog(log(tmp_path, "\n", "  \n")).first()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{oops}\n", "line 2: not a logged sample (not JSON"),
        ('["filter"]\n', "a list, not an object"),
        ('{"filter": "none", "resps": [["x"]]}\n', "it has no doc_hash"),
        (line(1, resps=[]), "its resps hold no response"),
        (line(1, resps=[[]]), "its resps hold no response"),
        (line(1, resps="x"), "its resps hold no response"),
        (line(1, metrics="acc"), "its metrics are no names"),
        (line(1, metrics=["acc", 1]), "its metrics are no names"),
        (line(1, doc=nested(99)), "nested too deeply"),
        (line(1, doc=nested(700)), "nested too deeply"),
        # Python's own parser gives up on that before 3.12.
        (line(1, doc="@").replace('"@"', "[" * 9000 + "]" * 9000), "not JSON|nested too deeply"),
    ],
)
def test_what_is_no_sample_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """And left out: the lines around it count."""
    read = SamplesLog(log(tmp_path, line(0), text, line(2)))
    assert [number for number, _, _ in read.samples("none")] == [1, 3]
    [told] = read.broken
    assert told.startswith(f"{read.path}: line 2: ")
    assert any(words in told for words in problem.split("|"))
    with pytest.raises(NoSample, match="not a logged sample") as caught:
        SamplesLog(log(tmp_path, text)).first()
    assert isinstance(caught.value, InputError)


def test_as_deep_as_a_sample_may_be(tmp_path: Path) -> None:
    path = log(tmp_path, line(0, doc=nested(98)), line(1, resps=[["{[" * 200]]))
    assert len(list(SamplesLog(path).samples("none"))) == 2


def test_what_strict_json_lacks(tmp_path: Path) -> None:
    path = log(tmp_path, "\ufeff" + line(0, score=float("nan"), text="\ud83d"))
    (found,) = SamplesLog(path).samples("none")
    assert found[2]["score"] != found[2]["score"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NoSample, match="cannot be read: No such file"):
        SamplesLog(tmp_path / "samples_x.jsonl").first()
