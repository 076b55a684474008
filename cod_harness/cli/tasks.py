"""`cod-harness tasks`: the benchmark configurations that ship, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cod_harness.arguments import ArgumentParser
from cod_harness.harness.scoring.correctness import Pipeline, chosen
from cod_harness.task_folder import task_folder

# Repeats of the paper, and of the configurations.
_REPEATS = 100


def main(words: Sequence[str]) -> int:
    """Print the tables, or the folder. Returns the exit status."""
    parser = ArgumentParser(prog="cod-harness tasks", allow_abbrev=False)
    parser.add_argument(
        "--path", action="store_true", help="print the folder to give lm_eval --include_path"
    )
    asked = parser.parse_args(words)
    print(task_folder() if asked.path else listed())
    return 0


def listed() -> str:
    """The configurations as two tables: the paper's benchmarks, and those of the shipped ladder."""
    folder = task_folder()
    paper: list[tuple[str, ...]] = [
        ("Task", "About", "Tasks", "Shots", "Filter", "Metric", "Questions", "Tokens a rung")
    ]
    for path in sorted(folder.glob("cod_*.yaml")):
        paper.append(_paper_row(path))
    demo: list[tuple[str, ...]] = [("Task", "About", "Metric")]
    for path in sorted((folder / "demo").glob("demo_*.yaml")):
        demo.append(_demo_row(path))
    return (
        "The paper's benchmarks, 100 repeats a question\n\n"
        + _table(paper)
        + "\n\nTokens a rung: what is generated if every answer is as long as a right one, and at "
        "most.\n\nThe sets of the shipped ladder, for `cod-harness demo`\n\n" + _table(demo)
    )


def _paper_row(path: Path) -> tuple[str, ...]:
    config = _read(path)
    about = path.read_text().partition("\n")[0].removeprefix("#").strip()
    if path.stem == "cod_suite":
        return (path.stem, about, str(len(config["task"])), "", "", "", "", "")
    facts = config["metadata"]
    is_group = "group" in config
    if is_group:
        entry = config["aggregate_metric_list"]
        filters, metrics = [entry[0]["filter_list"]], [one["metric"] for one in entry]
    else:
        filters, metrics = facts["filters"], facts["metrics"]
    counts = chosen(path.stem, [Pipeline(name, pooled=False) for name in filters], metrics)
    generated = facts.get("generated_questions", facts["questions"])
    typical, most = (generated * _REPEATS * facts[key] for key in ("answer_tokens", "most_tokens"))
    return (
        path.stem,
        about,
        str(len(config["task"])) if is_group else "1",
        str(facts["num_fewshot"] if is_group else config["num_fewshot"]),
        counts.filter,
        counts.metric,
        f"{facts['questions']:,}",
        f"{_short(typical)} - {_short(most)}",
    )


def _short(number: float) -> str:
    return f"{number / 1e9:.2g}B" if number >= 1e9 else f"{number / 1e6:.3g}M"


def _demo_row(path: Path) -> tuple[str, ...]:
    config = _read(path)
    about = path.read_text().partition("\n")[0].removeprefix("#").strip()
    if "group" in config:
        return (config["group"], f"{about} ({len(config['task'])} tasks)", "")
    metrics = ", ".join(entry["metric"] for entry in config["metric_list"])
    return (config["task"], about, metrics)


def _read(path: Path) -> dict[str, Any]:
    class _Loader(yaml.SafeLoader):
        """Reads `!function` as the name behind it."""

    _Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    config: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)
    if "include" in config:
        config = {**_read(path.parent / config["include"]), **config}
    return config


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        " | ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows
    ]
    lines.insert(1, "-|-".join("-" * w for w in widths))
    return "\n".join(f"|{line}|" for line in lines)
