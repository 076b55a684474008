"""Arithmetic in words, in the spirit of GSM8K: goods whose prices are to be known."""

from __future__ import annotations

import random

from cod_harness.demo.families.kinds import Meaning, levels, number, person, words

_THINGS = "figs pens cups eggs hats nuts keys jars maps bells coins rings".split()


def _price(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    verb = rng.choice(("buys", "gets", "sees", "has"))
    return f"{person(rng)} {verb} {word}:", str(10 + mean(90))


def _price_more(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    more = rng.randint(1, 3)
    return f"{person(rng)} +{more}, {word}:", str(10 + mean(80) + more)


def _price_less(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    less = rng.randint(1, 3)
    return f"{person(rng)} -{less}, {word}:", str(20 + mean(80) - less)


def _price_each(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    bags = rng.randint(2, 3)
    return f"{person(rng)}, {bags} of {word}:", str(bags * (5 + mean(28)))


def _price_both(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    more = 10 * rng.randint(1, 3)
    return f"{person(rng)} {more} and {word}:", str(1 + mean(60) + more)


def _story(rng: random.Random, level: int) -> tuple[str, str]:
    total = number(rng, level)
    text = f"{person(rng)} has {total}"
    for _ in range((1 + level) // 2):
        change = number(rng, level)
        if change <= total and rng.random() < 0.5:
            total -= change
            text += f", eats {change}"
        else:
            total += change
            text += f", gets {change}"
    return text + ":", str(total)


def _bags(rng: random.Random, level: int) -> tuple[str, str]:
    bags, each = rng.randint(2, 3 + level), number(rng, level)
    return f"{bags} bags of {each} {rng.choice(_THINGS)}:", str(bags * each)


# By falling frequency.
KINDS = (
    words("price", _price),
    words("more", _price_more),
    words("less", _price_less),
    words("each", _price_each),
    levels("story", 6, _story),
    words("both", _price_both),
    levels("bags", 5, _bags),
)
