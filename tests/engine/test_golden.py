"""Every method's forecasts, to the sixth figure, as they were when `golden/make.py` last ran."""

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


@pytest.mark.parametrize("method", OURS)
@pytest.mark.parametrize("name", make.made_ladders())
def test_made_ladders(name, method):
    one = make.made_ladders()[name]
    found, kept = make.of_made(one, method), GOLDEN["made"][name][method]
    assert make.differences(found, kept, method) == []


def test_a_difference_is_told():
    """What is compared can fail: a number, a number that is missing, a verdict, a target."""
    kept = {"1e+20": [0.5, 0.4, None, 0.6, "weak", ["narrow"]]}
    assert make.differences(kept, kept, "cod") == []
    for place, other in ((0, 0.500001), (0, None), (2, 0.5), (4, "ok"), (5, [])):
        found = {"1e+20": [*kept["1e+20"][:place], other, *kept["1e+20"][place + 1 :]]}
        assert len(make.differences(found, kept, "cod-kmeans")) == 1, place
    assert make.differences({}, kept, "cod")
    ends = {"1e+20": [0.5, 0.41, None, 0.6, "weak", ["narrow"]]}
    assert make.differences(ends, kept, "cod-kmeans") == []
    assert make.differences(ends, kept, "cod")


def of_shipped(name, method):
    found, kept = make.of_made(SHIPPED[name], method), GOLDEN["shipped"][name][method]
    assert make.differences(found, kept, method) == []


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
    found, kept = make.of_open(folder, method), GOLDEN["open"][folder.name][method]
    assert make.differences(found, kept, method) == []
