"""Reading a document of ours back: a forecast or a backtest, checked against its schema."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError

FORECAST, BACKTEST = "cod-forecast/1", "cod-backtest/1"
_WRITTEN_BY = {FORECAST: "cod-harness forecast", BACKTEST: "cod-harness backtest"}
_LONGEST = 160  # characters of a schema's complaint


def read_document(
    path: str | os.PathLike[str], kinds: Sequence[str] = (FORECAST, BACKTEST)
) -> dict[str, Any]:
    """The document in a file; of a folder, the newest forecast in it.

    Args:
        path: the JSON file, or an output folder.
        kinds: values of `schema` that will do.

    Raises:
        InputError: no such file, no JSON, or no document of these kinds.
    """
    path = found(path)
    wanted = " or ".join(f"`{_WRITTEN_BY[kind]} --json`" for kind in kinds)
    document = read_json(path, f"name a file written by {wanted}")
    kind = document.get("schema") if isinstance(document, dict) else None
    if kind not in kinds:
        raise InputError(
            f"{path}: its `schema` is {kind!r}, not {' or '.join(kinds)}; name a file written by "
            f"{wanted}"
        )
    _check(path, document)
    return dict(document)


def found(path: str | os.PathLike[str]) -> Path:
    """The file itself, or the newest forecast of a folder."""
    path = Path(path)
    if not path.is_dir():
        return path
    inside = sorted(path.glob("cod_forecast_*.json"))
    if not inside:
        raise InputError(
            f"{path}: no cod_forecast_*.json in this folder; `cod-harness forecast` writes one"
        )
    return inside[-1]


def read_json(path: Path, remedy: str) -> Any:
    """The JSON in a file; InputError, ending in the remedy, where there is none."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text; {remedy}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: no JSON: {error.msg}; {remedy}") from None


def _check(path: Path, document: dict[str, Any]) -> None:
    import jsonschema

    from cod_harness.evaluation import backtest
    from cod_harness.evaluation import forecasts as forecast

    schema = forecast.schema() if document["schema"] == FORECAST else backtest.schema()
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(document)
    )
    if error is not None:
        said = " ".join(error.message.split())
        said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
        place = error.json_path.removeprefix("$.")
        raise InputError(f"{path}: {place}: {said}; write the file again")
