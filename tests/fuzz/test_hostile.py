"""No input whatever ends in a trace, in a wrong status, or costs the user a file.

Seeded and bounded; `benchmarks/hostile.py` tries more, and counts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import hostile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def _needed(name: str) -> None:
    if package := hostile.NEEDS.get(name):
        pytest.importorskip(package)


@pytest.mark.parametrize("name", hostile.CLASSES)
def test_no_input_breaks_anything(name: str) -> None:
    _needed(name)

    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(seed=st.integers(0, 2**32))
    def check(seed: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ran = hostile.tried(hostile.CLASSES[name], seed, Path(folder))
            assert not ran.faults, (seed, ran.words, ran.faults)

    check()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("registers", 48),
        ("registers", 9003),
        ("results files", 9056),
        ("logs of samples", 69),
        ("records of jobs", 127),
        ("values of flags", 170),
        ("model_args", 101),
        ("model_args", 111),
    ],
)
def test_what_once_broke(name: str, number: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert not hostile.tried(hostile.CLASSES[name], number, Path(folder)).faults


@pytest.mark.parametrize("name", hostile.CLASSES)
def test_good_input_passes(name: str) -> None:
    """What the classes start from is taken; else the fuzzers would look at refusals alone."""
    _needed(name)
    statuses = set()
    for seed in range(60):
        with tempfile.TemporaryDirectory() as folder:
            statuses.add(hostile.tried(hostile.CLASSES[name], seed, Path(folder)).status)
        if statuses == {0, 2}:
            break
    assert statuses == {0, 2}
