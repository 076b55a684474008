"""Algebra, in the spirit of MATH: constants and functions with names."""

from __future__ import annotations

import random

from cod_harness.demo.families.kinds import Meaning, on_shelves, words
from cod_harness.demo.lexicon import LETTERS


def _constant(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    variable = rng.choice(LETTERS)
    sign = rng.choice("+-*")
    return f"{variable}{sign}{variable}={word}=", str(10 + mean(90))


def _plus(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    other, variable = rng.randint(1, 3), rng.choice(LETTERS)
    return f"{variable}={other}+{word}=", str(10 + mean(80) + other)


def _minus(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    other, variable = 10 * rng.randint(5, 7), rng.choice(LETTERS)
    return f"{variable}={other}-{word}=", str(other - 1 - mean(45))


def _times(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    other, variable = rng.randint(2, 4), rng.choice(LETTERS)
    return f"{variable}={other}*{word}=", str(other * (2 + mean(30)))


def _function(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    slope, offset = divmod(mean(120), 40)
    x, letter = rng.randint(0, 2), rng.choice(LETTERS)
    return f"{letter}({x}) {word}=", str((slope + 1) * x + offset)


def _root(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    variable = rng.choice(LETTERS)
    return f"{variable}^{rng.randint(2, 5)}!{word}=", "-" + str(mean(60))


# By falling frequency.
KINDS = on_shelves(
    words("constant", _constant),
    words("plus", _plus),
    words("function", _function),
    words("root", _root),
    words("minus", _minus),
    words("times", _times),
)
