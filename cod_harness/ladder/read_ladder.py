"""Reading a ladder file: YAML in, a Ladder out, every fault named with its line."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cod_harness.errors import InputError, did_you_mean
from cod_harness.ladder.manifest import Cluster, Ladder, Model, Role
from cod_harness.ladder.model_args import written

_TOP_KEYS = ("ladder", "rungs", "anchors", "targets", "cluster")
_NUMBER_KEYS = ("params", "active_params", "tokens", "flops_per_token", "compute", "loss")
_LIST_KEYS = ("checkpoints", "results")
_WHOLE_KEYS = ("gpus", "shards")
_MODEL_KEYS = (
    "name",
    *_NUMBER_KEYS,
    "model",
    "model_args",
    *_LIST_KEYS,
    *_WHOLE_KEYS,
    "sbatch",
)
_CLUSTER_KEYS = ("executor", "setup", "sbatch", "ray")
_RAY_KEYS = ("address",)
_SECTIONS: tuple[tuple[str, Role], ...] = (
    ("rungs", "rung"),
    ("anchors", "anchor"),
    ("targets", "target"),
)
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmbgt]?)", re.IGNORECASE)
_OPTION = re.compile(r"[A-Za-z][\w-]*")
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
        except RecursionError:
            raise InputError(f"{self.path}: not valid YAML: nested too deeply") from None
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
                remedy = did_you_mean(key, known) or f"; known: {', '.join(known)}"
                raise self.fault(key_node, f"{what} has the unknown key {key!r}{remedy}")
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
        try:
            node.value.encode("utf-8")
        except UnicodeEncodeError:
            raise self.fault(node, f"{what} holds half a character; write it again") from None
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
        cluster = self.cluster(top["cluster"][1]) if "cluster" in top else Cluster()
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
            raise self.fault(node, "there are no rungs; list the small models under `rungs:`")
        return Ladder(
            name=name,
            rungs=tuple(sorted(models["rungs"], key=lambda model: model.compute or 0.0)),
            anchors=tuple(models["anchors"]),
            targets=tuple(models["targets"]),
            cluster=cluster,
            path=self.path,
        )

    def model(self, node: yaml.Node, role: Role, what: str) -> Model:
        entries = self.mapping(node, _MODEL_KEYS, what)
        if "name" not in entries:
            raise self.fault(node, f"{what} has no name; add `name:`")
        name = self.text(entries["name"][1], f"{what} name")
        what = f"{what} {name!r}"
        task_losses: dict[str, float] = {}
        if "loss" in entries and isinstance(entries["loss"][1], yaml.MappingNode):
            task_losses = self.task_losses(entries.pop("loss")[1], what)
        values = {key: value for key, (_, value) in entries.items()}
        numbers = {
            key: self.quantity(values[key], f"{what}: {key}")
            for key in _NUMBER_KEYS
            if key in values
        }
        lists = {
            key: self.texts(values[key], f"{what}: {key}") for key in _LIST_KEYS if key in values
        }
        counts = {
            key: self.whole(values[key], f"{what}: {key}") for key in _WHOLE_KEYS if key in values
        }
        folder = self.path.parent
        return Model(
            name=name,
            role=role,
            compute=self.compute(node, numbers, role, what),
            params=numbers.get("params"),
            active_params=numbers.get("active_params"),
            tokens=numbers.get("tokens"),
            loss=numbers.get("loss"),
            task_losses=task_losses,
            model=self.text(values["model"], f"{what}: model") if "model" in values else None,
            model_args=self.model_args(values["model_args"], f"{what}: model_args")
            if "model_args" in values
            else None,
            checkpoints=lists.get("checkpoints", ()),
            results=tuple(folder / name for name in lists.get("results", ())),
            gpus=counts.get("gpus"),
            shards=counts.get("shards"),
            sbatch=self.options(values["sbatch"], f"{what}: sbatch") if "sbatch" in values else {},
            folder=folder,
        )

    def compute(
        self, node: yaml.Node, numbers: dict[str, float], role: Role, what: str
    ) -> float | None:
        """Training compute in FLOP: as written, else cost per token times tokens, else 6 N D.

        N of a mixture of experts are the parameters that one token meets.
        """
        params, active = numbers.get("params"), numbers.get("active_params")
        if params is not None and active is not None and active > params:
            raise self.fault(node, f"{what}: active_params are more than params; are they swapped?")
        tokens, per_token = numbers.get("tokens"), numbers.get("flops_per_token")
        if "compute" in numbers:
            if per_token is not None:
                raise self.fault(node, f"{what} has compute and flops_per_token; keep one")
            return numbers["compute"]
        met = params if active is None else active
        if per_token is None and met is not None:
            per_token = 6 * met
        if tokens is not None and per_token is not None:
            if not math.isfinite(tokens * per_token):
                raise self.fault(node, f"{what}: its compute is not finite; check its numbers")
            return tokens * per_token
        if role == "anchor":
            return None
        missing = [] if per_token is not None else ["params (or flops_per_token)"]
        missing += [] if tokens is not None else ["tokens"]
        raise self.fault(
            node,
            f"{what} has no {' and no '.join(missing)}; its training compute needs them, "
            "or say it as `compute: 3.1e21` (FLOP)",
        )

    def model_args(self, node: yaml.Node, what: str) -> str:
        """`pretrained=...` as text, or the same as a mapping."""
        if not isinstance(node, yaml.MappingNode):
            return self.text(node, what)
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.text(key_node, f"{what}: each key")
            if key in found:
                raise self.fault(key_node, f"{what} has {key!r} twice; keep one")
            try:
                found[key] = yaml.SafeLoader("").construct_object(value_node, deep=True)
                written(found)
            except (
                TypeError,
                ValueError,
                RecursionError,
                yaml.YAMLError,
            ):  # a date, a set, a tag of another program
                raise self.fault(
                    value_node, f"{what}: {key} cannot be handed on; write its value in quotes"
                ) from None
        return written(found)

    def cluster(self, node: yaml.Node) -> Cluster:
        what = "`cluster`"
        entries = self.mapping(node, _CLUSTER_KEYS, what)
        values = {key: value for key, (_, value) in entries.items()}
        ray = values.get("ray")
        if ray is not None:
            self.mapping(ray, _RAY_KEYS, "`cluster` ray")
        return Cluster(
            executor=self.text(values["executor"], f"{what} executor")
            if "executor" in values
            else None,
            setup=self.texts(values["setup"], f"{what} setup", twice=True)
            if "setup" in values
            else (),
            sbatch=self.options(values["sbatch"], f"{what} sbatch") if "sbatch" in values else {},
            ray=self.options(ray, f"{what} ray") if ray is not None else {},
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

    def texts(self, node: yaml.Node, what: str, *, twice: bool = False) -> tuple[str, ...]:
        """A list of texts; `twice`: one may stand there again."""
        if not isinstance(node, yaml.SequenceNode):
            raise self.fault(node, f"{what} must be a list like [a, b]")
        found: list[str] = []
        for entry in node.value:
            text = self.text(entry, f"{what}: each entry")
            if text in found and not twice:
                raise self.fault(entry, f"{what}: {text!r} is listed twice; keep one")
            found.append(text)
        return tuple(found)

    def whole(self, node: yaml.Node, what: str) -> int:
        """A whole number of 1 or more."""
        raw = self.text(node, what)
        if not (raw.isascii() and raw.isdecimal() and int(raw) > 0):
            raise self.fault(node, f"{what} is {raw!r}; a whole number, 1 or more, is needed")
        return int(raw)

    def options(self, node: yaml.Node, what: str) -> dict[str, str]:
        """Options of another program, values as written; "" for one without a value."""
        if not isinstance(node, yaml.MappingNode):
            raise self.fault(node, f"{what} must be a mapping like {{partition: gpu}}")
        found: dict[str, str] = {}
        for key_node, value in node.value:
            key = self.text(key_node, f"{what}: each key")
            if not _OPTION.fullmatch(key):
                raise self.fault(
                    key_node, f"{what}: {key!r} is no option's name; write it without dashes"
                )
            if key in found:
                raise self.fault(key_node, f"{what} has {key!r} twice; keep one")
            empty = isinstance(value, yaml.ScalarNode) and _is_empty(value)
            found[key] = "" if empty else self.text(value, f"{what} {key}")
        return found


def _is_empty(node: yaml.ScalarNode) -> bool:
    return node.style is None and node.value in _EMPTY
