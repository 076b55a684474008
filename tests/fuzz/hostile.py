"""Files and arguments as nobody should give them, made from good ones by chance.

Each class of input is a function from a source of chance and an empty folder to a command line. The
tests here try a few of each; `benchmarks/hostile.py` tries as many as one likes and counts.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import os
import random
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Words = list[str]
Class = Callable[[random.Random, Path], Words]

RUNGS = 5
QUESTIONS = 8
DATE = "2026-01-01T00-00-00.000000"

# -- good input ----------------------------------------------------------------------------------


def ladder_content() -> dict[str, Any]:
    """A ladder file's content."""
    rungs = [{"name": f"m{at}", "params": 4.0**at * 1e6, "tokens": 1e9} for at in range(RUNGS)]
    return {
        "ladder": "l",
        "rungs": rungs,
        "anchors": [{"name": "other"}],
        "targets": [{"name": "big", "params": 4e9, "tokens": 4e11}],
    }


def rates(model: int) -> pd.DataFrame:
    """Pass rates of a rung on one task."""
    hard = np.linspace(-2, 2, QUESTIONS)
    right = np.round(20 / (1 + np.exp(hard - model + 2)))
    return pd.DataFrame(
        {"task": "t", "question": [f"q{at}" for at in range(QUESTIONS)], "model": f"m{model}",
         "n_correct": right, "n_samples": 20, "rate": right / 20, "filter": "none",
         "metric": "exact_match"}
    )  # fmt: skip


def settings(model: int) -> dict[str, Any]:
    """A store's settings."""
    about = {"version": 1.0, "metric": "exact_match", "filter": "none", "repeats": 20,
             "num_fewshot": 0, "questions": QUESTIONS, "generation_kwargs": {"do_sample": True},
             "identical_share": 0.1}  # fmt: skip
    return {
        "ladder": "l", "rung": f"m{model}", "checkpoint": "", "tasks": {"t": about},
        "pooled": {"g": ["t", "u"]}, "groups": {"g": ["t", "u"]}, "complete": True,
        "request": {"tasks": ["t"], "settings": [], "model": []},
    }  # fmt: skip


def ladder_file(folder: Path) -> Path:
    path = folder / "ladder.yaml"
    path.write_text(json.dumps(ladder_content()))  # JSON is YAML
    return path


def out_folder(folder: Path) -> Path:
    """An output folder with a store of every rung."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    for model in range(RUNGS):
        (out / f"cod_passrates_{model}.parquet").write_bytes(_store(model))
    return out


@cache
def _store(model: int) -> bytes:
    from cod_harness.ladder.store import write_passrates

    with tempfile.TemporaryDirectory() as name:
        path = write_passrates(Path(name) / "s.parquet", rates(model), settings(model))
        return path.read_bytes()


def table(folder: Path, kind: str) -> Path:
    """A table of all rungs."""
    path = folder / f"rates.{kind}"
    frame = pd.concat([rates(model) for model in range(RUNGS)])
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path, index=False)
    return path


def samples() -> list[dict[str, Any]]:
    """Lines of a log of samples."""
    return [
        {"doc_id": at, "doc": {"q": at}, "target": "1", "arguments": {"gen_args_0": {"arg_0": "?"}},
         "resps": [["1", "2"]], "filtered_resps": ["1"], "filter": "none",
         "metrics": ["exact_match"], "doc_hash": f"d{at}", "prompt_hash": f"p{at}",
         "target_hash": f"t{at}", "exact_match": float(at % 2)}
        for at in range(QUESTIONS)
    ]  # fmt: skip


def results() -> dict[str, Any]:
    """A results file's content."""
    return {
        "results": {"t": {"alias": "t", "exact_match,none": 0.5, "exact_match_stderr,none": 0.1}},
        "group_subtasks": {"g": ["t"]}, "configs": {"t": {"repeats": 2, "generation_kwargs": {}}},
        "versions": {"t": 1}, "n-shot": {"t": 0}, "date": 1.9e9, "model_name": "m0",
        "n-samples": {"t": {"original": QUESTIONS, "effective": QUESTIONS}},
        "config": {"model_args": "pretrained=m0", "model_num_parameters": 10},
        "cod": {"ladder": "l", "rung": "big", "checkpoint": "",
                "tasks": {"t": {"metric": "exact_match", "filter": "none", "rate": 0.5}}},
    }  # fmt: skip


