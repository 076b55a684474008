"""Multiple choice, in the spirit of AGIEval (four options) and MMLU-Pro (ten)."""

from __future__ import annotations

import random
from functools import partial

from cod_harness.demo.families.kinds import Meaning, levels, person, words
from cod_harness.demo.lexicon import LETTERS

_FOUR = ("a+ b- c* d/", "a1 b2 c3 d4", "a! b? c& d|", "a-d")
_TEN = ("a-j", "a..j", "a to j", "abcdefghij")


def _classed(options: str, n: int, rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    """The options stand in one order always: the class of a word is to be known."""
    verb = rng.choice(("is", "of", "in", "on"))
    return f"{options} {person(rng)} {verb} {word}:", LETTERS[mean(n)]


def _listed(n: int, rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    """The options stand in either order: what a word means is to be known, and found."""
    options = list("klmnopqrst"[:n])
    if rng.random() < 0.5:
        options.reverse()
    shown = " ".join(f"{LETTERS[i]}{option}" for i, option in enumerate(options))
    return f"{shown}. {word}:", LETTERS[options.index("klmnopqrst"[mean(n)])]


def _same(n: int, rng: random.Random, level: int) -> tuple[str, str]:
    """The option that repeats what the question names."""
    options = rng.sample(range(10**level), n)
    place = rng.randrange(n)
    shown = " ".join(f"{LETTERS[i]}{option}" for i, option in enumerate(options))
    return f"find {options[place]} {shown}:", LETTERS[place]


# By falling frequency.
FOUR_KINDS = (
    *(words(f"four {i}", partial(_classed, options, 4)) for i, options in enumerate(_FOUR)),
    words("listed four", partial(_listed, 4)),
    levels("same four", 2, partial(_same, 4)),
)
TEN_KINDS = (
    *(words(f"ten {i}", partial(_classed, options, 10)) for i, options in enumerate(_TEN)),
    words("listed ten", partial(_listed, 10)),
    levels("same ten", 2, partial(_same, 10)),
)
