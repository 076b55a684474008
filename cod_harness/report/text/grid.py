"""Rows of text as a Markdown table that fits a terminal, in the manner of lm-eval's own tables."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Sequence

DEFAULT_WIDTH = 80
UNKNOWN = "-"
_SHORTEST_NAME = 8


def grid(
    headers: Sequence[str], rows: Sequence[Sequence[str]], width: int, left: Collection[str] = ()
) -> list[str]:
    """The lines of a table.

    Args:
        headers: names of the columns; the first column holds names.
        rows: cells, one per header.
        width: columns to fit; names are shortened to fit, down to eight characters.
        left: headers of the columns set to the left, beside the first.
    """
    columns = list(zip(headers, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    others = sum(widths[1:]) + len(widths) + 1
    widths[0] = max(min(widths[0], width - others), min(widths[0], _SHORTEST_NAME))
    to_left = [name in left or place == 0 for place, name in enumerate(headers)]
    rules = [
        "-" * size if leftmost else "-" * (size - 1) + ":"
        for size, leftmost in zip(widths, to_left, strict=True)
    ]
    return [_line(cells, widths, to_left) for cells in (headers, rules, *rows)]


def terminal_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    # Not a terminal: a fixed width, so that the same document always gives the same text.
    if not sys.stdout.isatty():
        return DEFAULT_WIDTH
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def _line(cells: Sequence[str], widths: Sequence[int], to_left: Sequence[bool]) -> str:
    padded = []
    for cell, size, leftmost in zip(cells, widths, to_left, strict=True):
        short = _shortened(cell, size)
        padded.append(short.ljust(size) if leftmost else short.rjust(size))
    return f"|{'|'.join(padded)}|"


def _shortened(text: str, size: int) -> str:
    """`text` in at most `size` characters, the middle left out: beginnings and ends tell apart."""
    if len(text) <= size:
        return text
    tail = (size - 2) // 2
    return f"{text[: size - 2 - tail]}..{text[len(text) - tail :]}"
