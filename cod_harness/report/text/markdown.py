"""A forecast as Markdown, for a pull request or a model card."""

from __future__ import annotations

from collections.abc import Sequence

from cod_harness.evaluation.records.forecast import Forecasts, TaskForecast
from cod_harness.report.text import sentences as reading
from cod_harness.report.text.forecast_table import level_text


def markdown(document: Forecasts) -> str:
    """The forecasts of every target as tables, with what to know before using them."""
    methods = document.settings.methods
    blocks = [block for target in document.targets for block in _target(document, target, methods)]
    versions = document.versions
    made = f"Made {document.created[:10]} by cod-harness {versions.get('cod-harness', '?')}"
    ladder = document.ladder
    rungs = len(ladder.rungs)
    blocks.append(f"{made} from the {rungs} rungs of the ladder {_cell(ladder.name)}.")
    return "\n\n".join(blocks) + "\n"


def _target(document: Forecasts, target: str, methods: Sequence[str]) -> list[str]:
    entries = {
        (entry.task, entry.method): entry for entry in document.forecasts if entry.target == target
    }
    mine = [entry for (_, method), entry in entries.items() if method == methods[0]]
    if not mine:
        return []
    known = any(entry.observed is not None for entry in mine)
    heads = ["benchmark", methods[0], level_text(mine[0].level), "verdict"]
    heads += ["measured"] if known else []
    heads += methods[1:]
    lines = [_row(heads), "|" + "|".join([" --- ", *(" ---: " for _ in heads[1:])]) + "|"]
    for entry in mine:
        interval = "–" if entry.low is None else _interval(entry)  # noqa: RUF001
        cells = [_cell(entry.task), reading.percent(entry.mean), interval]
        cells += [reading.VERDICTS[entry.verdict]]
        cells += [reading.percent(entry.observed)] if known else []
        for method in methods[1:]:
            other = entries.get((entry.task, method))
            cells.append(reading.percent(other.mean if other else None))
        lines.append(_row(cells))
    amount = f" ({reading.amount(mine[0].compute)})" if mine[0].named else ""
    notes = [
        f"- **{_cell(entry.task)}**: {_cell(reading.trust(entry, brief=False))}"
        for entry in mine
        if entry.verdict != "ok"
    ]
    blocks = [f"### Forecast for {_cell(target)}{amount}", reading.summary(mine), "\n".join(lines)]
    return blocks + (["\n".join(notes)] if notes else [])


def _interval(entry: TaskForecast) -> str:
    return f"{reading.percent(entry.low)} to {reading.percent(entry.high)}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
