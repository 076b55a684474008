"""Tables of other programs: which of their columns are ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import COLUMNS, KEY_COLUMNS, checked, read_columns
from cod_harness.ladder.results.rows import (
    ACCURACY_COLUMNS,
    checked_accuracies,
    holds_accuracies,
)

# A column of ours that only such tables have: one answer a row, right (1) or wrong (0).
CORRECT = "correct"
_TRUE = {"1", "1.0", "true", "yes", "c"}
_FALSE = {"0", "0.0", "false", "no", "i"}


@dataclass(frozen=True)
class TableColumns:
    """Names for the columns of a table.

    theirs: our column -> the table's. constants: our column -> the value it has in every row. With
    a column `correct` each row is one answer, and answers to one question are counted together.
    """

    theirs: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parsed(cls, columns: Sequence[str], constants: Sequence[str]) -> TableColumns | None:
        """From `OURS=THEIRS` and `OURS=VALUE` texts; None if there are none.

        Raises InputError for a text that isn't of that form or a column we do not have.
        """
        if not columns and not constants:
            return None
        return cls(
            dict(_pair("--column", text) for text in columns),
            dict(_pair("--constant", text) for text in constants),
        )

    def read(self, paths: Sequence[Path], ladder: Ladder) -> PassRates:
        """The pass rates of all tables together.

        Raises InputError naming file, row and column.
        """
        frames = []
        for path in paths:
            if path.is_dir():
                raise InputError(
                    f"{path}: --column and --constant are for tables; name the .csv or .parquet"
                )
            frames.append(self._frame(path))
        frame = checked(pd.concat(frames, ignore_index=True), _names(paths))
        known = {model.name for model in ladder.models}
        for row, name in enumerate(frame["model"], 1):
            if name not in known:
                raise InputError(
                    f"{_names(paths)}: row {row}: the model {name!r} is not in the ladder "
                    f"{ladder.path or ladder.name}; add it there or take its rows out"
                )
        return PassRates.of_checked(frame)

    def _frame(self, path: Path) -> pd.DataFrame:
        frame = read_columns(path)
        for ours, theirs in self.theirs.items():
            if theirs not in frame:
                raise InputError(
                    f"{path}: --column {ours}={theirs}: it has no column {theirs!r}; it has "
                    + ", ".join(map(str, frame.columns))
                )
        renamed = pd.DataFrame(
            {ours: frame[theirs] for ours, theirs in self.theirs.items()}, index=frame.index
        )
        for name in frame.columns:
            if name in (*COLUMNS, *ACCURACY_COLUMNS, CORRECT) and name not in renamed:
                renamed[name] = frame[name]
        for name, value in self.constants.items():
            renamed[name] = value
        if CORRECT in renamed:
            return _counted(renamed, path)
        if holds_accuracies(renamed):
            renamed = checked_accuracies(renamed, str(path))
        return checked(renamed, str(path))


def _counted(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Answers, one a row, as counts, one row a question."""
    words = frame[CORRECT].astype(str).str.strip().str.lower()
    wrong = ~words.isin(_TRUE | _FALSE)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise InputError(
            f"{path}: row {row + 1}: correct is {frame[CORRECT].iloc[row]!r}, not 0 or 1; name "
            "another column, or give rates with --column rate=..."
        )
    keys = [name for name in (*KEY_COLUMNS, "filter", "metric") if name in frame]
    missing = [name for name in ("task", "question", "model") if name not in frame]
    if missing:
        raise InputError(
            f"{path}: no column for {', '.join(missing)}; say which with --column "
            f"{missing[0]}=THEIRS, or --constant {missing[0]}=VALUE"
        )
    grouped = words.isin(_TRUE).astype(float).groupby([frame[key] for key in keys], sort=False)
    counts = grouped.agg(["sum", "count"]).reset_index()
    counts = counts.rename(columns={"sum": "n_correct", "count": "n_samples"})
    return checked(counts, str(path))


def _pair(flag: str, text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not theirs:
        raise InputError(f"{flag} {text}: write OURS=THEIRS, as in question=item_id")
    if ours not in (*COLUMNS, *ACCURACY_COLUMNS, CORRECT):
        raise InputError(
            f"{flag} {text}: there is no column {ours!r}; there are {', '.join(COLUMNS)}, "
            f"{', '.join(ACCURACY_COLUMNS)} (of whole tasks) and {CORRECT} (one answer a row)"
        )
    return ours, theirs


def _names(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{len(paths)} tables"
