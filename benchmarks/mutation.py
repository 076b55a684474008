"""Would the tests notice a wrong formula?  One small change at a time, and who complains.

    python benchmarks/mutation.py cod_harness/engine [--sample 300] [--seed 0] [--out FILE.json]

Every mutant is one change of one expression (an operator, a term left out, a comparison, a number,
a branch, minimum for maximum, no clipping), tried in a process of its own: forked after the heavy
imports, its module loaded from the changed source.  It is killed by the first test of the module's
own that fails, the fastest being asked first; with --golden, those that survive meet the golden
forecasts too.  One that takes several times the processor time of the unchanged module is killed.

With --sample, so many mutants are drawn from all of them.  With --out, what was tried is kept and
not tried again as long as the module is the same; --again tries the survivors again, after tests
were added.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
GOLDEN = ["tests/engine/test_golden.py"]
LONG = 3.0  # seconds; a module's tests that take longer are left out
OUTCOMES = ("own", "golden", "limit", "survived")

# Tests of a module, where they are not named after it.
TESTS: dict[str, list[str]] = {
    "engine/settings": ["settings"],
    "engine/sentences": ["verdicts"],
    "engine/recipe": ["settings", "cod_by_hand"],
    "engine/cod": ["cod_by_hand", "cod"],
    "engine/arrays": ["settings"],
    "engine/forecast": ["verdicts"],
    "engine/clustering": ["clustering", "meanshift"],
    "engine/baselines/__init__": ["baseline_laws"],
    "engine/baselines/trend": ["baseline_forecasts"],
    "engine/baselines/scales": ["baseline_scales"],
    "engine/baselines/groups": ["baseline_scales"],
    "engine/baselines/latent": ["baseline_scales"],
    "engine/baselines/losses": ["baseline_scales"],
    "engine/baselines/laws": ["baseline_laws", "baselines"],
    "engine/meanshift/": ["meanshift", "clustering"],
}

HEAVY = """
    numpy scipy.stats scipy.optimize scipy.interpolate scipy.integrate sklearn.cluster
    sklearn.utils.estimator_checks hypothesis.strategies pandas pyarrow.parquet pytest threadpoolctl
""".split()

ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.Pow: ast.Mult, ast.MatMult: None, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.GtE, ast.LtE), ast.LtE: (ast.Gt, ast.Lt), ast.Gt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Lt, ast.Gt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
SWAPPED = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "any": "all",
    "all": "any", "argmin": "argmax", "argmax": "argmin", "mean": "sum", "sum": "mean",
    "ones": "zeros", "zeros": "ones", "lower": "upper", "upper": "lower", "log": "log1p",
    "exp": "expm1", "sqrt": "abs", "floor": "ceil",
}  # fmt: skip
LEFT_OUT = {"clip", "maximum", "minimum", "max", "min", "sqrt", "square", "abs"}


@dataclass(frozen=True)
class Mutant:
    """One change: the file, the place in its walk, which change of that place, and its words."""

    path: str
    node: int
    variant: int
    line: int
    before: str
    after: str


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Copies of a node, each changed in one way."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        other = ARITHMETIC.get(type(node.op))
        if other is not None:
            yield _with(node, op=other())
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            yield node.left
            yield node.right
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Pow)):
            yield node.left
        elif isinstance(node, ast.AugAssign):
            yield ast.copy_location(ast.Pass(), node)
    elif isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for other in COMPARISONS.get(type(op), ()):
                yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant) and not isinstance(node.value, (str, bytes)):
        value = node.value
        if isinstance(value, bool):
            yield _with(node, value=not value)
        elif isinstance(value, (int, float)):
            yield _with(node, value=value + 1)
            if value not in (0, 1):
                yield _with(node, value=value * 0.9 if isinstance(value, float) else value - 1)
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield _with(node, test=ast.Constant(True))
        yield _with(node, test=ast.Constant(False))
    elif isinstance(node, ast.Call) and node.args and _name(node.func) in LEFT_OUT:
        yield node.args[0]
    elif isinstance(node, ast.Attribute) and node.attr in SWAPPED:
        yield _with(node, attr=SWAPPED[node.attr])
    elif isinstance(node, ast.Name) and node.id in SWAPPED and isinstance(node.ctx, ast.Load):
        yield _with(node, id=SWAPPED[node.id])


def _name(called: ast.expr) -> str:
    return getattr(called, "attr", getattr(called, "id", ""))


def _with(node: ast.AST, **changed: object) -> ast.AST:
    made = copy.copy(node)
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Parent, field, index and node of what may be changed: no annotation, no assertion."""
    for parent in ast.walk(tree):
        if isinstance(parent, ast.If) and ast.unparse(parent.test) == "TYPE_CHECKING":
            continue
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list", "bases"):
                continue
            if isinstance(value, ast.AST):
                yield parent, field, None, value
            elif isinstance(value, list):
                for index, one in enumerate(value):
                    if isinstance(one, ast.AST):
                        yield parent, field, index, one


