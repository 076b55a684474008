"""The forecast after a run, once an output folder holds enough rungs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder
from cod_harness.messages import say
from cod_harness.progress import progress_bar

if TYPE_CHECKING:
    from cod_harness.report.document import Document

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


@dataclass(frozen=True)
class Outlook:
    """A forecast that has been made and written. page: None where none could be drawn."""

    document: Document
    path: Path
    page: Path | None


def make_forecast(folder: Path, ladder: Ladder, allow_mismatch: bool = False) -> Outlook | None:
    """Forecast the ladder's targets from a folder; JSON and page go into it.

    None while fewer than four rungs have been measured, or if the ladder names no target. Raises
    InputError where the pass rates cannot be used.
    """
    from cod_harness.ladder.passrates import read_passrates
    from cod_harness.report.document import forecast_document, write_document
    from cod_harness.report.page_beside import page_beside

    stores = stores_of(folder, ladder)
    rungs = {model.name for model in ladder.rungs}
    measured = {str(settings.get("rung")) for settings in stores.values()} & rungs
    if len(measured) < FEWEST_RUNGS or not ladder.targets:
        return None
    # Only this ladder's stores: another ladder's runs may share the folder.
    rates = read_passrates(list(stores), ladder)
    command = ["cod-harness", "forecast", str(folder), "--ladder", str(ladder.path or ladder.name)]
    command += ["--allow-mismatch"] if allow_mismatch else []
    with progress_bar("forecast", "task") as progress:
        document = forecast_document(
            rates, ladder, allow_mismatch=allow_mismatch, command=command, progress=progress
        )
    path = write_document(document, folder)
    return Outlook(document, path, page_beside(document, folder))


def show(outlook: Outlook) -> None:
    """The table on standard output, notes and files on standard error."""
    from cod_harness.report.terminal import print_forecast

    print_forecast(outlook.document)
    for note in outlook.document["settings"].get("notes", []):
        say(note)
    say(f"forecast written to {outlook.path}")
    if outlook.page:
        say(f"report written to {outlook.page}")


def show_forecast(folder: Path, ladder: Ladder, allow_mismatch: bool = False) -> None:
    """Make a forecast and show it; nothing happens while there are too few rungs."""
    outlook = make_forecast(folder, ladder, allow_mismatch)
    if outlook is not None:
        show(outlook)
