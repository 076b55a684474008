"""Charts as picture files: PNG and SVG, made without a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.ladder.files import check_file, file_name, write_whole
from cod_harness.report.page.page import Document, charts_of

_SCALE = 2.0  # pixels of a PNG per unit


def write_charts(document: Document, folder: str | os.PathLike[str], kind: str) -> list[Path]:
    """Write each chart as `<task>_<chart>.<kind>`; nothing is overwritten.

    Tasks whose names are the same as file names (`a/b` and `a_b`) are told apart by a number.

    Args:
        document: the record of a forecast or backtest.
        folder: made if it is missing.
        kind: "png" or "svg".

    Raises:
        InputError: a file is there already, the folder cannot be written, or a package is missing.
    """
    drawn: dict[Path, Any] = {}
    taken: set[str] = set()  # in small letters: some disks take `A` and `a` for one name
    for group, charts in charts_of(document).items():
        for name, chart in charts.items():
            base = file_name(group)[:200]  # names end at 255 bytes
            number = 1
            while (of := f"{base}{f'.{number}' * (number > 1)}_{name}.{kind}").lower() in taken:
                number += 1
            taken.add(of.lower())
            drawn[Path(folder) / of] = chart
    for path in drawn:  # all of them or none
        check_file(path)
    written = [write_whole(path, picture(chart, kind)) for path, chart in drawn.items()]
    if not written:
        raise InputError("nothing to draw: no task of the document has rungs with data")
    return written


def picture(chart: Any, kind: str) -> bytes | str:
    """A chart as PNG bytes or SVG text, on white."""
    import vl_convert

    from cod_harness.report.charts.standalone import specification

    plain = specification(chart)
    if kind == "svg":
        return str(vl_convert.vegalite_to_svg(plain))
    return bytes(vl_convert.vegalite_to_png(plain, scale=_SCALE))
