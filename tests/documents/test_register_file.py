"""A register loses nothing and takes nothing that could not be read again."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from made_documents import abstained, made_document, made_entry

from cod_harness.documents import register_file
from cod_harness.documents.reading import Read, read_document
from cod_harness.documents.register import (
    RegisteredForecasts,
    append,
    digest,
    read_register,
    registered,
)
from cod_harness.documents.strict_json import parsed_json
from cod_harness.errors import InputError
from cod_harness.evaluation.records.forecast import Forecasts


def body(**more: Any) -> RegisteredForecasts:
    document = made_document(forecasts=[made_entry("gsm8k", mean=0.6, high=0.9), abstained("math")])
    return msgspec.structs.replace(
        registered(Read(msgspec.convert(document, Forecasts), document)), **more
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "register.jsonl"
    append(path, body())
    append(path, body(ladder="second"))
    return path


def test_a_last_line_without_its_end(path: Path) -> None:
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    append(path, body(ladder="third"))
    assert [entry.number for entry in read_register(path)] == [1, 2, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="os.write is replaced")
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_leaves_no_half_entry(
    path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise error

    monkeypatch.setattr(register_file.os, "fsync", full)
    with pytest.raises((InputError, KeyboardInterrupt)):
        append(path, body(ladder="third"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a\u2028b", "a\u0085b", "a\rb", "é", "\x1c", "😀", "a\nb"])
def test_any_name_can_be_read_again(path: Path, name: str) -> None:
    append(path, body(ladder=name))
    found = read_register(path)[-1].body
    assert isinstance(found, RegisteredForecasts) and found.ladder == name


def test_half_a_character_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError, match="half a character"):
        append(path, body(ladder="\ud800"))
    assert path.read_bytes() == before


def test_the_spelling_of_earlier_versions_is_read(path: Path) -> None:
    append(path, body(ladder="é"))
    lines = [json.dumps(json.loads(line), ensure_ascii=False) for line in path.open()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert len(read_register(path)) == 3


def test_a_key_given_twice_is_found(path: Path) -> None:
    lines = path.read_text().splitlines()
    first = lines[0].replace('"mean": 0.6', '"mean": 0.1, "mean": 0.6', 1)
    assert first != lines[0]
    path.write_text("\n".join([first, *lines[1:]]) + "\n")
    with pytest.raises(InputError, match="twice"):
        read_register(path)


def test_another_spelling_is_found(path: Path) -> None:
    path.write_text(path.read_text().replace('"mean": 0.6', '"mean":  0.6', 1))
    with pytest.raises(InputError, match="spelt otherwise"):
        read_register(path)


def _forecast(**more: Any) -> RegisteredForecasts:
    made = body()
    return msgspec.structs.replace(
        made, forecasts=(msgspec.structs.replace(made.forecasts[0], **more), made.forecasts[1])
    )


@pytest.mark.parametrize(
    ("senseless", "words"),
    [
        ({"task": "nowhere"}, "not among its tasks"),
        ({"mean": 0.95}, "is not in"),
        ({"low": 0.61}, "is not in"),
        ({"verdict": "abstain"}, "its verdict is abstain"),
        ({"mean": None}, "its forecast None"),
        ({"low": None}, "a part of an interval"),
    ],
)
def test_entries_that_make_no_sense(path: Path, senseless: dict[str, Any], words: str) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError, match=words):
        append(path, _forecast(**senseless))
    assert path.read_bytes() == before
    # Slipped in by hand, with a hash that fits, it is one line when read too.
    content = json.loads(path.read_text().splitlines()[0])
    content["forecasts"][0].update(senseless)
    content["hash"] = digest({key: value for key, value in content.items() if key != "hash"})
    path.write_text(json.dumps(content) + "\n")
    with pytest.raises(InputError, match=words):
        read_register(path)


HOSTILE_JSON = st.one_of(
    st.integers(400, 3000).map(lambda depth: "[" * depth + "]" * depth),
    st.integers(400, 3000).map(lambda depth: '{"a":' * depth + "1" + "}" * depth),
    st.integers(4301, 6000).map(lambda digits: "9" * digits),
    st.sampled_from(["NaN", "-Infinity", '"\\ud800"', "1e999", "", "\x00", '{"a":1,"a":2}']),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
        max_leaves=20,
    ).map(json.dumps),
)  # fmt: skip


@seed(16)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=HOSTILE_JSON)
def test_hostile_json_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for read in (read_register, read_document):
        with pytest.raises(InputError) as refused:
            read(path)
        assert "\n" not in str(refused.value)


@seed(16)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_entries_with_other_types_are_one_line(data: st.DataObject, path: Path) -> None:
    """A value anywhere in an entry replaced, the hash made to fit."""
    content = json.loads(path.read_text().splitlines()[0])
    spots: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)):
            spots.append((value, key))
            if isinstance(value[key], (dict, list)):
                walk(value[key])

    walk(content)
    inside, key = data.draw(st.sampled_from(spots))
    inside[key] = data.draw(
        st.sampled_from([None, True, -1, 10**400, 1.5, 1e308, "", "x", [], {}, [[]], {"a": None}])
    )
    content["hash"] = digest({k: v for k, v in content.items() if k != "hash"})
    file = path.with_name("changed.jsonl")
    file.write_text(json.dumps(content) + "\n")
    with contextlib.suppress(InputError):  # anything else is a fault
        read_register(file)


def test_strict_json_says_what_is_wrong() -> None:
    for text, words in (("[" * 200_000, "deep"), ('{"a":1,"a":2}', "twice"), ("NaN", "NaN"),
                        ('"\\ud800"', "half"), ("9" * 5000, "digits")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            parsed_json(text)


def test_no_lock_is_left_held(path: Path) -> None:
    for _ in range(3):
        append(path, body())
    assert os.path.exists(path) and len(read_register(path)) == 5
