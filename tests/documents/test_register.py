from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_documents import abstained, made_document, made_entry, made_task

from cod_harness.cli import main
from cod_harness.documents.reading import Read
from cod_harness.documents.register import (
    RegisteredForecasts,
    RegisteredScores,
    append,
    digest,
    read_register,
    registered,
)
from cod_harness.errors import InputError
from cod_harness.evaluation.records.forecast import Forecasts

LATER = datetime(2036, 1, 1, tzinfo=timezone.utc).timestamp()


def body(document: dict[str, Any]) -> RegisteredForecasts:
    return registered(Read(msgspec.convert(document, Forecasts), document))


@pytest.fixture
def register(tmp_path: Path) -> Path:
    """A register of three forecasts."""
    path = tmp_path / "register.jsonl"
    for mean in (0.6, 0.7, 0.8):
        entries = [made_entry("gsm8k", mean=mean, high=0.9), abstained("math")]
        append(path, body(made_document(forecasts=entries)))
    return path


def results(folder: Path, name: str = "results_2036.json", **changes: Any) -> Path:
    content = {
        "results": {
            "gsm8k": {"exact_match,none": 0.66, "exact_match_stderr,none": 0.01},
            "math": {"exact_match,none": 0.3},
        },
        "date": LATER,
        "n-samples": {"gsm8k": {"original": 400, "effective": 400}},
    } | changes
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def scored(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["score", *words, "--json", "-"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_entries_are_dated_hashed_and_chained(register: Path) -> None:
    entries = read_register(register)
    assert [entry.number for entry in entries] == [1, 2, 3]
    lines = [json.loads(line) for line in register.read_text().splitlines()]
    for before, after, line in zip([None, *entries], entries, lines, strict=False):
        assert after.previous == (before and before.hash)
        assert after.hash == digest({k: v for k, v in line.items() if k != "hash"})
        assert datetime.fromisoformat(after.date).tzinfo is not None
    assert list(lines[0]) == [
        "schema", "entry", "kind", "date", "ladder", "created", "forecasts", "tasks", "hashes",
        "versions", "previous", "hash",
    ]  # fmt: skip
    assert set(lines[0]["hashes"]) == {"document", "ladder", "settings", "rates"}
    first = entries[0].body
    assert isinstance(first, RegisteredForecasts)
    assert first.forecasts[0].low == 0.55 and first.versions["python"]


def change(entry: dict[str, Any], how: str) -> None:
    if how == "forecast":
        entry["forecasts"][0]["mean"] = 0.66
    elif how == "date":
        entry["date"] = "2020-01-01T00:00:00+00:00"
    elif how == "interval":
        entry["forecasts"][0]["high"] = 0.99
    elif how == "rehashed":
        entry["forecasts"][0]["mean"] = 0.66
        entry["hash"] = digest({k: v for k, v in entry.items() if k != "hash"})


@pytest.mark.parametrize("how", ["forecast", "date", "interval", "rehashed"])
def test_a_changed_entry_is_named(
    how: str, register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(line) for line in register.read_text().splitlines()]
    change(lines[1], how)
    register.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["score", str(register), str(results(register.parent))]) == 2
    error = capsys.readouterr().err
    # Made anew, the entry is whole again, but the one after it points elsewhere.
    line = 3 if how == "rehashed" else 2
    assert f"{register}:{line}: entry {line} of" in error and len(error.splitlines()) == 1
    said = "does not follow" if how == "rehashed" else "was changed after it was registered"
    assert said in error
    forecast = register.parent / "f.json"
    forecast.write_text(json.dumps(made_document()))
    assert main(["register", str(forecast), "-r", str(register)]) == 2  # nothing is added to it


@pytest.mark.parametrize("kept", [[1, 2], [0, 2], [1, 0, 2], [0, 1, 1, 2]])
def test_a_removed_moved_or_repeated_entry_is_named(kept: list[int], register: Path) -> None:
    lines = register.read_text().splitlines()
    register.write_text("".join(lines[place] + "\n" for place in kept))
    with pytest.raises(InputError, match=r"an entry was removed, inserted or moved"):
        read_register(register)


def test_a_published_hash_shows_what_was_cut_off(register: Path) -> None:
    last = read_register(register)[-1].hash
    register.write_text("".join(f"{line}\n" for line in register.read_text().splitlines()[:2]))
    assert len(read_register(register)) == 2
    with pytest.raises(InputError, match=f"no entry has the hash {last}"):
        read_register(register, last)


def test_many_at_once_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "register.jsonl"
    said = body(made_document({"t": made_task()}))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: append(path, said), range(16)))
    assert len(read_register(path)) == 16