@cache
def documents() -> dict[str, str]:
    """A forecast, a backtest and a register, as the commands write them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        common = [str(out_folder(folder)), "--ladder", str(ladder_file(folder)), "--method"]
        made = {kind: folder / f"{kind}.json" for kind in ("forecast", "backtest", "register")}
        for kind in ("forecast", "backtest"):
            assert run([kind, *common, "cod,exp", "--json", str(made[kind])]).status == 0
        words = ["register", str(made["forecast"]), "-r", str(made["register"])]
        assert run(words).status == 0 and run([*words, "--again"]).status == 0
        return {kind: path.read_text() for kind, path in made.items()}


# -- chance --------------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, 1e308, -0.0, math.nan, math.inf, -math.inf,
    "", " ", "x", "x" * 300, "\ud800", "\u2028", "\x00", "é", "../../x", "1e999", "NaN", "null",
    "9" * 5000, [], [None], [[]], {}, {"a": None}, ["x", 1], {"t": []},
)  # fmt: skip
TEXTS = (
    "", " ", "\n", "null", "[]", "{}", "NaN", "-Infinity", "9" * 5000, "-" + "9" * 5000, "\x00",
    '"\\ud800"', "\ufeff", "[" * 500 + "]" * 500, "[" * 1000 + "]" * 1000,
    '{"a":' * 700 + "1" + "}" * 700,
    "[" * 100_000, "- " * 900 + "1", "&a [*a]", "{a: 1, a: 2}", "!!python/object/apply:os.abort []",
)  # fmt: skip
BYTES = (b"", b"\xff", b"\x00" * 64, b"\xef\xbb\xbf", b"PAR1", b"PAR1PAR1", b"\x1f\x8b", b"\r\n")


def spots(content: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """Every place in a nested value, as the thing that holds it and the key."""
    found: list[tuple[Any, Any]] = []
    if depth > 50:
        return found
    for key in list(content) if isinstance(content, dict) else range(len(content)):
        found.append((content, key))
        if isinstance(content[key], (dict, list)):
            found += spots(content[key], depth + 1)
    return found


def changed(content: Any, chance: random.Random) -> Any:
    """Content with one to three places replaced, removed, or given another name."""
    content = copy.deepcopy(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        found = spots(content)
        if not found:
            break
        inside, key = chance.choice(found)
        way = chance.random()
        if way < 0.15:
            del inside[key]
        elif way < 0.25 and isinstance(inside, dict):
            inside[str(chance.choice(("", "x" * 300, "\ud800", "a\nb", "g")))] = inside.pop(key)
        elif way < 0.3:
            inside[key] = deep(inside[key], chance.choice((50, 500, 900, 990, 1000)))
        else:
            inside[key] = chance.choice(VALUES)
    return content


def deep(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def spelt(content: Any) -> bytes:
    """JSON, however deep and odd the content."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        return json.dumps(content).encode("utf-8", "surrogatepass")
    finally:
        sys.setrecursionlimit(limit)


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Bytes with some bits flipped, some cut off, or some put in."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        way = chance.random()
        at = chance.randrange(len(made) or 1)
        if way < 0.6 and made:
            made[at] ^= 1 << chance.randrange(8)
        elif way < 0.75:
            del made[at:]
        elif way < 0.85:
            del made[at : at + chance.randrange(1, 30)]
        else:
            made[at:at] = chance.choice(BYTES)
    return bytes(made)


