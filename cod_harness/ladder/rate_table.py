"""The long table of pass rates: its columns, reading it from a file, and what makes it wrong.

One row per (task, question, model, checkpoint). Row numbers in messages count rows of data from 1
(a CSV file's header line is not counted).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cod_harness.errors import InputError

KEY_COLUMNS = ("task", "question", "model", "checkpoint")
HASH_COLUMNS = ("doc_hash", "prompt_hash", "target_hash")
TEXT_COLUMNS = (*KEY_COLUMNS, *HASH_COLUMNS, "filter", "metric")
# The question of a row that holds the accuracy of a whole benchmark, whose questions are not known;
# its draws are the answers behind that accuracy.
WHOLE = "(whole benchmark)"
NUMBER_COLUMNS = ("n_correct", "n_samples", "rate")
COLUMNS = (*KEY_COLUMNS, *NUMBER_COLUMNS, *HASH_COLUMNS, "filter", "metric")
_REQUIRED = ("task", "question", "model")
# How far a stated rate may be from n_correct / n_samples: tables round.
_RATE_TOLERANCE = 0.0051


def read_columns(path: Path) -> pd.DataFrame:
    """All columns of a `.parquet` or `.csv` file, as they are; those of a CSV file as text.

    Raises:
        InputError: no such file, or another kind of file.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    if path.suffix.lower() == ".parquet":
        return read_parquet(path)
    raise InputError(
        f"{path}: not a table of pass rates: the name ends in {path.suffix or 'nothing'!r}; "
        "give a .parquet or .csv file or an output folder"
    )


def column_names(path: Path) -> list[str]:
    """The columns of a `.parquet` or `.csv` file, whose rows are not read; [] where unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".parquet":
            return list(pq.read_schema(path).names)
        return [str(name) for name in pd.read_csv(path, dtype=str, nrows=0, encoding="utf-8-sig")]
    except (pa.ArrowException, OSError, ValueError):
        return []


def read_parquet(
    path: Path, columns: Sequence[str] | None = None, footer: Any = None
) -> pd.DataFrame:
    """All columns of a Parquet file, or those of some that it has, as they are.

    footer: the file's, where it has been read already.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Opened here: pyarrow takes no path that is no text.
        with open(path, "rb") as stream:
            frame: pd.DataFrame = (
                pq.ParquetFile(stream, metadata=footer, page_checksum_verification=True)
                .read(None if columns is None else list(columns))
                .to_pandas()
            )
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable_parquet(path, error) from None
    return frame


