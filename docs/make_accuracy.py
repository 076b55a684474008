"""Writes the tables of docs/accuracy.md from backtests.

    cod-harness backtest RATES --ladder LADDER.yaml --json - > BACKTEST.json  # for each ladder
    python docs/make_accuracy.py BACKTEST.json...

Of all rolling origins and measured targets, those count that some baseline forecasts within 10
points (the rest is what no method comes near; a second table counts it too).  A forecast that is
refused has no error; its interval score is that of the whole range.  `powerlaw, constant` is that
method with one width for the whole ladder, chosen with the errors in hand so that it holds 90 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import msgspec
import numpy as np

from cod_harness.documents.reading import read_document
from cod_harness.engine.methods import CLUSTERING, DEFAULT_METHOD
from cod_harness.evaluation.records.backtest import Backtest, BacktestRow

PAGE = Path(__file__).with_name("accuracy.md")
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
NEAR = 10.0  # points
COLUMNS = [
    *"ladder method n mean median refused inside width score ok".split(),
    "ok: mean",
    "ok: inside",
]
HEAD = f"| {' | '.join(COLUMNS)} |\n|---|---|{'--:|' * (len(COLUMNS) - 2)}\n"


@dataclass(frozen=True)
class Line:
    """What one method does on one ladder; shares in percent, all else in points."""

    n: int
    mean: float
    median: float
    refused: float
    inside: float
    width: float
    score: float
    ok: float
    ok_mean: float
    ok_inside: float

    @classmethod
    def of(cls, rows: Sequence[BacktestRow]) -> Line:
        made = [row for row in rows if row.error is not None]
        fine = [row for row in made if row.verdict == "ok"]
        return cls(
            n=len(rows),
            mean=_mean(abs(row.error) for row in made),
            median=float(np.median([abs(row.error) for row in made])) if made else np.nan,
            refused=100.0 * (1 - len(made) / len(rows)),
            inside=100.0 * _mean(_holds(row) for row in made),
            width=float(np.median([100 * (row.high - row.low) for row in made]))
            if made
            else np.nan,
            score=_mean(_score(row) for row in rows),
            ok=100.0 * len(fine) / len(rows),
            ok_mean=_mean(abs(row.error) for row in fine),
            ok_inside=100.0 * _mean(_holds(row) for row in fine),
        )

    def cells(self) -> list[str]:
        def number(value: float, form: str) -> str:
            return "-" if np.isnan(value) else form.format(value)

        return [
            str(self.n),
            *(number(value, "{:.1f}") for value in (self.mean, self.median)),
            *(number(value, "{:.0f} %") for value in (self.refused, self.inside)),
            *(number(value, "{:.1f}") for value in (self.width, self.score)),
            number(self.ok, "{:.0f} %"),
            number(self.ok_mean, "{:.1f}"),
            number(self.ok_inside, "{:.0f} %"),
        ]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else np.nan


def _holds(row: BacktestRow) -> bool:
    return bool(row.low - 1e-9 <= row.observed <= row.high + 1e-9)


def _score(row: BacktestRow) -> float:
    """Winkler's at 90 %, points."""
    low, high = (0.0, 1.0) if row.error is None else (row.low, row.high)
    missed = max(low - row.observed, 0.0) + max(row.observed - high, 0.0)
    return 100.0 * (high - low + 20.0 * missed)


def constant(rows: Sequence[BacktestRow]) -> list[BacktestRow]:
    """Rows of one method and ladder with one width for all that holds 90 % of them."""
    made = [row for row in rows if row.error is not None]
    if not made:
        return list(rows)
    reach = float(np.quantile([abs(row.error) for row in made], 0.9)) / 100.0
    changed = {
        id(row): msgspec.structs.replace(
            row, low=max(row.forecast - reach, 0.0), high=min(row.forecast + reach, 1.0)
        )
        for row in made
    }
    return [changed.get(id(row), row) for row in rows]


def near(rows: Sequence[BacktestRow]) -> list[BacktestRow]:
    """The rows of points that some baseline forecasts within `NEAR` points."""
    reached = {
        (row.task, row.target)
        for row in rows
        if row.method not in CLUSTERING and row.error is not None and abs(row.error) <= NEAR
    }
    return [row for row in rows if (row.task, row.target) in reached]


def lines(rows: Sequence[BacktestRow]) -> dict[str, Line]:
    """By method, the default first, then the baselines by their score."""
    methods = list(dict.fromkeys(row.method for row in rows))
    by = {method: [row for row in rows if row.method == method] for method in methods}
    if "powerlaw" in by:
        by["powerlaw, constant"] = constant(by["powerlaw"])
    found = {method: Line.of(mine) for method, mine in by.items()}
    return dict(sorted(found.items(), key=lambda one: (one[0] != DEFAULT_METHOD, one[1].score)))


def alike(ladders: Sequence[dict[str, Line]]) -> dict[str, Line]:
    """Means over ladders, of the methods that all of them have; n is the number of ladders."""
    shared = [m for m in ladders[0] if all(m in one for one in ladders)]
    found = {}
    for method in shared:
        each = np.array([astuple(one[method]) for one in ladders], dtype=float)
        means = [float(np.nanmean(c)) if np.isfinite(c).any() else np.nan for c in each.T]
        found[method] = Line(len(ladders), *means[1:])
    return dict(sorted(found.items(), key=lambda one: (one[0] != DEFAULT_METHOD, one[1].score)))


def table(backtests: Sequence[Backtest], only_near: bool, best: int) -> str:
    """A Markdown table: of each ladder the default and the `best` best others, then all alike."""
    text, found = HEAD, []
    for one in backtests:
        rows = near(one.rows) if only_near else one.rows
        mine = lines(rows)
        found.append(mine)
        shown = [m for m in mine if m != "powerlaw, constant"][: best + 1]
        shown += [m for m in ("powerlaw", "powerlaw, constant") if m in mine and m not in shown]
        text += "".join(_row(one.ladder if m == shown[0] else "", m, mine[m]) for m in shown)
    together = alike(found)
    return text + "".join(
        _row("ladders alike" if m == DEFAULT_METHOD else "", m, line)
        for m, line in together.items()
    )


def _row(ladder: str, method: str, line: Line) -> str:
    return "| " + " | ".join([ladder, method, *line.cells()]) + " |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("backtests", nargs="+", type=Path)
    parser.add_argument("--print", action="store_true", help="write nothing")
    asked = parser.parse_args()
    backtests = [read_document(path, Backtest).record for path in asked.backtests]
    tables = (
        "Points that some baseline forecasts within 10:\n\n"
        + table(backtests, True, 1)
        + "\nEvery point:\n\n"
        + table(backtests, False, 1)
    )
    if asked.print:
        sys.stdout.write(tables)
        return
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + BEGIN + "\n" + tables + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
