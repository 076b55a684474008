"""Write docs/commands.md from the commands' own help: `python docs/make_commands.py`."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parent / "commands.md"
_START = """\
# Commands

Made from the commands' own help by `python docs/make_commands.py`. `python -m cod_harness` is the
same as `cod-harness`.
"""


def help_text(words: Sequence[str]) -> str:
    """What `cod-harness WORDS --help` prints on a terminal of 80 columns."""
    from cod_harness.cli import main

    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*words, "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines()).rstrip() + "\n"


def page() -> str:
    """The whole page. The flags of lm_eval, which `run --help` lists too, are left to it."""
    from cod_harness.cli import COMMANDS

    parts = [_START, f"```\n{help_text([])}```\n"]
    for command in COMMANDS:
        text = help_text([command])
        ours, theirs, _ = text.partition("and every flag of lm_eval run:")
        text = ours.rstrip() + ("\n\nand every flag of lm_eval run.\n" if theirs else "\n")
        parts.append(f"## {command}\n\n```\n{text}```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
