"""Charts as picture files: PNG and SVG, made without a browser."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.ladder.files import write_whole
from cod_harness.report.page.page import Document, charts_of

_SCALE = 2.0  # pixels of a PNG per unit


def write_charts(document: Document, folder: str | os.PathLike[str], kind: str) -> list[Path]:
    """Write each chart as `<task>_<chart>.<kind>`; files of an earlier time are replaced.

    Args:
        document: the record of a forecast or backtest.
        folder: made if it is missing.
        kind: "png" or "svg".

    Raises:
        InputError: the folder cannot be written, or a package is missing.
    """
    written = []
    for group, charts in charts_of(document).items():
        for name, chart in charts.items():
            path = Path(folder) / f"{_file_name(group)}_{name}.{kind}"
            write_whole(path, picture(chart, kind), overwrite=True)
            written.append(path)
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


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)
