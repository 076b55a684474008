"""Would the tests notice a wrong formula?  One small change at a time, and who complains.

    python benchmarks/mutation.py cod_harness/engine [--sample 300] [--seed 0] [--out FILE.json]

Every mutant is one change of one expression (an operator, a comparison, a number, a branch, a call
of minimum for maximum), tried in a process of its own: forked after the heavy imports, its module
loaded from the changed source.  First the module's own tests run, then the golden forecasts; the
first test that fails kills it.  A mutant that runs for more than `LIMIT` seconds of processor time
counts as killed.  With --sample, that many mutants are drawn from all of them.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[1]
LIMIT = 120  # seconds of processor time
GOLDEN = ["tests/engine/test_golden.py"]
# Left out of the first stage: comparisons of whole routines with scipy and scikit-learn that take
# as long as everything else.
SLOW_ONES = "not as_good_as_scipy and not scikit_learn_estimator and not whole_shared"

ENGINE = "tests/engine/test_{}.py"
# Tests of a module, where they are not named after it.
TESTS: dict[str, list[str]] = {
    "engine/settings": [
        "settings",
        "intervals",
        "verdicts",
        "selection",
        "irt",
        "trend",
        "pooling",
    ],
    "engine/sentences": ["verdicts"],
    "engine/recipe": ["settings", "cod"],
    "engine/arrays": ["cod"],
    "engine/forecast": ["verdicts"],
    "engine/clustering": ["clustering"],
    "engine/baselines/__init__": ["baselines"],
    "engine/baselines/trend": ["baseline_forecasts", "baselines"],
    "engine/baselines/scales": ["baseline_scales"],
    "engine/baselines/groups": ["baseline_scales"],
    "engine/baselines/latent": ["baseline_scales"],
    "engine/baselines/losses": ["baseline_scales"],
    "engine/baselines/laws": ["baselines"],
    "engine/meanshift/": ["clustering"],
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
    elif isinstance(node, ast.Attribute) and node.attr in SWAPPED:
        yield _with(node, attr=SWAPPED[node.attr])
    elif isinstance(node, ast.Name) and node.id in SWAPPED and isinstance(node.ctx, ast.Load):
        yield _with(node, id=SWAPPED[node.id])


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
    for known, names in TESTS.items():
        if stem == known or (known.endswith("/") and stem.startswith(known)):
            return [ENGINE.format(name) for name in names]
    room, name = stem.split("/")[0], stem.rsplit("/", 1)[-1]
    own = Path("tests") / room / f"test_{name}.py"
    return [str(own)] if (ROOT / own).exists() else [f"tests/{room}"]


def outcome(mutant: Mutant) -> str:
    """ "own", "golden" or "limit": what killed it; "survived" if nothing did."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.write(write, _tried(mutant).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said or "limit"


def _tried(mutant: Mutant) -> str:
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    name = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    sys.meta_path.insert(0, Changed(name, ROOT / mutant.path, mutated(mutant)))
    quiet = [*"-x -q --noconftest -p no:cacheprovider -p no:randomly -m".split(), "not slow"]
    if pytest.main([*quiet, "-k", SLOW_ONES, *tests_of(mutant.path)]) != 0:
        return "own"
    if "engine" in mutant.path and pytest.main([*quiet, *GOLDEN]) != 0:
        return "golden"
    return "survived"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(words)
    os.chdir(ROOT)
    every = [
        mutant
        for folder in asked.folders
        for path in sorted((ROOT / folder).rglob("*.py") if folder.is_dir() else [ROOT / folder])
        for mutant in mutants(path)
    ]
    drawn = every
    if asked.sample and asked.sample < len(every):
        drawn = random.Random(asked.seed).sample(every, asked.sample)
    print(f"{len(every)} mutants, {len(drawn)} of them tried", flush=True)
    # Loaded once, for all forks.
    for heavy in HEAVY:
        importlib.import_module(heavy)
    began, found = time.monotonic(), []
    for mutant in drawn:
        if time.monotonic() - began > 60 * asked.minutes:
            break
        how = outcome(mutant)
        found.append({**asdict(mutant), "outcome": how})
        if how == "survived":
            print(f"{mutant.path}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
        if asked.out:
            asked.out.write_text(json.dumps({"of": len(every), "tried": found}, indent=1) + "\n")
    count = {how: sum(one["outcome"] == how for one in found)
             for how in ("own", "golden", "limit", "survived")}  # fmt: skip
    killed = len(found) - count["survived"]
    print(f"{killed} of {len(found)} killed ({100 * killed / max(len(found), 1):.0f} %): {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