def broken_json(content: Any, chance: random.Random) -> bytes:
    """A JSON text that is wrong in its values, in its bytes, or altogether."""
    way = chance.random()
    if way < 0.6:
        return spelt(changed(content, chance))
    if way < 0.85:
        return flipped(json.dumps(content).encode(), chance)
    return chance.choice(TEXTS).encode("utf-8", "surrogatepass")


# -- classes of input ----------------------------------------------------------------------------


def ladder_yaml(chance: random.Random, folder: Path) -> Words:
    """Ladder files."""
    good = ladder_content()
    path = folder / "l.yaml"
    path.write_bytes(broken_json(good, chance))
    out, command = str(out_folder(folder)), chance.choice(("check", "forecast", "plan", "ingest"))
    if command == "check":
        return ["check", str(path), out]
    if command == "plan":
        return ["plan", str(path), "--tasks", "cod_gsm8k", "--json", "-"]
    if command == "ingest":
        return ["ingest", out, "--ladder", str(path), "-o", str(folder / "new.parquet")]
    return ["forecast", out, "--ladder", str(path), "--method", "exp", "--json", "-"]


def csv_table(chance: random.Random, folder: Path) -> Words:
    """Tables of pass rates as CSV."""
    path = table(folder, "csv")
    lines = path.read_text().splitlines()
    if chance.random() < 0.5:
        row = chance.randrange(len(lines))
        cells = lines[row].split(",")
        value = chance.choice(VALUES)
        text = str(value)[:400] if isinstance(value, (int, float, str, bool)) else json.dumps(value)
        cells[chance.randrange(len(cells))] = text
        lines[row] = ",".join(cells)
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    else:
        path.write_bytes(flipped(path.read_bytes(), chance))
    return [*_reading(chance, path, folder)]


def parquet_table(chance: random.Random, folder: Path) -> Words:
    """Tables of pass rates as Parquet: bytes flipped, columns of other types."""
    path = table(folder, "parquet")
    if chance.random() < 0.6:
        path.write_bytes(flipped(path.read_bytes(), chance))
    else:
        frame = pd.read_parquet(path)
        column = chance.choice(list(frame.columns))
        value = chance.choice([None, 1.5, "x", b"\xff", [1], True, {"a": 1}, math.nan, -1, 10**15])
        frame[column] = [value] * len(frame)
        frame.to_parquet(path, index=False)
    return _reading(chance, path, folder)


def store(chance: random.Random, folder: Path) -> Words:
    """Stores of ours: bytes flipped, settings of other types with a digest that fits."""
    from cod_harness.ladder import store as ours

    out = out_folder(folder)
    path = out / f"cod_passrates_{chance.randrange(RUNGS)}.parquet"
    if chance.random() < 0.5:
        path.write_bytes(flipped(path.read_bytes(), chance))
    else:
        model = int(path.stem[-1])
        path.unlink()
        about = settings(model)
        about = changed({"runs": [about]} if chance.random() < 0.3 else about, chance)
        with contextlib.suppress(ValueError, TypeError, UnicodeEncodeError, RecursionError):
            ours.write_passrates(path, rates(model), about)
    return _reading(chance, out, folder)


def _reading(chance: random.Random, path: Path, folder: Path) -> Words:
    words = [str(path), "--ladder", str(ladder_file(folder))]
    command = chance.choice(("forecast", "forecast", "check", "ingest", "backtest"))
    if command == "check":
        return ["check", words[2], words[0]]
    if command == "ingest":
        return ["ingest", *words, "-o", str(folder / "new.parquet")]
    more = ["--jobs", "1"] if command == "backtest" else []
    return [command, *words, *more, "--method", "exp", "--json", "-"]


