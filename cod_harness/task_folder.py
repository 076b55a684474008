"""The benchmark configurations that ship."""

from __future__ import annotations

from pathlib import Path

from cod_harness.errors import InputError


def task_folder() -> Path:
    """The folder to give `lm_eval --include_path`: inside the package, or beside it in a checkout.

    Raises InputError if neither is there.
    """
    package = Path(__file__).parent
    for folder in (package / "task_configs", package.parent / "task_configs"):
        if folder.is_dir():
            return folder
    raise InputError(f"{package}: its task_configs folder is missing; install cod-harness again")


def listed() -> str:
    """The configurations as a table: task, what it is, questions, how it is scored."""
    import yaml

    class _Loader(yaml.SafeLoader):
        """Reads `!function` as the name behind it."""

    _Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    rows = [("Task", "About", "Metric")]
    for path in sorted(task_folder().rglob("*.yaml")):
        text = path.read_text()
        config = yaml.load(text, Loader=_Loader)
        if "include" in config:
            shared = yaml.load((path.parent / config["include"]).read_text(), Loader=_Loader)
            config = {**shared, **config}
        about = text.partition("\n")[0].removeprefix("#").strip()
        if isinstance(config.get("task"), str):
            metrics = ", ".join(entry["metric"] for entry in config["metric_list"])
            rows.append((config["task"], about, metrics))
        elif "group" in config:
            rows.append((config["group"], f"{about} ({len(config['task'])} tasks)", ""))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        " | ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows
    ]
    lines.insert(1, "-|-".join("-" * w for w in widths))
    return "\n".join(f"|{line}|" for line in lines)
