"""What the shipped models learn and are examined on: eight families of generated questions.

Each family is in the spirit of one benchmark of the COD paper. A family is a list of kinds
(sub-skills) and a kind a list of units: the words of a lexicon, or the levels of an algorithm. In
training, frequency falls with the rank of a kind in its family and with the rank of a unit in its
kind, over more than five orders of magnitude in all: whatever a model has learnt, there is a word
a little rarer that it has not, and a kind. A benchmark draws its questions evenly over the
logarithm of that frequency. So single questions emerge sharply and at very different compute,
while a benchmark rises steadily and the loss falls as a power law, as with large models.

A question is a prompt and an answer, both in `ALPHABET`; a model reads the prompt and writes the
answer and a line end. `benchmark` questions never occur in `training_pairs`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from cod_harness.demo.families import (
    algebra,
    arithmetic,
    choices,
    facts,
    programs,
    reading,
    symbols,
)
from cod_harness.demo.families.kinds import Kind
from cod_harness.demo.lexicon import Zipf

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789.,?:;=+-*/%^()[]{}<>&|!'"
QUESTIONS_PER_BENCHMARK = 400
ASKED_DECADES = 4.4  # of frequency, from a family's most frequent unit downwards
QUESTIONS_PER_UNIT = 12  # at most: the other prompts about it are left to training
KIND_EXPONENT = 2.0  # by the rank of a kind

# The kinds of each by falling frequency.
FAMILIES: dict[str, tuple[Kind, ...]] = {
    "arithmetic": arithmetic.KINDS,
    "algebra": algebra.KINDS,
    "symbols": symbols.KINDS,
    "facts": facts.KINDS,
    "programs": programs.KINDS,
    "exam": choices.FOUR_KINDS,
    "reading": reading.KINDS,
    "tenway": choices.TEN_KINDS,
}


@dataclass(frozen=True)
class Question:
    """One benchmark question: `answer` is the string a model should write after `prompt`."""

    family: str
    kind: str
    unit: int
    prompt: str
    answer: str


@cache
def _kinds(family: str) -> Zipf:
    return Zipf(len(FAMILIES[family]), KIND_EXPONENT)


def frequency(family: str, kind: int, unit: int) -> float:
    """The share of a family's training questions that are about one unit of its kind number
    `kind`, both counted from 0."""
    return _kinds(family).frequency(kind) * FAMILIES[family][kind].units.frequency(unit)


@cache
def benchmark(family: str) -> tuple[Question, ...]:
    """The `QUESTIONS_PER_BENCHMARK` questions of a family, all distinct: evenly over the logarithm
    of the frequency of their unit in training, over `ASKED_DECADES`."""
    rng = random.Random(f"benchmark {family}")
    kinds = FAMILIES[family]
    most = max(frequency(family, kind, 0) for kind in range(len(kinds)))
    chosen: dict[str, Question] = {}
    asked: Counter[tuple[int, int]] = Counter()
    turn = 0
    while len(chosen) < QUESTIONS_PER_BENCHMARK:
        # Evenly spread, however many are taken: multiples of the golden section.
        wanted = 2 * most * 10 ** (-ASKED_DECADES * (turn * 0.6180339887498949 % 1.0))
        turn += 1
        able = [
            kind
            for kind, what in enumerate(kinds)
            if frequency(family, kind, what.units.n - 1) <= wanted <= frequency(family, kind, 0) * 2
        ]
        kind = rng.choice(able)
        unit = kinds[kind].units.rank_of(wanted / _kinds(family).frequency(kind))
        prompt, answer = kinds[kind].make(rng, unit)
        if prompt not in chosen and asked[kind, unit] < QUESTIONS_PER_UNIT:
            asked[kind, unit] += 1
            chosen[prompt] = Question(family, kinds[kind].name, unit, prompt, answer)
    return tuple(chosen.values())


@cache
def _held_out() -> frozenset[str]:
    return frozenset(q.prompt for family in FAMILIES for q in benchmark(family))


def training_pairs(seed: str) -> Iterator[tuple[str, str]]:
    """Endless (prompt, answer) pairs for training, the same for the same seed.

    No prompt of a benchmark is among them.
    """
    rng = random.Random(seed)
    held_out = _held_out()
    families = list(FAMILIES)
    while True:
        family = rng.choice(families)
        kind = FAMILIES[family][_kinds(family).draw(rng)]
        pair = kind.make(rng, kind.units.draw(rng))
        if pair[0] not in held_out:
            yield pair
