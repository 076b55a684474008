"""JSON as the standard has it: what Python's reader takes beyond that is refused, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn


def parsed_json(text: str) -> Any:
    """The value of a JSON text.

    Raises ValueError saying what is wrong (JSONDecodeError where it is no JSON at all): a key given
    twice, NaN or an infinity, half a character, nesting or numbers out of all bounds.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        # allow_nan: 1e999 is read as an infinity.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate)") from None
    return value


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"has the key {key[:60]!r} twice in one object")
        found[key] = value
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which is no JSON")