def samples_log(chance: random.Random, folder: Path) -> Words:
    """Logs of samples, with the results beside them."""
    runs = folder / "runs" / "m1"
    runs.mkdir(parents=True)
    lines = [spelt(line) for line in samples()]
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(lines))
        lines[at] = broken_json(samples()[at], chance)
    name = chance.choice((f"samples_t_{DATE}.jsonl",) * 8 + ("samples_.jsonl", "samples_t_x.jsonl"))
    (runs / name).write_bytes(b"\n".join(lines) + chance.choice((b"\n", b"")))
    if chance.random() < 0.5:
        content = broken_json(results(), chance) if chance.random() < 0.7 else spelt(results())
        (runs / f"results_{DATE}.json").write_bytes(content)
    # A good one beside it, which must not be lost.
    good = folder / "runs" / "m0" / f"samples_t_{DATE}.jsonl"
    good.parent.mkdir()
    good.write_bytes(b"".join(spelt(line) + b"\n" for line in samples()))
    out = str(folder / "new.parquet")
    return ["ingest", str(folder / "runs"), "--ladder", str(ladder_file(folder)), "-o", out]


def inspect_log(chance: random.Random, folder: Path) -> Words:
    """Logs of Inspect: bytes flipped, values changed in what the archive holds, parts left out."""
    logs = folder / "logs"
    logs.mkdir()
    path = logs / "2026-01-01T00-00-00_t_1.eval"
    if chance.random() < 0.3:
        path.write_bytes(flipped(_inspect(1), chance))
    else:
        with zipfile.ZipFile(io.BytesIO(_inspect(1))) as good:
            parts = {name: good.read(name) for name in good.namelist()}
        # What `ingest` looks at, most of the time.
        looked_at = [name for name in parts if name in ("header.json", "summaries.json")]
        name = chance.choice(looked_at if chance.random() < 0.9 else list(parts))
        if chance.random() < 0.1:
            del parts[name]
        else:
            parts[name] = broken_json(json.loads(parts[name]), chance)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in parts.items():
                made.writestr(name, data)
    if chance.random() < 0.7:  # a good one beside it, which must not be lost
        (logs / "2026-01-01T00-00-00_t_0.eval").write_bytes(_inspect(0))
    out = str(folder / "new.parquet")
    given = chance.choice((logs, logs, path))
    return ["ingest", str(given), "--ladder", str(ladder_file(folder)), "-o", out]


@cache
def _inspect(model: int) -> bytes:
    """A log that Inspect wrote, of a rung's two answers to each question."""
    import inspect_ai
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import match
    from inspect_ai.solver import solver

    @solver
    def scripted() -> Any:
        async def solve(state: Any, _: Any) -> Any:
            right = (state.epoch + int(state.sample_id[1:])) % 3
            state.output = ModelOutput.from_content(str(state.model), str(right))
            return state

        return solve

    samples = [Sample(id=f"q{at}", input=f"{at}?", target="1") for at in range(QUESTIONS)]
    task = inspect_ai.Task(
        name="t", dataset=MemoryDataset(samples), solver=scripted(), scorer=match()
    )
    with tempfile.TemporaryDirectory() as name:
        inspect_ai.eval(
            task, model=f"mockllm/m{model}", epochs=2, log_dir=name, log_format="eval",
            display="none",
        )  # fmt: skip
        [path] = Path(name).glob("*.eval")
        return path.read_bytes()


ODD_ARGUMENTS: tuple[Any, ...] = (
    "pretrained", "pretrained=", "=", ",", "pretrained==", ",pretrained=m0,", "pretrained=m0,m0",
    "pretrained=m0,pretrained=m1", "pretrained=m0,revision=", "{", "{}", "[]", '{"pretrained":',
    '{"pretrained": null}', '{"pretrained": ["m0"]}', '{"pretrained": {"a": 1}}', '{"a": NaN}',
    '{"pretrained": "m0", "pretrained": "m1"}', "[" * 1000, '{"a":' * 900 + "1" + "}" * 900,
    "pretrained=" + "x" * 300, "pretrained=" + "x/" * 3000, "pretrained=\ud800",
    "pretrained=\x00", "pretrained=a\nb", "pretrained=/", "pretrained=~", "pretrained=../..",
    "pretrained=loop", "pretrained=file/x", "pretrained=%s{}", "seed=" + "9" * 5000,
    {"pretrained": "m0"}, {"pretrained": None}, {"pretrained": 1.5}, {"pretrained": ["m0"]},
    {"": "m0"}, {"pretrained": {"pretrained": "m0"}}, {"a": math.nan}, {"a=b": "c,d"},
)  # fmt: skip


