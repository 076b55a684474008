"""What the page of a backtest says."""

from __future__ import annotations

from typing import Any

from cod_harness.evaluation.records.backtest import Backtest, MethodSummary
from cod_harness.report.text.sentences import command_text

TEMPLATE = "backtest.html.j2"
FEWEST_JUDGED = 10


def backtest_content(document: Backtest) -> dict[str, Any]:
    """What the template shows besides the charts."""
    rows = document.rows
    methods = document.speaking
    first = document.summary[document.methods[0]]
    mine = [row for row in rows if row.method == document.methods[0]]
    misses = [(abs(row.error), row) for row in mine if row.error is not None]
    return {
        "title": f"Backtest: {document.ladder}",
        "document": document,
        "method": document.methods[0],
        "methods": methods,
        "silent": [name for name in document.methods if name not in methods],
        "level": f"{100 * document.settings.level:g} %",
        "points_known": len(mine),
        "tasks": len({row.task for row in rows}),
        "verdict": _verdict(document.methods[0], first, document.settings.level),
        "worst": [row for _, row in sorted(misses, key=lambda miss: -miss[0])[:12]],
        "command": command_text(document.settings.command),
    }


def _verdict(method: str, about: MethodSummary, level: float) -> str:
    if about.mean is None:
        return f"{method} made no forecast."
    said = f"{method} was {about.mean:.1f} points off on average, {about.max:.1f} at worst"
    if about.abstained:
        said += f", and would not forecast {100 * about.abstained:.0f} % of the results"
    held = about.coverage
    if held is None:
        return f"{said}."
    # Five points are within what so few forecasts can tell apart.
    judged = "as promised" if held >= level - 0.05 else "fewer than promised: too narrow"
    if about.n < FEWEST_JUDGED:
        judged = f"but {about.n} forecasts are too few to judge intervals by"
    return f"{said}. Its {100 * level:g} % intervals held {100 * held:.0f} % of them, {judged}."
