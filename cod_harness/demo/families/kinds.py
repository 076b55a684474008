"""Kinds of questions, and what the families make them of."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cod_harness.demo.lexicon import LETTERS, WORDS, Zipf, meaning, name

WORD_EXPONENT = 1.3  # of frequency by the rank of a word
LEVEL_EXPONENT = 2.5  # by the level of an algorithm

Maker = Callable[[random.Random, int], tuple[str, str]]
# A word's meaning as a number below the one given.
Meaning = Callable[[int], int]


@dataclass(frozen=True)
class Kind:
    """A sub-skill: `make(rng, unit)` yields (prompt, answer) about a unit, counted from 0."""

    name: str
    units: Zipf
    make: Maker


SYLLABLES = tuple(c + v + d for c in "bdgklmnprst" for v in "aeiou" for d in "gklmnprst")
PEOPLE = "tom ann bob eve sam ida max zoe leo mia ben amy jon liz ned pam".split()


def words(kind: str, make: Callable[[random.Random, str, Meaning], tuple[str, str]]) -> Kind:
    """A kind about the words of its own lexicon: `make(rng, word, mean)`, where `mean(n)` is the
    word's meaning, a number below n."""

    def maker(rng: random.Random, rank: int) -> tuple[str, str]:
        return make(rng, name(kind, rank), partial(meaning, kind, rank))

    return Kind(kind, Zipf(WORDS, WORD_EXPONENT), maker)


def levels(kind: str, n: int, make: Maker) -> Kind:
    """A kind whose units are `n` difficulties: `make(rng, level)`, counted from 1."""
    return Kind(kind, Zipf(n, LEVEL_EXPONENT), lambda rng, unit: make(rng, unit + 1))


def person(rng: random.Random) -> str:
    """Somebody's name."""
    return rng.choice(PEOPLE)


_SIZES = (5, 9, 14, 20, 40, 99)


def number(rng: random.Random, level: int) -> int:
    """A number from 1 to 99, smaller at lower levels."""
    return rng.randint(1, _SIZES[min(level, len(_SIZES)) - 1])


def letters(rng: random.Random, n: int, among: str = LETTERS) -> str:
    """`n` letters, repeats allowed."""
    return "".join(rng.choices(among, k=n))