def model_args(chance: random.Random, folder: Path) -> Words:
    """`model_args` in ladder files, in results files, and on the command line of `run`."""
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "file").write_text("x")
    odd = chance.choice((*VALUES, *ODD_ARGUMENTS, *ODD_ARGUMENTS))
    ladder, out = ladder_file(folder), str(folder / "new")
    way = chance.random()
    if way < 0.4:
        content = ladder_content()
        for model in content["rungs"]:
            model |= {"model": "dummy", "model_args": f"pretrained={model['name']}"}
        model = chance.choice(content["rungs"])
        model["model_args"] = odd
        if chance.random() < 0.3:
            model["checkpoints"] = chance.choice((["m7", "m8"], ["loop", "file/x"], [odd]))
        ladder.write_bytes(spelt(content))
        command = chance.choice(("check", "plan", "forecast", "ladder"))
        if command == "ladder":
            return [command, str(ladder), "--tasks", "t", "--output_path", out, "--dry-run"]
        if command == "plan":
            return [command, str(ladder), "--tasks", "cod_gsm8k", "--json", "-"]
        if command == "check":
            return [command, str(ladder), str(out_folder(folder))]
        words = [str(out_folder(folder)), "--ladder", str(ladder)]
        return [command, *words, "--method", "exp", "--json", "-"]
    if way < 0.8:
        runs = folder / "runs"
        for at in range(RUNGS):
            content = {key: value for key, value in results().items() if key != "cod"}
            content["config"]["model_args"] = odd if at == 1 else f"pretrained=m{at}"
            place = runs / f"m{at}"
            place.mkdir(parents=True)
            (place / f"results_{DATE}.json").write_bytes(spelt(content))
            (place / f"samples_t_{DATE}.jsonl").write_bytes(
                b"".join(spelt(line) + b"\n" for line in samples())
            )
        command = chance.choice(("init", "ingest", "forecast"))
        if command == "init":
            return [command, str(runs), "-o", str(folder / "new.yaml")]
        words = [command, str(runs), "--ladder", str(ladder)]
        more = ["-o", str(folder / "new.parquet")]
        return [*words, *(more if command == "ingest" else ["--method", "exp", "--json", "-"])]
    text = odd if isinstance(odd, str) and "\x00" not in odd else json.dumps(odd)[:60_000]
    (folder / "tasks").mkdir()
    (folder / "tasks" / "d.jsonl").write_text('{"q": "1 + 1", "a": 0}\n')
    task = {"task": "t", "dataset_path": "json", "test_split": "test", "doc_to_text": "{{q}}",
            "dataset_kwargs": {"data_files": {"test": str(folder / "tasks" / "d.jsonl")}},
            "doc_to_target": "a", "output_type": "multiple_choice",
            "doc_to_choice": ["2", "3"], "metric_list": [{"metric": "acc"}]}  # fmt: skip
    (folder / "tasks" / "t.yaml").write_text(json.dumps(task))
    words = ["run", "--model", "dummy", f"--model_args={text}", "--tasks", "t", "--output_path"]
    more = ["--include_path", str(folder / "tasks"), "--cod-include-only", "--cod", str(ladder)]
    rung = ["--cod-rung", "m1"] if chance.random() < 0.5 else []
    return [*words, out, *more, *rung]


