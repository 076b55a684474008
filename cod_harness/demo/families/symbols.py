"""Symbol manipulation, in the spirit of BIG-Bench Hard: codes, orders and shifts with names."""

from __future__ import annotations

import random

from cod_harness.demo.families.kinds import Meaning, letters, levels, words
from cod_harness.demo.lexicon import LETTERS


def _code(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    first, second = divmod(mean(26 * 26), 26)
    return f"{letters(rng, 2)} code {word}:", LETTERS[first] + LETTERS[second]


def _pair(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    letter = rng.choice(LETTERS)
    return f"{letter} with {word}:", letter + LETTERS[mean(26)]


def _order(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    given, places = rng.choice(("pqr", "rqp", "qpr")), mean(27)
    picked = given[places // 9] + given[places // 3 % 3] + given[places % 3]
    return f"{letters(rng, 2)} {given} by {word}:", picked


def _shift(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    given, by = rng.choice("abc"), 1 + mean(23)
    return f"{letters(rng, 2)} {given} up {word}:", 2 * LETTERS[LETTERS.index(given) + by]


def _last(rng: random.Random, level: int) -> tuple[str, str]:
    word = letters(rng, level + 2)
    return f"last {word}:", word[-1]


def _reverse(rng: random.Random, level: int) -> tuple[str, str]:
    word = letters(rng, 1 + (level + 1) // 2, LETTERS[: 4 * level])
    return f"{rng.choice(LETTERS)} rev {word}:", word[::-1]


def _sort(rng: random.Random, level: int) -> tuple[str, str]:
    word = "".join(rng.sample(LETTERS[: 4 * level], 2 + level // 2))
    return f"{rng.choice(LETTERS)} sort {word}:", "".join(sorted(word))


def _next(rng: random.Random, level: int) -> tuple[str, str]:
    word = letters(rng, 1 + level // 2, LETTERS[: 5 * level])
    return f"{rng.choice(LETTERS)} next {word}:", "".join(chr(ord(c) + 1) for c in word)


# By falling frequency.
KINDS = (
    words("code", _code),
    words("pair", _pair),
    words("order", _order),
    levels("last", 6, _last),
    words("shift", _shift),
    levels("reverse", 6, _reverse),
    levels("next", 5, _next),
    levels("sort", 6, _sort),
)
