"""The forecast after a run, once an output folder holds enough rungs."""

from __future__ import annotations

import sys
from pathlib import Path

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder

# Three law parameters and at least one point to spare (method.md, section 3).
FEWEST_RUNGS = 4


def stores_of(folder: Path, ladder: Ladder) -> dict[Path, dict[str, object]]:
    """Pass-rate files of this ladder under a folder, oldest first, with their settings.

    A file that cannot be read is left out, and named on stderr.
    """
    from cod_harness.ladder.files import passrate_files
    from cod_harness.ladder.store import read_store

    found: dict[Path, dict[str, object]] = {}
    for path in passrate_files(folder):
        try:
            _, settings = read_store(path)
        except InputError as unreadable:
            print(f"cod-harness: left out: {unreadable}", file=sys.stderr)
            continue
        if settings.get("ladder") == ladder.name:
            found[path] = settings
    return found


def show_forecast(folder: Path, ladder: Ladder, allow_mismatch: bool = False) -> None:
    """Forecast the ladder's targets from a folder: JSON into it, the table on standard output.

    Nothing happens while fewer than four rungs have been measured, or if the ladder names no
    target. Raises InputError where the pass rates cannot be used.
    """
    from cod_harness.ladder.passrates import read_passrates
    from cod_harness.report.document import forecast_document, write_document
    from cod_harness.report.table import forecast_table

    stores = stores_of(folder, ladder)
    rungs = {model.name for model in ladder.rungs}
    measured = {str(settings.get("rung")) for settings in stores.values()} & rungs
    if len(measured) < FEWEST_RUNGS or not ladder.targets:
        return
    # Only this ladder's stores: another ladder's runs may share the folder.
    rates = read_passrates(list(stores), ladder)
    document = forecast_document(rates, ladder, allow_mismatch=allow_mismatch)
    path = write_document(document, folder)
    print(forecast_table(document))
    for note in document["settings"].get("notes", []):
        print(f"cod-harness: {note}", file=sys.stderr)
    print(f"cod-harness: forecast written to {path}", file=sys.stderr)