def results_json(chance: random.Random, folder: Path) -> Words:
    """Results files, for `score`, `init` and forecasts by accuracies alone."""
    runs = folder / "runs"
    for at in range(RUNGS):
        content = results()
        content["config"]["model_args"] = f"pretrained=m{at}"
        content["cod"]["rung"] = "big"
        path = runs / f"m{at}" / f"results_{DATE}.json"
        path.parent.mkdir(parents=True)
        bad = at in (1, 3) and chance.random() < 0.8
        path.write_bytes(broken_json(content, chance) if bad else spelt(content))
    command = chance.choice(("score", "init", "forecast"))
    if command == "init":
        return ["init", str(runs), "-o", str(folder / "new.yaml")]
    if command == "forecast":
        ladder = str(ladder_file(folder))
        return ["forecast", str(runs), "--ladder", ladder, "--method", "exp", "--json", "-"]
    (folder / "register").write_text(documents()["register"])
    return ["score", str(folder / "register"), str(runs), "--json", "-"]


def forecast_json(chance: random.Random, folder: Path) -> Words:
    """Forecasts and backtests, for `report` and `register`."""
    kind = chance.choice(("forecast", "forecast", "backtest"))
    path = folder / f"cod_{kind}_1.json"
    path.write_bytes(broken_json(json.loads(documents()[kind]), chance))
    way = chance.random()
    if way < 0.3:
        return ["register", str(path), "-r", str(folder / "register")]
    if way < 0.6:
        return ["report", str(path), "--markdown", "-"]
    if way < 0.8:
        return ["report", str(chance.choice((path, folder))), "-o", str(folder / "new.html")]
    return ["report", str(path), "-o", str(folder / "new.html"), "--svg", str(folder / "svg")]


def register_file(chance: random.Random, folder: Path) -> Words:
    """Registers: bytes, values with hashes that fit, lines left out or doubled."""
    from cod_harness.documents.register import digest

    path = folder / "register"
    text = documents()["register"]
    lines = text.splitlines()
    way = chance.random()
    if way < 0.4:
        path.write_bytes(flipped(text.encode(), chance))
    elif way < 0.8:
        content = changed(json.loads(lines[0]), chance)
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            content["hash"] = digest({key: one for key, one in content.items() if key != "hash"})
        path.write_bytes(spelt(content) + b"\n")
    else:
        chance.shuffle(lines)
        path.write_text("\n".join([*lines, *lines[: chance.randrange(2)]]))
    if chance.random() < 0.5:
        (folder / "f.json").write_text(documents()["forecast"])
        return ["register", str(folder / "f.json"), "-r", str(path), "--again"]
    (folder / "results_1.json").write_bytes(spelt(results()))
    return ["score", str(path), str(folder / "results_1.json"), "--json", "-"]


def clusters_and_checkpoints(chance: random.Random, folder: Path) -> Words:
    """Saved clusters, and checkpoints of a running job."""
    out, ladder = str(out_folder(folder)), str(ladder_file(folder))
    words = ["forecast", out, "--ladder", ladder, "--json", "-"]
    if chance.random() < 0.5:
        path = folder / "clusters.parquet"
        path.write_bytes(flipped(_clusters(), chance))
        return [*words, "--clusters", str(path)]
    path = folder / "observed.csv"
    path.write_bytes(flipped(b"task,compute,accuracy,name\nt,1e20,0.5,a\nt,1e21,0.6,b\n", chance))
    return [*words, "--method", "exp", "--observed", str(path)]


@cache
def _clusters() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "c.parquet"
        words = ["forecast", str(out_folder(folder)), "--ladder", str(ladder_file(folder))]
        assert run([*words, "--json", "-", "--save-clusters", str(path)]).status == 0
        return path.read_bytes()


