"""The command lines of the README and of docs/, as they stand there, ask for flags that exist."""

from __future__ import annotations

import os
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
pytest.importorskip("lm_eval")

from cod_harness.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="the README is not part of the package")


def lines(page: Path) -> list[str]:
    """Command lines of ours in a page's shell blocks, in order, each on one line."""
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S))
    joined = text.replace("\\\n", " ").replace("&&", "\n")
    every = (shlex.join(shlex.split(line, comments=True)) for line in joined.splitlines())
    return [line for line in every if line.startswith("cod-harness ")]


PAGES = [page for page in (README, *sorted((ROOT / "docs").glob("*.md"))) if page.exists()]
EVERY = [(page.name, line) for page in PAGES for line in lines(page)]


@cache
def help_of(command: str) -> str:
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([command, "--help"])
    return printed.getvalue()


def test_there_are_lines() -> None:
    assert len(lines(README)) >= 10


@pytest.mark.parametrize(("page", "line"), EVERY, ids=lambda value: value[:60])
def test_a_line_asks_for_what_there_is(page: str, line: str) -> None:
    _, command, *words = shlex.split(line)
    assert command in COMMANDS
    # What `ladder` does not know itself goes to every run.
    known = help_of(command) + (help_of("run") if command == "ladder" else "")
    for before, word in zip([command, *words], words, strict=False):
        if word.startswith("--") and before != "--sbatch":  # whose value is for sbatch
            assert re.search(rf"{word.partition('=')[0]}\b", known), f"{page}: {word}"
