"""Tiny programs, in the spirit of MBPP: a library of named functions."""

from __future__ import annotations

import ast
import operator
import random
from collections.abc import Callable

from cod_harness.demo.families.kinds import SYLLABLES, Meaning, levels, on_shelves, words
from cod_harness.demo.lexicon import LETTERS


def _write(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    line, (sign, k) = rng.randint(1, 99), divmod(mean(60), 30)
    return f"{line} def {word}{{", f"x{'+*'[sign]}{k + 2}"


def _call(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    line, x = rng.randint(1, 99), rng.randint(0, 2)
    return f"{line} x={x};x.{word}{{", str(10 + mean(80) + x)


_CUT = ("lamp", "fish", "stork", "bread", "minute", "golden")


def _cut(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    line, given, places = rng.randint(1, 99), rng.choice(_CUT[:3]), mean(16)
    return f"{line} '{given}'.{word}{{", given[places // 4] + given[places % 4]


def _get(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    line = rng.randint(1, 99)
    return f"{line} get {word}{{", f"'{SYLLABLES[mean(len(SYLLABLES))]}'"


def _put(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    line, (place, letter) = rng.randint(1, 99), divmod(mean(10 * 26), 26)
    return f"{line} put {word}{{", f"{LETTERS[letter]}[{place}]"


def _slice(rng: random.Random, level: int) -> tuple[str, str]:
    word = _CUT[rng.randrange(1 + level)]
    i = rng.randrange(len(word) - 1)
    j = rng.randint(i + 1, len(word))
    return f"{rng.randint(1, 99)} '{word}'[{i}:{j}{{", word[i:j]


_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def _run(node: ast.expr, x: int) -> int:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_run(node.left, x), _run(node.right, x))
    if isinstance(node, ast.Name) and node.id == "x":
        return x
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    raise ValueError(f"not an expression in x: {ast.dump(node)}")


def program_passes(written: str, answer: str) -> bool:
    """Whether a completion is right: the same string, or for `f(x)=` the same values when run.

    Only +, -, * over integers and x are run, so nothing a model writes can do harm.
    """
    if written == answer:
        return True
    if "x" not in answer or len(written) > 40:
        return False
    try:
        ours, theirs = (ast.parse(text, mode="eval").body for text in (answer, written))
        return all(_run(theirs, x) == _run(ours, x) for x in (0, 1, 2, 7, 11))
    except (ValueError, SyntaxError, RecursionError):
        return False


# By falling frequency.
KINDS = on_shelves(
    words("write", _write),
    words("get", _get),
    words("call", _call),
    levels("slice", 5, _slice),
    words("put", _put),
    words("cut", _cut),
)
