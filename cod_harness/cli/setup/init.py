"""`cod-harness init`: a ladder file out of what is there, its gaps marked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError

GAP = "FILL_IN"


@dataclass
class _Entry:
    """A model that was found. params: None where no file tells."""

    name: str
    params: int | None = None
    model_args: str = ""
    results: list[str] = field(default_factory=list)


def main(words: Sequence[str]) -> int:
    """Look, and write. Returns the exit status; raises InputError."""
    parser = ArgumentParser(
        prog="cod-harness init",
        allow_abbrev=False,
        description="Write a ladder file out of folders of checkpoints (config.json, weights) and "
        f"of earlier results (results_*.json). What no file tells is marked {GAP}.",
        epilog="examples:  cod-harness init checkpoints/   cod-harness init runs/ -o ladder.yaml",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="folders to look through")
    parser.add_argument(
        "-o", "--output", metavar="LADDER.yaml", default="ladder.yaml", help="default: ladder.yaml"
    )
    asked = parser.parse_args(words)

    from cod_harness.ladder.files import check_file, write_whole

    check_file(asked.output)
    found: dict[str, _Entry] = {}
    for path in map(Path, asked.paths):
        if not path.is_dir():
            raise InputError(f"{path}: no such folder; name folders of checkpoints or of results")
        for entry in (*_checkpoints(path), *_results(path)):
            known = found.setdefault(entry.name, entry)
            if known is not entry:
                known.params = known.params or entry.params
                known.model_args = known.model_args or entry.model_args
                known.results += entry.results
    if not found:
        raise InputError(
            f"{asked.paths[0]}: no config.json and no results_*.json below it; name another folder"
        )
    entries = sorted(found.values(), key=lambda one: (one.params or math.inf, one.name))
    path = write_whole(asked.output, _text(entries))
    gaps = _text(entries).count(f": {GAP}")
    print(f"{len(entries)} models written to {path}; {gaps} places to fill in, marked {GAP}")
    print(f"next: fill them in, then `cod-harness check {path}`")
    return 0


def _checkpoints(folder: Path) -> Iterator[_Entry]:
    for config in sorted(folder.rglob("config.json")):
        place = config.parent
        yield _Entry(place.name, _parameters(place), f"pretrained={place}")


def _parameters(folder: Path) -> int | None:
    """Parameters, counted out of the heads of safetensors files; None where there are none."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with open(path, "rb") as file:
                size = int.from_bytes(file.read(8), "little")
                if not 0 < size < 100 << 20:
                    return None
                head = json.loads(file.read(size))
            shapes = [part["shape"] for key, part in head.items() if key != "__metadata__"]
            total += sum(math.prod(shape) for shape in shapes)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
            return None
    return total or None


def _results(folder: Path) -> Iterator[_Entry]:
    for path in sorted(folder.rglob("results_*.json")):
        try:
            content: Any = json.loads(path.read_text("utf-8"))
            config = content["config"]
            name = str((content.get("cod") or {}).get("rung") or path.parent.name)
            params = config.get("model_num_parameters")
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
            continue
        counted = params if isinstance(params, int) and params > 0 else None
        yield _Entry(name.rpartition("__")[2] or name, counted, results=[str(path)])


def _text(entries: Sequence[_Entry]) -> str:
    quoted = json.dumps  # a JSON text is a YAML scalar, whatever the name holds
    lines = [f"ladder: {GAP}  # a name for the family", "rungs:"]
    for one in entries:
        lines.append(f"- name: {quoted(one.name)}")
        lines.append(f"  params: {one.params if one.params else f'{GAP}  # as in 122e6'}")
        lines.append(f"  tokens: {GAP}  # seen in training, as in 26e9")
        if one.model_args:
            lines += ["  model: hf", f"  model_args: {quoted(one.model_args)}"]
        if one.results:
            lines.append(f"  results: [{', '.join(map(quoted, one.results))}]")
    lines += ["targets:", f"- name: {GAP}  # what to forecast", f"  params: {GAP}"]
    lines += [f"  tokens: {GAP}"]
    return "\n".join(lines) + "\n"
