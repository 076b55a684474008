"""`cod-harness check`: what of a ladder is ready, what is missing, and the next command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import ArgumentParser, add_match


def parser() -> ArgumentParser:
    """The parser of `cod-harness check`."""
    made = ArgumentParser(
        prog="cod-harness check",
        examples=(
            "cod-harness check ladder.yaml",
            "cod-harness check ladder.yaml out/",
        ),
        allow_abbrev=False,
        description="One screen: what of a ladder is measured, what is missing, what to type next.",
    )
    made.add_argument("ladder", metavar="LADDER.yaml")
    made.add_argument("paths", nargs="*", metavar="PATH", help="output folders, files or tables")
    add_match(made)
    return made


def main(words: Sequence[str]) -> int:
    """Look, and say. Returns the exit status; raises InputError for a broken ladder file."""
    asked = parser().parse_args(words)

    from cod_harness.engine.settings import MIN_RUNGS
    from cod_harness.ladder.read_ladder import read_ladder
    from cod_harness.ladder.read_passrates import holds_measured, read_passrates

    ladder = read_ladder(asked.ladder)
    paths = [path for path in map(Path, asked.paths) if path.is_file() or holds_measured(path)]
    with_results = any(model.results for model in ladder.models)
    rates = read_passrates(paths, ladder, match=asked.match) if paths or with_results else None
    measured = {task: set(rates.models(task)) for task in rates.tasks} if rates else {}
    print(
        f"{ladder.name}: {len(ladder.rungs)} rungs, {len(ladder.anchors)} anchors, "
        f"{len(ladder.targets)} targets"
    )
    width = max(len(model.name) for model in ladder.models)
    for model in ladder.models:
        compute = f"{model.compute:.2e} FLOP" if model.compute is not None else "no compute"
        tasks = [task for task, models in measured.items() if model.name in models]
        told = f"{len(tasks)} of {len(measured)} tasks measured" if measured else "not measured"
        runs = "" if model.model or tasks else "; no `model`: `ladder` cannot run it"
        print(f"  {model.name:<{width}}  {compute:>14}  {told}{runs}")
    rungs = {rung.name for rung in ladder.rungs}
    ready = [task for task, models in measured.items() if len(models & rungs) >= MIN_RUNGS]
    alone = [task for task in measured if rates and rates.whole(task)]
    if alone:
        print(f"of {len(alone)} tasks only accuracies are known: their trend, no clusters")
    for note in rates.notes if rates else []:
        print(f"note: {note}")
    out = asked.paths[0] if asked.paths else "OUT"
    named = "".join(f" {path}" for path in asked.paths)
    named += f" --ladder {asked.ladder}"
    named += f" --match {shlex.quote(asked.match)}" if asked.match else ""
    if ready and ladder.targets:
        print(f"ready: {len(ready)} of {len(measured)} tasks can be forecast")
        print(f"next: cod-harness forecast{named}")
    elif ready:
        print("missing: `targets`, what to forecast")
        print(f"next: cod-harness backtest{named}")
    else:
        print(f"missing: pass rates of {MIN_RUNGS} rungs or more")
        print(f"next: cod-harness ladder {asked.ladder} --tasks TASK,... --output_path {out}")
    return 0