def unreadable_parquet(path: Path, error: Exception) -> InputError:
    """What to say about a file that should be Parquet and is not."""
    reason = " ".join(str(error).split()).rstrip(".")[:160]
    return InputError(
        f"{path}: not a readable Parquet file (cut short, or of another kind): {reason}; "
        "write it again or take it out"
    )


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        # As text, so that a question called 007 or NA keeps its name.
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: is empty; it needs a header and rows") from None
    except pd.errors.ParserError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a readable CSV file: {reason}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text in UTF-8; save the CSV file as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def checked(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """`frame` with all COLUMNS in order and of fixed types, once nothing is wrong with it.

    Needs task, question and model, and either n_correct with n_samples or rate. A rate without
    n_samples is analytic (n_samples 0). Other columns are left out.

    Args:
        frame: the table as given.
        where: how messages name the table, mostly its path.

    Raises:
        InputError: naming table, row, column and value: a column is missing, a value is missing
            or not a number, n_correct is negative or above n_samples, a rate is outside [0, 1] or
            contradicts its counts, or a row occurs twice.
    """
    frame = frame.reset_index(drop=True)
    _check_columns(frame, where)
    if frame.empty:
        raise InputError(f"{where}: has no rows; nothing was measured in it")
    table = pd.DataFrame(index=frame.index)
    for column in KEY_COLUMNS:
        table[column] = _text(frame, column, where)
    counts = _counts(frame, where)
    for column in NUMBER_COLUMNS:
        table[column] = counts[column]
    for column in (*HASH_COLUMNS, "filter", "metric"):
        table[column] = _text(frame, column, where)
    repeated = table.duplicated(list(KEY_COLUMNS))
    if repeated.any():
        row = int(np.argmax(repeated.to_numpy()))
        raise InputError(
            f"{where}: row {row + 1}: {describe_key(table, row)} occurs twice; keep one row"
        )
    return table


def describe_key(table: pd.DataFrame, row: int) -> str:
    """Words for the key of one row (counted from 0)."""
    task, question, model, checkpoint = (str(table[key].iloc[row]) for key in KEY_COLUMNS)
    extra = f", checkpoint {checkpoint!r}" if checkpoint else ""
    return f"task {task!r}, question {question!r}, model {model!r}{extra}"


def _check_columns(frame: pd.DataFrame, where: str) -> None:
    names = [str(name) for name in frame.columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{where}: has the column {twice[0]!r} twice; keep one")
    missing = [name for name in _REQUIRED if name not in names]
    if "rate" not in names:
        missing += [name for name in ("n_correct", "n_samples") if name not in names]
    elif "n_correct" in names and "n_samples" not in names:
        missing += ["n_samples"]
    if not missing:
        return
    hints = {name: difflib.get_close_matches(name, names, n=1) for name in missing}
    hint = "".join(f"; is {close[0]!r} meant as {name}?" for name, close in hints.items() if close)
    raise InputError(
        f"{where}: lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)} "
        f"(it has {', '.join(names) or 'none'}){hint or '; rename or add'}"
    )


def _text(frame: pd.DataFrame, column: str, where: str) -> pd.Series[str]:
    if column not in frame:
        return pd.Series("", index=frame.index, dtype=str)
    values = frame[column]
    absent = values.isna()
    if pd.api.types.is_float_dtype(values) and (values % 1 == 0).all():
        # Whole numbers that passed through a float column read 7, not 7.0.
        values = values.astype("int64")
    try:
        text = values.astype(str).where(~absent, "")
    except (UnicodeDecodeError, ValueError, TypeError):
        raise InputError(f"{where}: {column} holds bytes that are no text; correct it") from None
    if column in _REQUIRED:
        empty = (text == "").to_numpy()
        if empty.any():
            raise InputError(
                f"{where}: row {int(np.argmax(empty)) + 1}: {column} is empty; name it"
            )
    return text


def _counts(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    has_rate = "rate" in frame
    if "n_samples" in frame:
        samples = _numbers(frame["n_samples"], "n_samples", where)
    else:
        samples = pd.Series(0.0, index=frame.index)
    _refuse(~_finite(samples), "n_samples is missing or not finite", where, frame)
    _refuse(samples < 0, "n_samples is negative", where, frame)
    _refuse(samples != samples.round(), "n_samples is not a whole number", where, frame)
    sampled = samples > 0
    given = pd.Series(np.nan, index=frame.index)
    if has_rate:
        given = _numbers(frame["rate"], "rate", where)
        _refuse((given < 0) | (given > 1), "rate is outside 0 to 1", where, frame)
    unknown = ~sampled & given.isna()
    remedy = "rate is missing" if has_rate else "n_samples is 0 and there is no column rate"
    _refuse(unknown, remedy, where, frame)
    if "n_correct" in frame:
        correct = _numbers(frame["n_correct"], "n_correct", where)
        _refuse(sampled & ~_finite(correct), "n_correct is missing or not finite", where, frame)
        _refuse(sampled & (correct < 0), "n_correct is negative", where, frame)
        _refuse(sampled & (correct > samples), "n_correct is above n_samples", where, frame)
    else:
        _refuse(sampled & given.isna(), "rate is missing", where, frame)
        correct = given * samples
    rate = (correct / samples.where(sampled, np.nan)).where(sampled, given)
    conflict = sampled & given.notna() & ((given - rate).abs() > _RATE_TOLERANCE)
    _refuse(conflict, "rate contradicts n_correct / n_samples", where, frame)
    return pd.DataFrame(
        {
            "n_correct": correct.where(sampled, 0.0),
            "n_samples": samples.astype("int64"),
            "rate": rate,
        }
    )


def _numbers(values: pd.Series, column: str, where: str) -> pd.Series[float]:
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    try:
        text = values.astype(str).str.strip()
    except (UnicodeDecodeError, ValueError, TypeError):
        raise InputError(f"{where}: {column} holds bytes, no numbers; correct it") from None
    absent = values.isna() | (text == "")
    numbers = pd.to_numeric(text.where(~absent, "nan"), errors="coerce").astype("float64")
    words = ~absent & numbers.isna() & (text.str.lower() != "nan")
    if words.any():
        row = int(np.argmax(words.to_numpy()))
        raise InputError(
            f"{where}: row {row + 1}: {column} is {text.iloc[row]!r}, not a number; correct it"
        )
    return numbers


def _finite(values: pd.Series[float]) -> pd.Series[bool]:
    return values.notna() & (values.abs() < np.inf)


def _refuse(wrong: pd.Series[bool], what: str, where: str, frame: pd.DataFrame) -> None:
    if not wrong.any():
        return
    row = int(np.argmax(wrong.to_numpy()))
    seen = ", ".join(f"{name}={frame[name].iloc[row]}" for name in NUMBER_COLUMNS if name in frame)
    count = int(wrong.sum())
    also = f" (and {count - 1} more rows)" if count > 1 else ""
    raise InputError(f"{where}: row {row + 1}: {what} ({seen}){also}; correct or remove the row")
