"""Model arguments as text, and the places they name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cod_harness.ladder.model_args import (
    argument,
    located,
    pretrained,
    same_model,
    with_pretrained,
    written,
)


def test_written_and_read() -> None:
    assert written({"pretrained": "a", "n": 2, "x": 0.5}) == "pretrained=a,n=2,x=0.5"
    for value in ("a,b", "a=b", "[1]", None, [1]):
        text = written({"pretrained": value, "é": "y"})
        assert text.startswith("{") and "é" in text
        assert argument(text, "pretrained") == str(value) and argument(text, "z") is None
    assert argument(" a = 1 , b=2", "a") == "1" and argument("a,b=2", "a") is None
    assert argument("b=2,a=3,a=4", "a") == "3" and argument("b=2", "a") is None
    assert pretrained("x=1,pretrained=m") == "m" and pretrained("x=1") is None
    # What only looks like JSON is pairs.
    assert argument("{a=1", "{a") == "1" and argument("[1]", "a") is None


def test_another_model() -> None:
    assert with_pretrained("a=1,pretrained=m,b=2", "n") == "a=1,pretrained=n,b=2"
    assert with_pretrained("a=1", "n") == "pretrained=n,a=1"
    assert with_pretrained("", "n") == "pretrained=n"
    assert with_pretrained('{"pretrained": "m", "x": [1]}', "n") == '{"pretrained": "n", "x": [1]}'


def test_places(tmp_path: Path) -> None:
    (tmp_path / "ckpt").mkdir()
    here = str(tmp_path / "ckpt")
    assert located("pretrained=ckpt,x=ckpt,peft=gone", tmp_path) == (
        f"pretrained={here},x=ckpt,peft=gone"
    )
    assert located("tokenizer=ckpt", None) == "tokenizer=ckpt"
    assert located("pretrained=,x", tmp_path) == "pretrained=,x"
    text = located('{"pretrained": "ckpt", "x": "ckpt", "delta": 1, "y": [1]}', tmp_path)
    assert (argument(text, "pretrained"), argument(text, "x")) == (here, "ckpt")
    assert argument(text, "delta") == "1"


def test_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink("a", "b")
    assert same_model("m", "m") and same_model("a", "b") and same_model("a", str(tmp_path / "a"))
    assert not same_model("m", "n") and not same_model(None, "m") and not same_model("m", None)
    assert not same_model(None, None)