def mutants(path: Path) -> Iterator[Mutant]:
    """All of one file."""
    name = str(path.relative_to(ROOT))
    for number, (_, _, _, node) in enumerate(places(ast.parse(path.read_text()))):
        for variant, changed in enumerate(changes(node)):
            line = getattr(node, "lineno", 0)
            yield Mutant(name, number, variant, line, _words(node), _words(changed))


def _words(node: ast.AST) -> str:
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return ast.unparse(node)


def mutated(mutant: Mutant) -> CodeType:
    """The code of the module with the change in it."""
    path = ROOT / mutant.path
    tree = ast.parse(path.read_text())
    parent, field, index, node = list(places(tree))[mutant.node]
    changed = list(changes(node))[mutant.variant]
    if index is None:
        setattr(parent, field, changed)
    else:
        getattr(parent, field)[index] = changed
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


class Changed(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from changed code."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        within = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(
            fullname, self.path, loader=self, submodule_search_locations=within
        )
        return spec

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_data(self, path: str | os.PathLike[str]) -> bytes:
        return Path(path).read_bytes()


def tests_of(path: str) -> list[str]:
    """Test files of a module: by the table, by its name, or all of its room."""
    stem = path.removeprefix("cod_harness/").removesuffix(".py")
    room, name = stem.split("/")[0], stem.rsplit("/", 1)[-1]
    for known, names in TESTS.items():
        if stem == known or (known.endswith("/") and stem.startswith(known)):
            files = [f"tests/{room}/test_{one}.py" for one in names]
            return [file for file in files if (ROOT / file).exists()]
    own = f"tests/{room}/test_{name}.py"
    return [own] if (ROOT / own).exists() else [f"tests/{room}"]


class Ordered:
    """Plugin of pytest: the fastest tests first, the longest not at all."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        known = self.seconds
        items[:] = sorted(
            (item for item in items if known.get(item.nodeid, 0.0) <= LONG),
            key=lambda item: known.get(item.nodeid, 0.0),
        )


class Timed:
    """Plugin of pytest: processor time of each test, made ready and run, and which failed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.seconds[nodeid] = -time.process_time()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] += time.process_time()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def run_tests(files: Iterable[str], plugin: object, *more: str) -> int:
    import pytest

    quiet = "-q -p no:cacheprovider -p no:randomly -m".split()
    return int(pytest.main([*quiet, "not slow", *more, *files], plugins=[plugin]))


def silenced() -> None:
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def unchanged(files: list[str]) -> tuple[dict[str, float], float]:
    """Processor time by test, and of the whole run, of the unchanged module."""
    with tempfile.NamedTemporaryFile("r") as answer:
        child = os.fork()
        if child == 0:
            silenced()
            timed = Timed()
            code = run_tests(files, timed)
            told = (code, timed.failed, timed.seconds, time.process_time())
            Path(answer.name).write_text(json.dumps(told))
            os._exit(0)
        os.waitpid(child, 0)
        code, failed, seconds, whole = json.loads(answer.read())
    if code != 0:
        raise SystemExit(f"{' '.join(files)}: fail without any change: {failed or 'no tests'}")
    return seconds, whole


