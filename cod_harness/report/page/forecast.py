"""What the page of a forecast says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cod_harness.evaluation.records.forecast import (
    Forecasts,
    RungSummary,
    TaskForecast,
    TaskSummary,
)
from cod_harness.evaluation.records.plan import Plan
from cod_harness.report.charts.small_curve import HEIGHT, WIDTH, small_curve
from cod_harness.report.charts.theme import CLASSES, VIEWS
from cod_harness.report.text import sentences as reading
from cod_harness.report.text.plan_table import plan_content

TEMPLATE = "forecast.html.j2"
REFUSED_SHOWN = 25  # rows of a benchmark's table of refused clusters
MANY = 12  # benchmarks above which a list is searched, and tabs give way to a menu


def forecast_content(
    document: Forecasts, texts: Mapping[str, Any], plan: Plan | None = None
) -> dict[str, Any]:
    """What the template shows besides the charts."""
    methods = document.settings.methods
    targets = [_target(document, target, methods) for target in document.targets]
    order = _by_use(document, methods[0])
    return {
        "title": f"Forecast: {document.ladder.name}",
        "document": document,
        "method": methods[0],
        "heading": _heading(document, targets),
        "targets": targets,
        "benchmarks": [
            _benchmark(document, name, document.tasks[name], methods[0]) for name in order
        ],
        "menu": _menu(document, order),
        "many": len(document.tasks) > MANY,
        "level": f"{100 * document.settings.level:g} %",
        "curve_size": (WIDTH, HEIGHT),
        "has_texts": bool(texts),
        "plan": plan and plan_content(plan),
        "command": reading.command_text(document.settings.command),
    }


def _heading(document: Forecasts, targets: Sequence[Mapping[str, Any]]) -> str:
    if len(targets) == 1:
        name = targets[0]["name"]
        if targets[0]["all_measured"]:
            return f"What {name} was forecast to score, and what it scored"
        return f"What {name} will score"
    named = any(entry.named for entry in document.forecasts)
    return f"Forecasts for {len(targets)} {'models' if named else 'amounts of compute'}"


def _by_use(document: Forecasts, method: str) -> list[str]:
    """The tasks, groups first, those without a number last: the first is worth a look first."""
    dumb = {
        task
        for task in document.tasks
        if not any(one.mean is not None for one in document.of(task) if one.method == method)
    }
    within = _members(document)
    return sorted(document.tasks, key=lambda task: (task in dumb, task in within))


def _members(document: Forecasts) -> dict[str, str]:
    """Task -> the largest group that it is part of, and that is forecast as a whole."""
    groups = {
        name: set(tasks)
        for name, tasks in document.settings.groups.items()
        if name in document.tasks
    }
    found = {}
    for task in document.tasks:
        parts = groups.get(task, {task})
        above = [
            name
            for name, tasks in groups.items()
            if name != task and parts <= tasks and (parts < tasks or name < task)
        ]
        if above:
            found[task] = min(above, key=lambda name: (-len(groups[name]), name))
    return found


def _menu(document: Forecasts, order: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Benchmarks as a menu has them: under each heading ('' for none) the names."""
    within = _members(document)
    tops = [name for name in order if name not in within]
    return [
        ("", tops),
        *(
            (top, parts)
            for top in tops
            if (parts := [name for name in order if within.get(name) == top])
        ),
    ]


def _target(document: Forecasts, target: str, methods: Sequence[str]) -> dict[str, Any]:
    entries = {(one.task, one.method): one for one in document.forecasts if one.target == target}
    mine = [
        one
        for task in _by_use(document, methods[0])
        if (one := entries.get((task, methods[0]))) is not None
    ]
    # Of one target: a task that is forecast for another may have no number for this one.
    mine.sort(key=lambda one: one.mean is None)
    within = _members(document)
    rows = {one.task: _row(document, one) for one in mine}
    for task, row in rows.items():
        row["parts"] = [other for name, other in rows.items() if within.get(name) == task]
    times = [
        found
        for one in mine
        if (found := reading.distance(one, document.tasks[one.task])) is not None
    ]
    return {
        "name": target,
        "amount": reading.amount(mine[0].compute) if mine and mine[0].named else "",
        "times": f"{min(times):.3g}" if times else "",
        "rows": [row for task, row in rows.items() if within.get(task) not in rows],
        "count": len(rows),
        "summary": reading.summary([one for one in mine if within.get(one.task) not in rows]),
        "inside": sum(within.get(task) in rows for task in rows),
        "measured": any(one.observed is not None for one in mine),
        "all_measured": bool(mine) and all(one.observed is not None for one in mine),
        "outside": any(one.held is False for one in mine),
        "views": {name: VIEWS[name] for name in VIEWS if any(name in one.parts for one in mine)},
        "others": _others(entries, [one.task for one in mine], methods),
    }


