"""`cod-harness init`: a ladder file out of what is there, its gaps marked."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError
from cod_harness.ladder.results.files import results_in

GAP = "FILL_IN"
_LISTED = 3  # results files of one model that are written down; more are left to their names
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([mb])(?![a-z0-9])", re.IGNORECASE)
_SCALE = {"m": 6, "b": 9}


@dataclass
class _Entry:
    """A model that was found. params: None where no file tells; guess: by its name."""

    name: str
    params: int | None = None
    guess: str = ""
    model_args: str = ""
    results: list[str] = field(default_factory=list)

    @property
    def size(self) -> float:
        """Parameters, as far as anything tells; models of which nothing does are the largest."""
        return self.params or float(self.guess or math.inf)


def parser() -> ArgumentParser:
    """The parser of `cod-harness init`."""
    made = ArgumentParser(
        prog="cod-harness init",
        examples=(
            "cod-harness init checkpoints/",
            "cod-harness init runs/ -o ladder.yaml",
        ),
        allow_abbrev=False,
        description="Write a ladder file out of folders of checkpoints (config.json, weights) and "
        f"of earlier results (the harness's, of any version). What no file tells is marked {GAP}.",
    )
    made.add_argument("paths", nargs="+", metavar="PATH", help="folders to look through")
    made.add_argument(
        "-o", "--output", metavar="LADDER.yaml", default="ladder.yaml", help="default: ladder.yaml"
    )
    return made


def main(words: Sequence[str]) -> int:
    """Look, and write. Returns the exit status; raises InputError."""
    asked = parser().parse_args(words)

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
    entries = sorted(
        found.values(), key=lambda one: (one.params or float(one.guess or math.inf), one.name)
    )
    text = _text(entries, Path(asked.output).parent)
    path = write_whole(asked.output, text)
    gaps = text.count(f": {GAP}")
    print(f"{len(entries)} models written to {path}; {gaps} places to fill in, marked {GAP}")
    many = any(len(one.results) > _LISTED for one in entries)
    where = "".join(f" {path}" for path in asked.paths) if many else ""
    print(f"next: fill them in, then `cod-harness check {path}{where}`")
    return 0


def _checkpoints(folder: Path) -> Iterator[_Entry]:
    for config in sorted(folder.rglob("config.json")):
        place = config.parent
        yield _Entry(place.name, _parameters(place), model_args=f"pretrained={place}")


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
    """A model a results file; where a folder holds many of one, they are found by its name."""
    for one in results_in(folder):
        captured = one.content.get("cod")
        rung = captured.get("rung") if isinstance(captured, Mapping) else None
        name = str(rung or (one.names[0] if one.names else one.path.parent.name))
        name = name.replace("__", "/").rstrip("/").rpartition("/")[2] or name
        counted = one.config.get("model_num_parameters")
        told = counted if isinstance(counted, int) and counted > 0 else None
        yield _Entry(name, told, "" if told else _size(name), results=[str(one.path)])


def _size(name: str) -> str:
    """Parameters as a model's name has them: 410e6 in pythia-410m; "" if it has none."""
    found = _SIZE.findall(name)
    return f"{found[-1][0]}e{_SCALE[found[-1][1].lower()]}" if found else ""


def _text(entries: Sequence[_Entry], folder: Path) -> str:
    """The ladder file. folder: where it will lie, to which paths in it are relative."""
    quoted = json.dumps  # a JSON text is a YAML scalar, whatever the name holds
    lines = [f"ladder: {GAP}  # a name for the family", "rungs:"]
    for one in entries:
        lines.append(f"- name: {quoted(one.name)}")
        guess = f"{one.guess}  # by its name" if one.guess else f"{GAP}  # as in 122e6"
        lines.append(f"  params: {one.params or guess}")
        lines.append(f"  tokens: {GAP}  # seen in training, as in 26e9")
        if one.model_args:
            lines += ["  model: hf", f"  model_args: {quoted(one.model_args)}"]
        if 0 < len(one.results) <= _LISTED:
            paths = [_from(folder, path) for path in one.results]
            lines.append(f"  results: [{', '.join(map(quoted, paths))}]")
        elif one.results:
            lines.append(f"  # {len(one.results)} results files, found by the model's name")
    lines += ["targets:", f"- name: {GAP}  # what to forecast", f"  params: {GAP}"]
    lines += [f"  tokens: {GAP}"]
    return "\n".join(lines) + "\n"


def _from(folder: Path, path: str) -> str:
    return path if os.path.isabs(path) else os.path.relpath(path, folder)