def test_the_command_registers_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cod_forecast_1.json").write_text(json.dumps(made_document()))
    assert main(["register", "cod_forecast_1.json"]) == 0
    out = capsys.readouterr().out
    assert "entry 1 of cod_register.jsonl" in out
    assert read_register("cod_register.jsonl")[0].hash in out
    assert main(["register", "."]) == 2
    assert "is entry 1 of cod_register.jsonl already" in capsys.readouterr().err
    assert main(["register", ".", "--again"]) == 0
    measured = made_document(forecasts=[made_entry("gsm8k", observed=0.5)])
    (tmp_path / "cod_forecast_2.json").write_text(json.dumps(measured))
    assert main(["register", "cod_forecast_2.json"]) == 0
    assert "cannot show foresight" in capsys.readouterr().err


def test_scores(register: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = scored([str(register), str(results(register.parent))], capsys)
    rows = {(row["entry"], row["task"]): row for row in document["rows"]}
    assert len(rows) == 6
    assert rows[1, "gsm8k"]["error"] == pytest.approx(-6.0) and rows[1, "gsm8k"]["inside"]
    assert rows[3, "gsm8k"]["error"] == pytest.approx(14.0)
    assert rows[2, "math"]["error"] is None and rows[2, "math"]["observed"] == 0.3
    assert not any(row["late"] for row in rows.values())
    about = document["calibration"]["cod"]
    assert about["n"] == 3 and about["abstained"] == 3 and about["inside"] == 1.0
    assert about["mean"] == pytest.approx(8.0) and about["bias"] == pytest.approx(4.0)
    assert isinstance(read_register(register)[-1].body, RegisteredScores)


def test_calibration_grows_over_entries_and_scoring_again_adds_nothing(
    register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results(register.parent)
    scored([str(register), str(path)], capsys)
    again = scored([str(register), str(path)], capsys)
    assert len(read_register(register)) == 4 and again["calibration"]["cod"]["n"] == 3
    entries = [made_entry("drop", mean=0.9, low=0.8, high=1.0)]
    other = made_document({"drop": made_task(300, 3)}, entries)
    append(register, body(other))
    only = results(register.parent, "results_x.json", results={"drop": {"exact_match,none": 0.5}})
    later = scored([str(register), str(only)], capsys)
    assert len(later["rows"]) == 1 and later["rows"][0]["inside"] is False
    assert later["calibration"]["cod"]["n"] == 4
    assert later["calibration"]["cod"]["inside"] == 0.75


def test_the_table(register: Path, capsys: pytest.CaptureFixture[str]) -> None:
    early = results(register.parent, date=1.0)
    assert main(["score", str(register), str(early)]) == 0
    out = capsys.readouterr().out
    assert "|gsm8k|big   |    1|cod   |    60.0|55.0 - 90.0|    66.0| -6.0|   yes|" in out
    assert "|cod   |     3| 8.0|14.0|+4.0| 100 %|    90 %|        3|   6|" in out
    assert "registered after the evaluation began" in out
    assert max(map(len, out.splitlines())) <= 80


def test_another_quantity_is_shown_and_not_counted(
    register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = results(register.parent, **{"n-samples": {"gsm8k": {"effective": 10}}})
    document = scored([str(register), str(few)], capsys)
    row = next(row for row in document["rows"] if row["task"] == "gsm8k")
    assert row["differs"] == "questions 10 here, 400 on the ladder"
    assert document["calibration"]["cod"]["n"] == 0
    document = scored([str(register), str(few), "--as-is"], capsys)
    assert document["calibration"]["cod"]["n"] == 3


def test_a_captured_run_gives_its_pass_rate(
    register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"metric": "exact_match", "filter": "none", "rate": 0.71}
    cod = {"rung": "big", "tasks": {"gsm8k": about}}
    document = scored([str(register), str(results(register.parent, cod=cod))], capsys)
    kinds = {(row["task"], row["kind"], row["observed"]) for row in document["rows"]}
    assert kinds == {("gsm8k", "pass rate", 0.71), ("math", "exact_match,none", 0.3)}
    small = results(register.parent, "results_small.json", cod={"rung": "r1", "tasks": {}})
    assert main(["score", str(register), str(small)]) == 2
    assert "of no registered target: r1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score", "none.jsonl", "R"], "no such register"),
        (["score", "R", "R"], "is no entry of a cod-register/1 register"),
        (["score", "REGISTER", "none.json"], "none.json: no such file"),
        (["score", "REGISTER", "EMPTY"], "no results_*.json in this folder"),
        (["score", "REGISTER", "REGISTER"], "no JSON"),
        (["score", "REGISTER", "R", "--target", "x"], "no forecast of it is registered"),
        (["score", "REGISTER", "R", "--expect", "00ff"], "no entry has the hash"),
        (["register", "R"], "its `schema` is None"),
    ],
)
def test_wrong_input(
    words: list[str], said: str, register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (register.parent / "empty").mkdir()
    path = register.parent / "one" / "results_1.json"
    path.parent.mkdir()
    results(path.parent, path.name)
    places = {"REGISTER": str(register), "R": str(path), "EMPTY": str(register.parent / "empty")}
    assert main([places.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
    assert len(read_register(register)) == 3


def test_results_files_that_are_none_cost_the_others_nothing(
    register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = register.parent / "runs"
    folder.mkdir()
    good = results(folder)
    texts = ["{", "[" * 100_000, "9" * 5000, "[]", '{"results": 3}', '{"results": {}, "date": "x"}']
    for number, text in enumerate(texts):
        (folder / f"results_bad{number}.json").write_text(text)
    (folder / "results_bytes.json").write_bytes(b"\xff\xfe{}")
    (folder / "results_loop.json").symlink_to(folder / "results_loop.json")
    found = scored([str(register), str(folder)], capsys)
    assert {row["results"] for row in found["rows"]} == {good.name}
    left = [note for note in found["notes"] if note.startswith("left out")]
    assert len(left) == len(texts) - 1 + 2  # the last of the texts is one, without scores


@pytest.mark.parametrize("value", [None, 7, 10**400, float("nan"), "\ud800", [[1]]])
def test_results_of_other_types(
    value: Any, register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands where: what is well stays scored, and nothing is a fault of ours."""
    cod = {"rung": "big", "tasks": {"gsm8k": {"metric": "exact_match", "filter": "none"}}}
    whole = {"cod": cod, "versions": {"gsm8k": 1}, "n-shot": {"gsm8k": 5}}
    whole["configs"] = {"gsm8k": {"generation_kwargs": {"do_sample": True}}}
    for key in (*whole, "date", "n-samples"):
        for changed in (value, {"gsm8k": value}, {"tasks": value}, {"tasks": {"gsm8k": value}}):
            path = results(register.parent, **{**whole, key: changed})
            status = main(["score", str(register), str(path), "--json", "-"])
            told = capsys.readouterr()
            assert status in (0, 2) and "went wrong" not in told.err
            if status == 0:
                rows = {row["task"]: row["observed"] for row in json.loads(told.out)["rows"]}
                assert rows["gsm8k"] == 0.66
    path = results(register.parent, results={"gsm8k": value, "math": {"exact_match,none": 0.3}})
    assert main(["score", str(register), str(path), "--json", "-"]) == 0
