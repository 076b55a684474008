"""Symbol manipulation, in the spirit of BIG-Bench Hard: codes, orders and shifts with names."""

from __future__ import annotations

import random

from cod_harness.demo.families.kinds import Meaning, letters, levels, on_shelves, words
from cod_harness.demo.lexicon import LETTERS


def _code(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    first, second = divmod(mean(26 * 26), 26)
    return f"{letters(rng, 2)} code {word}>", LETTERS[first] + LETTERS[second]


def _pair(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    letter, digit = divmod(mean(260), 10)
    return f"{letters(rng, 2)} with {word}>", f"{LETTERS[letter]}{digit}"


def _sign(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    sign, letter = divmod(mean(4 * 26), 26)
    return f"{letters(rng, 2)} sign {word}>", "+-*/"[sign] + LETTERS[letter]


def _order(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    places = mean(27)
    picked = "pqr"[places // 9] + "pqr"[places // 3 % 3] + "pqr"[places % 3]
    return f"{letters(rng, 2)} pqr by {word}>", picked


def _shift(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    given, by = rng.choice("abc"), 1 + mean(23)
    return f"{letters(rng, 2)} {given} up {word}>", 2 * LETTERS[LETTERS.index(given) + by]


def _next(rng: random.Random, level: int) -> tuple[str, str]:
    word = letters(rng, 1 + level // 2, LETTERS[: 5 * level])
    return f"{rng.choice(LETTERS)} next {word}>", "".join(chr(ord(c) + 1) for c in word)


# By falling frequency.
KINDS = on_shelves(
    words("code", _code),
    words("pair", _pair),
    words("order", _order),
    levels("next", 5, _next),
    words("sign", _sign),
    words("shift", _shift),
)