def campaign(chance: random.Random, folder: Path) -> Words:
    """What a ladder keeps about its jobs."""
    from cod_harness.harness.campaign.records import SCHEMA

    out = out_folder(folder)
    jobs = out / "cod_jobs"
    jobs.mkdir(exist_ok=True)
    log = jobs / "m0.log"
    log.write_bytes(flipped(b"questions:  50%|#####     | 4/8 [00:01<00:01, 4.00/s]\r", chance))
    job = {
        "name": "m0",
        "rung": "m0",
        "checkpoint": "",
        "tasks": ["t"],
        "part": "",
        "state": "waiting",
        "command": ["true"],
        "log": str(log),
        "words": "",
        "tries": 0,
    }
    good = {"schema": SCHEMA, "ladder": "l", "repeats": 1,
            "engine": {"executor": "local", "options": {}},
            "jobs": [job, {**job, "name": "m1", "rung": "m1", "state": "done"}]}  # fmt: skip
    (jobs / "campaign.json").write_bytes(broken_json(good, chance))
    return [chance.choice(("status", "cancel")), str(out)]


FLAGS: dict[str, tuple[str, ...]] = {
    "forecast": ("--level", "--compute", "--target", "--method", "--tasks", "--observed",
                 "--clusters", "--save-clusters", "--json"),
    "backtest": ("--level", "--holdout", "--method", "--by", "--jobs", "--json"),
    "ablate": ("--what", "--base", "--json"),
    "ingest": ("--rung", "--metric", "--column", "--constant", "--jobs", "--include_path", "-o"),
    "check": ("--nope",),
}  # fmt: skip
ODD_WORDS = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "1e999", "9" * 400, "1:2:3:4", "1e22:1e21", "a,b",
    ",", "=", "a=b", "a=b/c", "\udcff", "é" * 200, "x" * 300, "-", "--", "../..", "*",
    "/dev/null/x", "%s", "{}", "\n", "0.5.5", "1_0", "½", "\u0661", "1e22:1e25:" + "9" * 30,
    "1e22:1e25:1e3",
)  # fmt: skip


def flags(chance: random.Random, folder: Path) -> Words:
    """Values of flags."""
    command = chance.choice(list(FLAGS))
    flag, value = chance.choice(FLAGS[command]), chance.choice(ODD_WORDS)
    out, ladder = str(out_folder(folder)), str(ladder_file(folder))
    if command == "check":
        return ["check", ladder, value]
    words = [command, out, "--ladder", ladder]
    if command in ("forecast", "backtest") and flag != "--method":
        words += ["--method", "exp"]
    if command == "backtest" and flag != "--jobs":
        words += ["--jobs", "1"]
    if command == "ablate" and flag != "--what":
        words += ["--what", "law"]
    return [*words, f"{flag}={value}"] if chance.random() < 0.5 else [*words, flag, value]


def odd_paths(chance: random.Random, folder: Path) -> Words:
    """Loops of links, names too long or no text, folders for files and files for folders."""
    places = [folder / "loop", folder / ("n" * 300), folder / "folder", folder / "file.json"]
    places += [folder / "gone", folder / "dangling", folder / "file.json" / "x", folder / "pipe"]
    places += [folder / os.fsdecode(b"not-\xff-text"), folder / os.fsdecode(b"out-\xff")]
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "gone")
    (folder / "folder").mkdir()
    (folder / "file.json").write_text("{}")
    (folder / os.fsdecode(b"not-\xff-text")).write_text("x")
    shutil.copytree(out_folder(folder), folder / os.fsdecode(b"out-\xff"))
    for suffix in ("csv", "parquet", "yaml"):
        (folder / f"loop.{suffix}").symlink_to(folder / f"loop.{suffix}")
        (folder / f"empty.{suffix}").write_text("")
        places += [folder / f"loop.{suffix}", folder / f"empty.{suffix}"]
    (folder / "forecast.json").write_text(documents()["forecast"])
    (folder / "register").write_text(documents()["register"])
    good = {
        "PATH": str(folder / "out"), "LADDER": str(ladder_file(folder)),
        "DOCUMENT": str(folder / "forecast.json"), "REGISTER": str(folder / "register"),
        "NEW": str(folder / "new"),
    }  # fmt: skip
    (folder / "results_1.json").write_bytes(spelt(results()))
    good["RESULTS"] = str(folder / "results_1.json")
    line = chance.choice(LINES).split()
    at = chance.choice([at for at, word in enumerate(line) if word in good])
    odd = str(chance.choice(places))
    return [odd if here == at else good.get(word, word) for here, word in enumerate(line)]


