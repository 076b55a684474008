"""Kinds of questions, and what the families make them of."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cod_harness.demo.lexicon import LETTERS, WORDS, Zipf, meaning, name

WORD_EXPONENT = 1.4  # of frequency by the rank of a word
LEVEL_EXPONENT = 2.5  # by the level of an algorithm
SHELVES = "%^"  # of words, by falling frequency; most words stand on none

Maker = Callable[[random.Random, int], tuple[str, str]]
# A word's meaning as a number below the one given.
Meaning = Callable[[int], int]


WordMaker = Callable[[random.Random, str, Meaning], tuple[str, str]]


@dataclass(frozen=True)
class Kind:
    """A sub-skill: `make(rng, unit)` yields (prompt, answer) about a unit, counted from 0.

    about: for a kind about words, what makes a question of a word and its meaning.
    """

    name: str
    units: Zipf
    make: Maker
    about: WordMaker | None = None


SYLLABLES = tuple(c + v + d for c in "bdgklmnprst" for v in "aeiou" for d in "gklmnprst")
PEOPLE = "tom ann bob eve sam ida max zoe leo mia ben amy jon liz ned pam".split()


def words(kind: str, make: WordMaker, shelf: str = "") -> Kind:
    """A kind about the words of its own lexicon: `make(rng, word, mean)`, where `mean(n)` is the
    word's meaning, a number below n. On a shelf, its words are written with that sign before."""
    lexicon = kind + shelf

    def maker(rng: random.Random, rank: int) -> tuple[str, str]:
        return make(rng, shelf + name(lexicon, rank), partial(meaning, lexicon, rank))

    return Kind(lexicon, Zipf(WORDS, WORD_EXPONENT), maker, make)


def on_shelves(*kinds: Kind) -> tuple[Kind, ...]:
    """The kinds, and then those about words once more on every shelf, each with other words."""
    again = (
        words(kind.name, kind.about, shelf) for shelf in SHELVES for kind in kinds if kind.about
    )
    return (*kinds, *again)


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
