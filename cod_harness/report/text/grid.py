"""Rows of text as a Markdown table that fits a terminal, in the manner of lm-eval's own tables."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Sequence
from typing import NamedTuple

DEFAULT_WIDTH = 80
UNKNOWN = "-"
_SHORTEST_NAME = 8


class Span(NamedTuple):
    """A piece of a line; its style: "title", "name", "number", "rule", "outside" or a verdict."""

    text: str
    style: str = ""


Line = Sequence[Span]


def plain(line: Line) -> str:
    """A line without its styles."""
    return "".join(span.text for span in line)


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
    styled = [[Span(cell) for cell in row] for row in rows]
    return [plain(line) for line in styled_grid(headers, styled, width, left)]


def styled_grid(
    headers: Sequence[str], rows: Sequence[Line], width: int, left: Collection[str] = ()
) -> list[Line]:
    """`grid` of cells with styles."""
    head = [Span(name) for name in headers]
    columns = list(zip(head, *rows, strict=True))
    widths = [max(len(cell.text) for cell in column) for column in columns]
    others = sum(widths[1:]) + len(widths) + 1
    widths[0] = max(min(widths[0], width - others), min(widths[0], _SHORTEST_NAME))
    to_left = [name in left or place == 0 for place, name in enumerate(headers)]
    rules = [
        Span("-" * size if leftmost else "-" * (size - 1) + ":", "rule")
        for size, leftmost in zip(widths, to_left, strict=True)
    ]
    return [_line(cells, widths, to_left) for cells in (head, rules, *rows)]


def short_amount(number: float) -> str:
    """A count of tokens or parameters, as 1.27M; as 5e+15 above the trillions."""
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if 1e15 > number >= size:
            return f"{number / size:.3g}{name}"
    return f"{number:.0f}" if number < 1e15 else f"{number:.3g}"


def terminal_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    # Not a terminal: a fixed width, so that the same document always gives the same text.
    if not sys.stdout.isatty():
        return DEFAULT_WIDTH
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def _line(cells: Line, widths: Sequence[int], to_left: Sequence[bool]) -> Line:
    spans = [Span("|")]
    for cell, size, leftmost in zip(cells, widths, to_left, strict=True):
        short = _shortened(cell.text, size)
        spans += [Span(short.ljust(size) if leftmost else short.rjust(size), cell.style), Span("|")]
    return spans


def _shortened(text: str, size: int) -> str:
    """`text` in at most `size` characters, the middle left out: beginnings and ends tell apart."""
    if len(text) <= size:
        return text
    tail = (size - 2) // 2
    return f"{text[: size - 2 - tail]}..{text[len(text) - tail :]}"
