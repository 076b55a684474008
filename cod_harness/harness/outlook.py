"""The forecast after a run, once an output folder holds enough rungs."""

from __future__ import annotations

import json
from pathlib import Path

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder

# Three law parameters and at least one point to spare (method.md, section 3).
FEWEST_RUNGS = 4
LEVEL = 0.9


def stores_of(folder: Path, ladder: Ladder) -> dict[Path, dict[str, object]]:
    """Pass-rate files of this ladder under a folder, oldest first, with their settings.

    A file that cannot be read is passed over.
    """
    from cod_harness.ladder.files import passrate_files
    from cod_harness.ladder.store import read_store

    found: dict[Path, dict[str, object]] = {}
    for path in passrate_files(folder):
        try:
            _, settings = read_store(path)
        except InputError:
            continue
        if settings.get("ladder") == ladder.name:
            found[path] = settings
    return found


def forecast_of(folder: Path, ladder: Ladder) -> str:
    """Forecast the ladder's targets from a folder; write the JSON, return the table in text.

    Returns '' while fewer than four rungs have been measured or the ladder names no target.
    Raises InputError where the pass rates cannot be used.
    """
    from cod_harness.ladder.files import date_stamp, write_whole
    from cod_harness.ladder.passrates import read_passrates
    from cod_harness.report.document import forecast_document
    from cod_harness.report.table import forecast_table

    stores = stores_of(folder, ladder)
    rungs = {model.name for model in ladder.rungs}
    measured = {str(settings.get("rung")) for settings in stores.values()} & rungs
    if len(measured) < FEWEST_RUNGS or not ladder.targets:
        return ""
    document = forecast_document(
        read_passrates(list(stores), ladder),
        ladder,
        methods=[default_method()],
        targets=None,
        compute=None,
        level=LEVEL,
    )
    path = folder / f"cod_forecast_{date_stamp()}.json"
    write_whole(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return f"{forecast_table(document)}\nforecast written to {path}"


def default_method() -> str:
    """`cod`, or the published recipe where this version has nothing better."""
    from cod_harness.engine import METHODS

    return "cod" if "cod" in METHODS else "cod-paper"