LINES = (
    "check LADDER PATH",
    "forecast PATH --ladder LADDER --method exp --json NEW",
    "forecast PATH --ladder LADDER --method exp --save-clusters NEW --json -",
    "forecast PATH --ladder LADDER --method exp --clusters NEW --json -",
    "forecast PATH --ladder LADDER --method exp --observed NEW --json -",
    "forecast PATH --ladder LADDER --method exp",
    "backtest PATH --ladder LADDER --method exp --jobs 1 --json NEW",
    "ablate PATH --ladder LADDER --what law --json NEW",
    "ingest PATH --ladder LADDER -o NEW",
    "init PATH -o NEW",
    "plan LADDER --tasks cod_gsm8k --json NEW",
    "status PATH --json NEW",
    "cancel PATH",
    "report DOCUMENT -o NEW",
    "report DOCUMENT --markdown NEW",
    "report DOCUMENT -o NEW --with-questions PATH",
    "register DOCUMENT -r NEW",
    "register DOCUMENT -r REGISTER --again",
    "score REGISTER RESULTS --json NEW",
    "ladder LADDER --tasks t --output_path NEW --dry-run",
)

CLASSES: dict[str, Class] = {
    "ladder files": ladder_yaml,
    "tables, CSV": csv_table,
    "tables, Parquet": parquet_table,
    "stores": store,
    "logs of samples": samples_log,
    "logs of Inspect": inspect_log,
    "results files": results_json,
    "model_args": model_args,
    "forecasts and backtests": forecast_json,
    "registers": register_file,
    "saved clusters, checkpoints": clusters_and_checkpoints,
    "records of jobs": campaign,
    "values of flags": flags,
    "paths": odd_paths,
}

# What the class of input cannot be made without.
NEEDS = {"logs of Inspect": "inspect_ai"}


# -- running -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """What came of a command line. faults: what no input whatever may cause, in words."""

    words: Words
    status: int
    out: str
    err: str
    faults: tuple[str, ...] = ()


def run(words: Words) -> Ran:
    """A command line in this process."""
    from cod_harness.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    return Ran(words, status, out.getvalue(), err.getvalue())


def tried(make: Class, seed: int, folder: Path) -> Ran:
    """One command line of a class in an empty folder, and what is wrong with what came of it."""
    os.environ["COLUMNS"] = "100"
    words = make(random.Random(seed), folder)
    before = contents(folder)
    here = Path.cwd()
    os.chdir(folder)
    try:
        ran = run(words)
    finally:
        os.chdir(here)
    return Ran(ran.words, ran.status, ran.out, ran.err, tuple(_faults(ran, before, folder)))


def _faults(ran: Ran, before: dict[str, bytes], folder: Path) -> Iterator[str]:
    if "Traceback" in ran.err or "went wrong inside" in ran.err:
        yield f"traceback: {ran.err[-1000:]}"
    if ran.status not in (0, 2):
        yield f"exit {ran.status}"
    lines = ran.err.splitlines()
    if ran.status == 2 and (not lines or not lines[-1].startswith("cod-harness: ")):
        yield f"exit 2 without its line: {ran.err[-300:]!r}"
    if ran.status == 2 and ran.out:
        yield "exit 2 after output"
    after = contents(folder)
    grown = ran.words[0] in ("register", "score")
    for name, data in before.items():
        now = after.get(name)
        if now != data and not (grown and now is not None and now.startswith(data.rstrip(b"\n"))):
            yield f"lost or changed: {name}"
    if any(name.endswith(".tmp") for name in after):
        yield "left a temporary file"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found[path] = file.read()
    return found
