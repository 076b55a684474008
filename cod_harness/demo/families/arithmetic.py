"""Arithmetic in words, in the spirit of GSM8K: goods whose prices are to be known."""

from __future__ import annotations

import random

from cod_harness.demo.families.kinds import Meaning, levels, number, on_shelves, person, words


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
    return f"{person(rng)}, {rng.randint(2, 9)} of {word}:", str(100 + mean(80))


def _change(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    verb, number = rng.choice(("gives", "pays")), rng.randint(1, 9)
    return f"{person(rng)} {verb} {number}-{word}:", str(mean(50))


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


# By falling frequency.
KINDS = on_shelves(
    words("price", _price),
    words("more", _price_more),
    words("each", _price_each),
    levels("story", 6, _story),
    words("change", _change),
    words("less", _price_less),
)
