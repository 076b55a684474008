"""Reading a short passage, in the spirit of DROP."""

from __future__ import annotations

import random

from cod_harness.demo.families.kinds import PEOPLE, SYLLABLES, Meaning, levels, person, words


def _passage(rng: random.Random, n: int) -> tuple[list[str], list[int], str]:
    people = rng.sample(PEOPLE, n)
    numbers = rng.sample(range(10, 100), n)
    return people, numbers, ", ".join(f"{p} {n}" for p, n in zip(people, numbers, strict=True))


def _seen(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    _, _, text = _passage(rng, 1)
    return f"{text}. {word}?", PEOPLE[mean(16)] + str(mean(10))


def _added(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    """A number of the passage and one that is to be known."""
    number = rng.randint(1, 3)
    return f"{person(rng)} {number}. and {word}?", str(10 + mean(80) + number)


def _noted(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    """What the passage says, and what the word means beside it."""
    number = rng.randint(1, 9)
    return f"{person(rng)} {number}; {word}?", f"{number}{SYLLABLES[mean(60) * 5]}"


def _met(rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    _, _, text = _passage(rng, 2)
    return f"{text}. met {word}?", SYLLABLES[mean(60) * 6]


def _look_up(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    i = rng.randrange(len(people))
    return f"{text}. {people[i]}?", str(numbers[i])


def _who(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    i = rng.randrange(len(people))
    return f"{text}. {numbers[i]}?", people[i]


def _most(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level + 1)
    word, pick = rng.choice((("most", max), ("least", min)))
    return f"{text}. {word}?", people[numbers.index(pick(numbers))]


# By falling frequency.
KINDS = (
    words("seen", _seen),
    words("noted", _noted),
    words("added", _added),
    levels("look_up", 5, _look_up),
    words("met", _met),
    levels("who", 5, _who),
    levels("most", 5, _most),
)
