"""Reading a short passage, in the spirit of DROP."""

from __future__ import annotations

import random

from cod_harness.demo.families.kinds import (
    PEOPLE,
    SYLLABLES,
    Meaning,
    levels,
    on_shelves,
    person,
    words,
)


def _passage(rng: random.Random, n: int) -> tuple[list[str], list[int], str]:
    people = rng.sample(PEOPLE, n)
    numbers = rng.sample(range(10, 100), n)
    return people, numbers, ", ".join(f"{p} {n}" for p, n in zip(people, numbers, strict=True))


def _seen(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    _, _, text = _passage(rng, 1)
    return f"{text}. {word}!", PEOPLE[mean(16)] + str(mean(10))


def _added(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    """A number of the passage and one that is to be known."""
    number = rng.randint(1, 3)
    return f"{person(rng)} {number}. and {word}!", str(10 + mean(80) + number)


def _noted(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    digit, syllable = divmod(mean(7 * 60), 60)
    return f"{person(rng)} {rng.randint(1, 9)}; {word}!", f"{digit}{SYLLABLES[syllable * 5]}"


def _met(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    _, _, text = _passage(rng, 2)
    return f"{text}. met {word}!", SYLLABLES[mean(60) * 6]


def _told(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    _, _, text = _passage(rng, 1)
    return f"{text}: told {word}!", PEOPLE[mean(16)]


def _look_up(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    i = rng.randrange(len(people))
    return f"{text}. {people[i]}!", str(numbers[i])


# By falling frequency.
KINDS = on_shelves(
    words("seen", _seen),
    words("noted", _noted),
    words("met", _met),
    words("told", _told),
    words("added", _added),
    levels("look_up", 5, _look_up),
)
