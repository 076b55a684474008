"""docs/first-monday.md, typed along: its commands run, and print what it says in form."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"

pytest.importorskip("lm_eval")
pytestmark = [
    pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not part of the package"),
    pytest.mark.slow,
]


def guide() -> Any:
    place = DOCS / "make_first_monday.py"
    spec = importlib.util.spec_from_file_location("make_first_monday", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def form(printed: str) -> list[str]:
    """The beginning of an output without what another training of the ladder changes: numbers,
    names with numbers in them, and how wide columns are."""
    lines = [line for line in printed.splitlines() if line.strip()]
    masked = [re.sub(r"[\w.:+-]*\d[\w.:+-]*", "N", line) for line in lines]
    return [re.sub(r"\s*\|\s*", "|", re.sub(r"[ :-]+", " ", line)).strip() for line in masked][:2]


@pytest.mark.usefixtures("light")
def test_every_command_runs_and_prints_what_the_guide_says(tmp_path: Path) -> None:
    module = guide()
    found = module.steps(module.PAGE.read_text(encoding="utf-8"))
    assert len(found) >= 8
    for step in found:
        printed = module.ran(step.commands, tmp_path)
        if step.printed is not None:
            assert form(printed) == form(step.printed), step.commands
    assert list((tmp_path / "out").glob("cod_report_*.html"))