def _row(document: Forecasts, entry: TaskForecast) -> dict[str, Any]:
    task = document.tasks[entry.task]
    largest = _largest(task)
    return {
        "task": entry.task,
        "entry": entry,
        "largest": largest,
        "curve": small_curve(task, entry),
        "views": _views(entry),
        "trust": reading.trust(entry),
        "compared": reading.against_measured(entry),
        "verdict": reading.VERDICTS[entry.verdict],
    }


def _largest(task: TaskSummary) -> RungSummary | None:
    measured = [rung for rung in task.rungs if rung.accuracy is not None]
    return max(measured, key=lambda rung: rung.compute, default=None)


def _views(entry: TaskForecast) -> list[dict[str, Any]]:
    """What the number was made from: each view's own number, and its weight in percent."""
    return [
        {
            "words": words,
            "colour": colour,
            "mean": part.mean,
            "weight": None if part.weight is None else 100 * part.weight,
        }
        for name, (words, colour) in VIEWS.items()
        if (part := entry.parts.get(name)) is not None
    ]


def _others(
    entries: Mapping[tuple[str, str], TaskForecast], tasks: Sequence[str], methods: Sequence[str]
) -> dict[str, Any]:
    """The other methods' numbers, a row a task; methods without any are only named."""
    made = {
        method: [one for task in tasks if (one := entries.get((task, method))) is not None]
        for method in methods
    }
    shown = [name for name in methods if any(one.mean is not None for one in made[name])]
    sizes = {
        name: [abs(one.error) for one in made[name] if one.error is not None] for name in shown
    }
    return {
        "methods": shown,
        "rows": [
            (task, [one.mean if (one := entries.get((task, name))) else None for name in shown])
            for task in tasks
        ],
        "errors": [(sum(sizes[name]) / len(sizes[name]), len(sizes[name])) if sizes[name] else None
                   for name in shown],
        "any_error": any(sizes.values()),
        "silent": [name for name in methods[1:] if name not in shown],
        "beside": len([name for name in shown if name != methods[0]]) > 0,
    }  # fmt: skip


def _benchmark(document: Forecasts, name: str, task: TaskSummary, method: str) -> dict[str, Any]:
    refused = sorted(
        (cluster for cluster in task.clusters if not cluster.predictable),
        key=lambda cluster: -cluster.size,
    )
    total = max(task.questions, 1)
    entries = [entry for entry in document.of(name) if entry.method == method]
    few = len(document.targets) < 4  # else the farthest has all the doubts
    return {
        "name": name,
        "task": task,
        "entries": entries,
        "told": [
            {"entry": entry, "trust": reading.trust(entry, brief=False), "views": _views(entry),
             "verdict": reading.VERDICTS[entry.verdict]}
            for entry in (entries if few else entries[-1:])
        ],
        "others": [entry for entry in document.of(name) if entry.method != method],
        "classes": [
            {"words": words, "colour": colour, "count": getattr(task.classes, key),
             "share": 100 * getattr(task.classes, key) / total}
            for key, (words, colour) in CLASSES.items()
        ],
        "refused": refused[:REFUSED_SHOWN],
        "refused_more": max(len(refused) - REFUSED_SHOWN, 0),
        "kept": sum(cluster.predictable for cluster in task.clusters),
        "picks": sorted(task.clusters, key=lambda cluster: -cluster.size)[:40],
    }  # fmt: skip