def tried(mutant: Mutant, seconds: dict[str, float], limit: float, golden: bool) -> int:
    """Place in `OUTCOMES`; in a process of its own, which is over after it."""
    now = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(now + limit) + 1,) * 2)
    silenced()
    name = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    sys.meta_path.insert(0, Changed(name, ROOT / mutant.path, mutated(mutant)))
    if run_tests(tests_of(mutant.path), Ordered(seconds), "-x") != 0:
        return OUTCOMES.index("own")
    if golden and "engine" in mutant.path and run_tests(GOLDEN, Timed(), "-x") != 0:
        return OUTCOMES.index("golden")
    return OUTCOMES.index("survived")


def key(one: dict[str, Any]) -> tuple[object, ...]:
    return one["path"], one["digest"], one["node"], one["variant"]


def digest(path: str) -> str:
    return hashlib.sha256((ROOT / path).read_bytes()).hexdigest()[:12]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=0, help="so many of every file, drawn")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--golden", action="store_true", help="survivors meet golden forecasts")
    parser.add_argument("--again", action="store_true", help="only survivors that OUT knows")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(words)
    os.chdir(ROOT)
    files = [
        path
        for folder in asked.folders
        for path in (sorted((ROOT / folder).rglob("*.py")) if folder.is_dir() else [ROOT / folder])
    ]
    drawn_by, every, drawn = random.Random(asked.seed), 0, []
    for path in files:
        of_file = list(mutants(path))
        every += len(of_file)
        some = asked.each and asked.each < len(of_file)
        drawn += drawn_by.sample(of_file, asked.each) if some else of_file
    if asked.sample and asked.sample < len(drawn):
        drawn = drawn_by.sample(drawn, asked.sample)
    kept = json.loads(asked.out.read_text())["tried"] if asked.out and asked.out.exists() else []
    known = {key(one): one for one in kept}
    asking = []
    for mutant in sorted(drawn, key=lambda one: (one.path, one.line)):
        before = known.get(key({**asdict(mutant), "digest": digest(mutant.path)}))
        if (before is None) != asked.again and (not asked.again or before["outcome"] == "survived"):
            asking.append(mutant)
    print(f"{every} mutants, {len(drawn)} drawn, {len(asking)} to be tried", flush=True)
    for heavy in HEAVY:  # loaded once, for all forks
        importlib.import_module(heavy)
    began = time.monotonic()
    running: dict[int, Mutant] = {}

    def collected() -> None:
        child, status = os.wait()
        mutant = running.pop(child)
        how = OUTCOMES[os.WEXITSTATUS(status)] if os.WIFEXITED(status) else "limit"
        one = {**asdict(mutant), "digest": digest(mutant.path), "outcome": how}
        known[key(one)] = one
        if how in ("golden", "survived"):
            print(f"{mutant.path}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
        if asked.out:
            fresh = [one for one in known.values() if one["digest"] == digest(one["path"])]
            asked.out.write_text(json.dumps({"of": every, "tried": fresh}, indent=1) + "\n")

    times: dict[str, tuple[dict[str, float], float]] = {}
    for mutant in asking:
        if time.monotonic() - began > 60 * asked.minutes:
            break
        while len(running) >= asked.jobs:
            collected()
        if mutant.path not in times:
            while running:
                collected()
            times[mutant.path] = unchanged(tests_of(mutant.path))
        seconds, whole = times[mutant.path]
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                limit = 5.0 + 3.0 * whole + 60.0 * asked.golden
                os._exit(tried(mutant, seconds, limit, asked.golden))
            os._exit(OUTCOMES.index("own"))
        running[child] = mutant
    while running:
        collected()
    found = [
        known[place]
        for one in drawn
        if (place := key({**asdict(one), "digest": digest(one.path)})) in known
    ]
    count = {how: sum(one["outcome"] == how for one in found) for how in OUTCOMES}
    killed = len(found) - count["survived"]
    print(f"{killed} of {len(found)} killed ({100 * killed / max(len(found), 1):.0f} %): {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
