"""`cod-harness tasks`: the benchmark configurations that ship, as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cod_harness.arguments import ArgumentParser
from cod_harness.ladder.metrics import Pipeline, chosen
from cod_harness.task_folder import task_folder

# Repeats of the paper, and of the configurations.
_REPEATS = 100


def parser() -> ArgumentParser:
    """The parser of `cod-harness tasks`."""
    made = ArgumentParser(
        prog="cod-harness tasks",
        examples=(
            "cod-harness tasks",
            "lm_eval run --include_path $(cod-harness tasks --path) --tasks cod_gsm8k",
        ),
        allow_abbrev=False,
    )
    made.add_argument(
        "--path", action="store_true", help="print the folder to give lm_eval --include_path"
    )
    return made


def main(words: Sequence[str]) -> int:
    """Print the tables, or the folder. Returns the exit status."""
    asked = parser().parse_args(words)
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


@dataclass(frozen=True)
class Cost:
    """What a benchmark asks of a model, as its configuration estimates it, in tokens a question.

    generated_questions: those answered by writing; the others are scored by likelihood.
    """

    task: str
    questions: int
    generated_questions: int
    prompt_tokens: float
    answer_tokens: float
    most_tokens: float


def costs() -> dict[str, Cost]:
    """The benchmarks whose lengths are known, by task: the paper's and the shipped ladder's."""
    folder = task_folder()
    found = {}
    for path in sorted(folder.glob("cod_*.yaml")):
        facts = _read(path)["metadata"] if path.stem != "cod_suite" else {}
        if facts:
            asked = facts["questions"]
            found[path.stem] = Cost(
                path.stem,
                asked,
                facts.get("generated_questions", asked),
                facts["prompt_tokens"],
                facts["answer_tokens"],
                facts["most_tokens"],
            )
    for path in sorted((folder / "demo").glob("demo_*.yaml")):
        config = _read(path)
        if "group" not in config:
            found[path.stem] = _demo_cost(path, config)
    return found


def _demo_cost(path: Path, config: dict[str, Any]) -> Cost:
    """Of a set whose questions ship; a token is a character."""
    family = config["dataset_kwargs"]["family"]
    lines = (path.parent / "data" / f"{family}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    writes = config["output_type"] == "generate_until"
    return Cost(
        path.stem,
        len(rows),
        len(rows) if writes else 0,
        sum(len(row["question"]) for row in rows) / len(rows),
        sum(len(row["answer"]) + 1 for row in rows) / len(rows),
        config["generation_kwargs"]["max_gen_toks"] if writes else 0,
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
