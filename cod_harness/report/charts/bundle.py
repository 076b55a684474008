"""The drawing library as one piece of JavaScript, to stand inside a page."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from cod_harness.errors import InputError
from cod_harness.ladder.files import write_whole

_SIGN = "vegaEmbed"


def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed; `vegaEmbed` is global afterwards.

    Putting them together takes seconds, so the result is kept in the user's cache folder.
    """
    import vl_convert

    place = _cache() / f"vega-{version('vl-convert-python')}.js"
    try:
        kept = place.read_text("utf-8")
        if _SIGN in kept:
            return kept
    except (OSError, UnicodeDecodeError):
        pass
    made = str(vl_convert.javascript_bundle())  # type: ignore[call-arg]  # has a default
    with suppress(InputError):  # no home to write to: it is made again next time
        write_whole(place, made, overwrite=True)
    return made


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cod-harness"
