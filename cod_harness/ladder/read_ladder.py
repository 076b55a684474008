"""Reading a ladder file: YAML in, a Ladder out, every fault named with its line."""

from __future__ import annotations

import difflib
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder, Model, Role

_TOP_KEYS = ("ladder", "rungs", "anchors", "targets")
_NUMBER_KEYS = ("params", "tokens", "flops_per_token", "loss")
_TEXT_KEYS = ("name", "model", "model_args")
_MODEL_KEYS = ("name", *_NUMBER_KEYS, "model", "model_args", "checkpoints")
_SECTIONS: tuple[tuple[str, Role], ...] = (
    ("rungs", "rung"),
    ("anchors", "anchor"),
    ("targets", "target"),
)
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmbgt]?)", re.IGNORECASE)
_EMPTY = ("", "~", "null", "Null", "NULL")


def number(text: str) -> float:
    """A number as people write it: `122e6`, `122M`, `26B`, `8T`, `4k`, `1_000`.

    k, M, B (or G) and T mean 1e3, 1e6, 1e9 and 1e12, in either case.

    Raises:
        ValueError: `text` is no finite number.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    # Via text, so that 1.1B is 1.1e9 and not 1.1 * 1e9 with a rounding error.
    mantissa, scale = match[1].replace("_", ""), _SCALE[match[2].lower()]
    value = float(mantissa) * scale
    if scale > 1 and "e" not in mantissa.lower():
        value = float(f"{mantissa}e{int(math.log10(scale))}")
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is too large")
    return value


def read_ladder(path: str | os.PathLike[str]) -> Ladder:
    """The ladder written in a YAML file.

    Raises:
        InputError: the file is missing, not YAML or not a ladder; names line, entry and key.
    """
    return _LadderFile(Path(path)).ladder()


@dataclass(frozen=True)
class _LadderFile:
    path: Path

    def fault(self, node: yaml.Node | None, message: str) -> InputError:
        line = f":{node.start_mark.line + 1}" if node is not None else ""
        return InputError(f"{self.path}{line}: {message}")

    def root(self) -> yaml.Node:
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise InputError(f"{self.path}: no such ladder file; check the path") from None
        except IsADirectoryError:
            raise InputError(f"{self.path}: is a folder; name the ladder file in it") from None
        except UnicodeDecodeError:
            raise InputError(f"{self.path}: not text in UTF-8; is it a ladder file?") from None
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from None
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f":{mark.line + 1}" if mark else ""
            problem = (error.problem or "cannot be parsed").split("\n")[0]
            raise InputError(
                f"{self.path}{line}: not valid YAML: {problem}; check indentation and quotes"
            ) from None
        except yaml.YAMLError as error:
            problem = " ".join(str(error).split())
            raise InputError(f"{self.path}: not valid YAML: {problem}") from None
        if node is None:
            raise InputError(f"{self.path}: is empty; it needs `ladder:` and `rungs:`")
        return node

    def mapping(
        self, node: yaml.Node, known: tuple[str, ...], what: str
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key -> (key node, value node); empty values are left out."""
        if not isinstance(node, yaml.MappingNode):
            raise self.fault(node, f"{what} must be a mapping with the keys {', '.join(known)}")
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                remedy = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                raise self.fault(key_node, f"{what} has the unknown key {key!r}; {remedy}")
            if key in seen:
                raise self.fault(key_node, f"{what} has the key {key!r} twice; keep one")
            seen.add(key)
            if not (isinstance(value_node, yaml.ScalarNode) and _is_empty(value_node)):
                entries[key] = (key_node, value_node)
        return entries

    def text(self, node: yaml.Node, what: str) -> str:
        # The text as written, so that the name 1e3 or 1.40 is not read as a number.
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self.fault(node, f"{what} must be text")
        return str(node.value).strip()

    def quantity(self, node: yaml.Node, what: str) -> float:
        raw = self.text(node, what)
        try:
            value = number(raw)
        except ValueError:
            raise self.fault(
                node, f"{what} is {raw!r}, not a number; write it like 122e6, 122M, 26B or 8T"
            ) from None
        if value <= 0:
            raise self.fault(node, f"{what} is {raw}; it must be above 0")
        return value

    def ladder(self) -> Ladder:
        root = self.root()
        top = self.mapping(root, _TOP_KEYS, "the ladder file")
        name = self.path.stem
        if "ladder" in top:
            name = self.text(top["ladder"][1], "`ladder`")
        models: dict[str, list[Model]] = {}
        lines: dict[str, int] = {}
        for section, role in _SECTIONS:
            models[section] = []
            if section not in top:
                continue
            node = top[section][1]
            if not isinstance(node, yaml.SequenceNode):
                raise self.fault(node, f"`{section}` must be a list, one `- name: ...` per model")
            for place, entry in enumerate(node.value, start=1):
                model = self.model(entry, role, f"{section}[{place}]")
                if model.name in lines:
                    first = lines[model.name]
                    raise self.fault(
                        entry,
                        f"the name {model.name!r} is already taken in line {first}; rename one",
                    )
                lines[model.name] = entry.start_mark.line + 1
                models[section].append(model)
        if not models["rungs"]:
            node = top["rungs"][1] if "rungs" in top else None
            raise self.fault(node, "there are no rungs; list at least four models under `rungs:`")
        return Ladder(
            name=name,
            rungs=tuple(sorted(models["rungs"], key=lambda model: model.compute or 0.0)),
            anchors=tuple(models["anchors"]),
            targets=tuple(models["targets"]),
            path=self.path,
        )

    def model(self, node: yaml.Node, role: Role, what: str) -> Model:
        entries = self.mapping(node, _MODEL_KEYS, what)
        if "name" not in entries:
            raise self.fault(node, f"{what} has no name; add `name:`")
        texts = {
            key: self.text(entries[key][1], f"{what} {key}") for key in _TEXT_KEYS if key in entries
        }
        name = texts["name"]
        what = f"{what} {name!r}"
        task_losses: dict[str, float] = {}
        if "loss" in entries and isinstance(entries["loss"][1], yaml.MappingNode):
            task_losses = self.task_losses(entries.pop("loss")[1], what)
        numbers = {
            key: self.quantity(entries[key][1], f"{what}: {key}")
            for key in _NUMBER_KEYS
            if key in entries
        }
        compute = self.compute(node, numbers, role, what)
        return Model(
            name=name,
            role=role,
            compute=compute,
            params=numbers.get("params"),
            tokens=numbers.get("tokens"),
            loss=numbers.get("loss"),
            task_losses=task_losses,
            model=texts.get("model"),
            model_args=texts.get("model_args"),
            checkpoints=self.checkpoints(entries, what),
            folder=self.path.parent,
        )

    def compute(
        self, node: yaml.Node, numbers: dict[str, float], role: Role, what: str
    ) -> float | None:
        """Training compute in FLOP: cost per token times tokens, else 6 N D."""
        tokens, params = numbers.get("tokens"), numbers.get("params")
        per_token = numbers.get("flops_per_token")
        if per_token is None and params is not None:
            per_token = 6 * params
        if tokens is not None and per_token is not None:
            if not math.isfinite(tokens * per_token):
                raise self.fault(node, f"{what}: its compute is not finite; check its numbers")
            return tokens * per_token
        if role == "anchor":
            return None
        missing = [] if per_token is not None else ["params (or flops_per_token)"]
        missing += [] if tokens is not None else ["tokens"]
        raise self.fault(
            node, f"{what} has no {' and no '.join(missing)}; its training compute needs them"
        )

    def task_losses(self, node: yaml.MappingNode, what: str) -> dict[str, float]:
        """Losses written as `loss: {TASK: 0.81, ...}`."""
        found: dict[str, float] = {}
        for key, value in node.value:
            task = self.text(key, f"{what}: each task of loss")
            if task in found:
                raise self.fault(key, f"{what}: loss has the task {task!r} twice; keep one")
            found[task] = self.quantity(value, f"{what}: loss on {task}")
        return found

    def checkpoints(
        self, entries: dict[str, tuple[yaml.Node, yaml.Node]], what: str
    ) -> tuple[str, ...]:
        if "checkpoints" not in entries:
            return ()
        node = entries["checkpoints"][1]
        if not isinstance(node, yaml.SequenceNode):
            raise self.fault(node, f"{what}: checkpoints must be a list like [ckpt/a, ckpt/b]")
        names = tuple(self.text(entry, f"{what}: each checkpoint") for entry in node.value)
        for entry, name in zip(node.value, names, strict=True):
            if names.count(name) > 1:
                raise self.fault(entry, f"{what}: the checkpoint {name!r} is listed twice")
        return names


def _is_empty(node: yaml.ScalarNode) -> bool:
    return node.style is None and node.value in _EMPTY
