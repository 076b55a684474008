"""Would the tests notice a wrong formula?  One small change at a time, and who complains.

    python benchmarks/mutation.py cod_harness/engine [--sample 300] [--seed 0] [--out FILE.json]

Every mutant is one change of one expression (an operator, a term left out, a comparison, a number,
a branch, minimum for maximum, no clipping), tried in a process of its own, forked where the tests
of the module are collected already: its functions get the code of the changed one.  Where the
change is in no function (a constant of the module, a default), everything is loaded anew.
A mutant is killed by the first of the module's own tests that fails, or by taking several times
the processor time of the unchanged module.  Asked first are the tests that have killed most for
the time they take.

With --sample, so many mutants are drawn from all of them.  With --out, what was tried is kept and
not tried again as long as the module is the same; --again tries the survivors again, after tests
were added.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import selectors
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TextIO

ROOT = Path(__file__).parents[1]
LONG = 3.0  # seconds; a module's tests that take longer are left out
OUTCOMES = ("killed", "limit", "survived", "anew")

# Tests of a module, where they are not named after it.
TESTS: dict[str, list[str]] = {
    "engine/__init__": ["methods"],
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
    "ladder/foreign_table": ["foreign_table", "passrates"],
    "ladder/logs/results_file": ["results", "damage"],
    "ladder/metrics": ["metrics", "results"],
    "ladder/model_args": ["model_args", "manifest", "results"],
    "ladder/rate_table": ["passrates", "results"],
    "ladder/read_ladder": ["manifest"],
    "ladder/read_passrates": ["passrates", "results", "damage", "newest"],
    "ladder/results/": ["results"],
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
    """Parent, field, index and node of what may be changed: no annotation, no decorator."""
    parents = [tree]
    while parents:
        parent = parents.pop()
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list", "bases"):
                continue
            for index, one in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(one, ast.AST) and not _for_types(one):
                    yield parent, field, index, one
                    parents.append(one)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


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


def functions_of(path: str) -> list[FunctionType]:
    """All that were made from a file."""
    made = [one for one in gc.get_objects() if isinstance(one, FunctionType)]
    return [one for one in made if one.__code__.co_filename == str(ROOT / path)]


def patched(functions: Sequence[FunctionType], mutant: Mutant) -> bool:
    """Give the functions of the loaded module the changed code; False if that is not enough."""
    changed = codes(mutated(mutant))
    found = False
    for function in functions:
        code = function.__code__
        fresh = changed.get((code.co_name, code.co_firstlineno))
        if fresh is None or fresh == code:
            continue
        if fresh.co_freevars != code.co_freevars:
            return False
        function.__code__ = fresh
        found = True
    return found


def codes(code: CodeType) -> dict[tuple[str, int], CodeType | None]:
    """Every function in a code by name and line; None where two share both."""
    found: dict[tuple[str, int], CodeType | None] = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            place = (inner.co_name, inner.co_firstlineno)
            found[place] = None if place in found else inner
            found.update(codes(inner))
    return found


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


def tried(attempt: Callable[[], int], seconds: float) -> int:
    """A process that makes an attempt at a mutant and exits with what that returns."""
    child = os.fork()
    if child == 0:
        try:
            limit = int(time.process_time() + seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            os._exit(attempt())
        except BaseException:
            os._exit(OUTCOMES.index("killed"))
    return child


def all_tried(
    mutants: Sequence[Mutant],
    attempt: Callable[[Mutant], int],
    seconds: float,
    tell: Callable[[Mutant, str], None],
    noticed: Callable[[int], None] = lambda _: None,
) -> None:
    """Attempts at mutants, one after the other.

    What an attempt returns is a place in `OUTCOMES`, or beyond these that of the test that failed,
    which `noticed` is told.
    """
    for mutant in mutants:
        _, status = os.waitpid(tried(lambda mutant=mutant: attempt(mutant), seconds), 0)  # type: ignore[misc]
        place = os.WEXITSTATUS(status) if os.WIFEXITED(status) else OUTCOMES.index("limit")
        if place >= len(OUTCOMES):
            noticed(place - len(OUTCOMES))
        tell(mutant, OUTCOMES[place] if place < len(OUTCOMES) else "killed")


class Loop:
    """Plugin of pytest: instead of running the tests once, runs them for each mutant."""

    def __init__(self, mutants: Sequence[Mutant], tell: Callable[[Mutant, str], None]) -> None:
        self.mutants = mutants
        self.tell = tell
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def run(self, items: list[Any], first: bool = True) -> dict[int, float]:
        """Processor time by place of the item; ends at the first failure if asked."""
        took = {}
        for place, item in enumerate(items):
            began = time.process_time()
            after = items[place + 1] if place + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            took[place] = time.process_time() - began
            if first and self.failed:
                break
        return took

    def pytest_runtestloop(self, session: Any) -> bool:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            took = self.run(session.items, first=False)
            os.write(write, json.dumps([self.failed, list(took.values())]).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answer:
            failed, took = json.loads(answer.read())
        os.waitpid(child, 0)
        if failed or not took:
            raise SystemExit(f"these fail without any change: {failed or 'no tests'}")
        order = sorted(range(len(took)), key=took.__getitem__)
        order = [place for place in order if took[place] <= LONG]
        kills = dict.fromkeys(order, 0)

        functions = functions_of(self.mutants[0].path)
        gc.freeze()  # forks share what nobody touches
        gc.disable()

        def attempt(mutant: Mutant) -> int:
            if not patched(functions, mutant):
                return OUTCOMES.index("anew")
            best = sorted(order, key=lambda place: -(kills[place] + 0.1) / (took[place] + 0.01))
            asked = self.run([session.items[place] for place in best])
            if not self.failed:
                return OUTCOMES.index("survived")
            return min(len(OUTCOMES) + best[len(asked) - 1], 255)

        def noticed(place: int) -> None:
            kills[place] = kills.get(place, 0) + 1

        limit = 5.0 + 3.0 * sum(took[place] for place in order)
        all_tried(self.mutants, attempt, limit, self.tell, noticed)
        return True


def run_tests(files: Sequence[str], *plugins: object) -> int:
    import pytest

    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    how = ["-x", "-q", "-s", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow"]
    return int(pytest.main([*how, *files], plugins=list(plugins)))


def anew(mutant: Mutant) -> int:
    """With everything loaded after the change."""
    name = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    sys.meta_path.insert(0, Changed(name, ROOT / mutant.path, mutated(mutant)))
    return OUTCOMES.index("killed" if run_tests(tests_of(mutant.path)) else "survived")


class Worker:
    """A process that tries mutants of one module and tells what became of each."""

    def __init__(self, path: str, mutants: Sequence[Mutant], loaded: bool) -> None:
        """loaded: in one session of pytest, not each with everything loaded after the change."""
        self.path, self.mutants, self.loaded = path, mutants, loaded
        self.anew: list[Mutant] = []
        read, write = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(read)
            with os.fdopen(write, "w") as told:
                self._try(told)
            os._exit(0)
        os.close(write)
        self.answers = os.fdopen(read)

    def _try(self, told: TextIO) -> None:
        places = {mutant: place for place, mutant in enumerate(self.mutants)}

        def tell(mutant: Mutant, how: str) -> None:
            print(places[mutant], how, file=told, flush=True)

        if not self.loaded:
            return all_tried(self.mutants, anew, 60.0, tell)
        try:
            error = run_tests(tests_of(self.path), Loop(self.mutants, tell))
            if error:
                print("-", "pytest", error, file=told)
        except BaseException as problem:
            print("-", problem, file=told)

    def hear(self, keep: Callable[[Mutant, str], None]) -> bool:
        """Take one answer; False at the end."""
        place, _, how = self.answers.readline().strip().partition(" ")
        if place == "-":
            print(f"{self.path}, {' '.join(tests_of(self.path))}: {how}", flush=True)
        elif how == "anew":
            self.anew.append(self.mutants[int(place)])
        elif place:
            keep(self.mutants[int(place)], how)
        return bool(place)


def try_modules(
    asking: dict[str, list[Mutant]], jobs: int, keep: Callable[[Mutant, str], None]
) -> None:
    """So many modules at a time, those with the most mutants first."""
    waiting = [(path, asking[path], True) for path in sorted(asking, key=lambda p: len(asking[p]))]
    with selectors.PollSelector() as running:
        while waiting or running.get_map():
            while waiting and len(running.get_map()) < jobs:
                worker = Worker(*waiting.pop())
                running.register(worker.answers, selectors.EVENT_READ, worker)
            for key, _ in running.select():
                worker = key.data
                if not worker.hear(keep):
                    running.unregister(key.fileobj)
                    worker.answers.close()
                    os.waitpid(worker.process, 0)
                    if worker.anew:
                        waiting.append((worker.path, worker.anew, False))


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
    asking: dict[str, list[Mutant]] = {}
    for mutant in drawn:
        before = known.get(key({**asdict(mutant), "digest": digest(mutant.path)}))
        wanted = (
            before is not None and before["outcome"] == "survived" if asked.again else not before
        )
        if wanted:
            asking.setdefault(mutant.path, []).append(mutant)
    number = sum(map(len, asking.values()))
    print(f"{every} mutants, {len(drawn)} drawn, {number} to be tried", flush=True)
    for heavy in HEAVY:  # loaded once, for all forks
        importlib.import_module(heavy)

    def keep(mutant: Mutant, how: str) -> None:
        one = {**asdict(mutant), "digest": digest(mutant.path), "outcome": how}
        known[key(one)] = one
        if how == "survived":
            print(f"{mutant.path}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
        if asked.out:
            fresh = [one for one in known.values() if one["digest"] == digest(one["path"])]
            asked.out.write_text(json.dumps({"of": every, "tried": fresh}, indent=1) + "\n")

    try_modules(asking, asked.jobs, keep)
    places = [key({**asdict(one), "digest": digest(one.path)}) for one in drawn]
    found = [known[place]["outcome"] for place in places if place in known]
    killed = len(found) - found.count("survived")
    print(f"{killed} of {len(found)} killed ({100 * killed / max(len(found), 1):.0f} %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
