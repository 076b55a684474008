"""Every method's forecasts, to the eighth figure, as they were when `golden/make.py` last ran."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from cod_harness.engine.methods import OURS

_SPEC = importlib.util.spec_from_file_location(
    "golden_make", Path(__file__).parent / "golden" / "make.py"
)
make = importlib.util.module_from_spec(_SPEC)
sys.modules["golden_make"] = make  # where its dataclass looks for its annotations
_SPEC.loader.exec_module(make)

GOLDEN = json.loads(make.GOLDEN.read_text())
SHIPPED = make.shipped_ladder()
QUICK = "demo_gsm8k"
FOLDERS = list(make.open_ladders())


# Solvers of other versions part at 1.3e-7.
CLOSE = 1e-7 if GOLDEN["versions"] == make.versions() else 1e-6


def assert_same(found, kept):
    assert found.keys() == kept.keys()
    for name, (*numbers, verdict, codes) in found.items():
        *expected, word, reasons = kept[name]
        assert (verdict, codes) == (word, reasons), name
        for number, known in zip(numbers, expected, strict=True):
            assert (number is None) == (known is None), name
            assert number is None or number == pytest.approx(known, rel=CLOSE, abs=1e-12), name


@pytest.mark.parametrize("method", OURS)
@pytest.mark.parametrize("name", make.made_ladders())
def test_made_ladders(name, method):
    assert_same(make.of_made(make.made_ladders()[name], method), GOLDEN["made"][name][method])


def of_shipped(name, method):
    assert_same(make.of_made(SHIPPED[name], method), GOLDEN["shipped"][name][method])


@pytest.mark.parametrize("method", OURS)
def test_a_benchmark_of_the_shipped_ladder(method):
    of_shipped(QUICK, method)


@pytest.mark.slow
@pytest.mark.parametrize("method", OURS)
@pytest.mark.parametrize("name", [name for name in SHIPPED if name != QUICK])
def test_the_shipped_ladder(name, method):
    of_shipped(name, method)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("method", OURS)
def test_open_ladders(folder, method):
    if folder.name not in GOLDEN["open"]:
        pytest.skip(f"{folder.name} is not in golden.json")
    assert_same(make.of_open(folder, method), GOLDEN["open"][folder.name][method])
