"""Notes: sentences that know what they say."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import cod_harness
from cod_harness.evaluation.records.base import noted
from cod_harness.notes import SENTENCES, as_note, note

PACKAGE = Path(cod_harness.__file__).parent


def test_a_note_is_its_sentence_with_a_code() -> None:
    found = note("no_data", task="t", names="a, b")
    assert found == "t: left out, no data: a, b"
    assert (found.code, found.values) == ("no_data", {"task": "t", "names": "a, b"})
    lacking = note("questions_left_out", task="t", dropped=2, questions=9, lacking={"a": 1, "b": 2})
    assert lacking == (
        "t: 2 of 9 questions left out, not asked of every model (a lacks 1, b lacks 2)"
    )


def test_a_note_comes_back_from_another_process() -> None:
    found = note("cut_off", path=Path("x.jsonl"), line=3)
    again = pickle.loads(pickle.dumps(found))
    assert (again, again.code, again.values) == (found, "cut_off", {"path": "x.jsonl", "line": 3})


def test_a_plain_sentence_becomes_a_note() -> None:
    found = note("no_rung", tasks="t")
    assert as_note(found) is found
    assert (as_note("odd"), as_note("odd").code) == ("odd", "said")


def test_a_record_has_each_note_once_and_its_code() -> None:
    one, other = note("no_rung", tasks="t"), as_note("odd")
    assert noted([one, other, one]) == {
        "notes": ("left out, results of no rung: t", "odd"), "note_codes": ("no_rung", "said"),
    }  # fmt: skip


def test_every_code_is_used_and_every_used_code_is_known() -> None:
    used = {
        node.args[0].value
        for source in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "note"
        and isinstance(node.args[0], ast.Constant)
    }
    assert used == set(SENTENCES)
