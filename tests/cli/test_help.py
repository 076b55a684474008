"""The help texts, all of them: docs/commands.md holds them word by word."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

pytest.importorskip("lm_eval")


@pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not part of the package")
@pytest.mark.skipif(
    not (3, 11) <= sys.version_info < (3, 13), reason="argparse lays its help out otherwise"
)
def test_the_page_of_commands_is_what_the_commands_say() -> None:
    spec = importlib.util.spec_from_file_location("make_commands", DOCS / "make_commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert written == module.page(), "run `python docs/make_commands.py`"
