"""The page that goes beside a JSON file, and must never cost the run that made it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from cod_harness.errors import InputError
from cod_harness.messages import detail, say

if TYPE_CHECKING:
    from cod_harness.report.page.page import Document


def page_beside(document: Document, folder: Path) -> Path | None:
    """Write the page into a folder; None, and why on standard error, where that cannot be."""
    from cod_harness.report.page.page import write_page

    begun = time.monotonic()
    try:
        path = write_page(document, folder)
    except InputError as refusal:
        say(f"no report: {refusal}")
        return None
    detail(f"page drawn in {time.monotonic() - begun:.1f} s")
    return path
