"""The harness's `--model_args`: which model they name, and where it lies.

They are text: `pretrained=ckpt/122m,dtype=float32`, or one JSON object where a value could not be
written so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# The arguments that may name a local folder.
_PATHS = ("pretrained", "tokenizer", "peft", "delta")
# In a value, these would be read as the end of it, or as something other than text.
_NOT_IN_PAIRS = frozenset(",=\"'[]{}()")


def written(arguments: Mapping[str, Any]) -> str:
    """Model arguments as the command line takes them.

    >>> written({"pretrained": "ckpt/122m", "dtype": "float32"})
    'pretrained=ckpt/122m,dtype=float32'
    >>> written({"pretrained": "a,b"})
    '{"pretrained": "a,b"}'
    """
    plain = all(
        isinstance(value, (str, int, float)) and not _NOT_IN_PAIRS & set(str(value))
        for value in arguments.values()
    )
    if plain:
        return ",".join(f"{key}={value}" for key, value in arguments.items())
    return json.dumps(arguments, ensure_ascii=False)


def pretrained(text: str) -> str | None:
    """The model that some arguments name; None if they name none."""
    return argument(text, "pretrained")


def argument(text: str, name: str) -> str | None:
    """The value of one of the arguments, as text; None if it is not among them.

    >>> argument("pretrained=EleutherAI/pythia-1b,revision=step1000", "revision")
    'step1000'
    """
    found = _object(text)
    if found is not None:
        return str(found[name]) if name in found else None
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals and key.strip() == name:
            return value.strip()
    return None


def with_pretrained(text: str, name: str) -> str:
    """The same arguments for another model."""
    found = _object(text)
    if found is not None:
        return written({**found, "pretrained": name})
    parts = [part for part in text.split(",") if part]
    keys = [part.partition("=")[0].strip() for part in parts]
    if "pretrained" in keys:
        parts[keys.index("pretrained")] = f"pretrained={name}"
    else:
        parts.insert(0, f"pretrained={name}")
    return ",".join(parts)


def located(text: str, folder: Path | None) -> str:
    """The arguments with the paths that exist under `folder` as paths from here."""

    def place(value: str) -> str:
        if folder is not None and value and (folder / value).exists():
            return str(folder / value)
        return value

    found = _object(text)
    if found is None:
        return ",".join(_placed(part, place) for part in text.split(","))
    paths = {key: value for key, value in found.items() if key in _PATHS and isinstance(value, str)}
    return written(found | {key: place(value) for key, value in paths.items()})


def _placed(part: str, place: Callable[[str], str]) -> str:
    key, equals, value = part.partition("=")
    return f"{key}={place(value)}" if equals and key.strip() in _PATHS else part


def same_model(first: str | None, second: str | None) -> bool:
    """Whether two `pretrained` values are one model: the same name, or the same place."""
    if first is None or second is None:
        return False
    return first == second or os.path.realpath(first) == os.path.realpath(second)


def _object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
