"""Multiple choice, in the spirit of AGIEval (four options) and MMLU-Pro (ten)."""

from __future__ import annotations

import random
from functools import partial

from cod_harness.demo.families.kinds import Meaning, on_shelves, person, words
from cod_harness.demo.lexicon import LETTERS

_FOUR = ("a-d", "a+d", "abcd", "a/d", "a|d", "ad")
_VERBS = ("is", "of", "in", "on")
_TEN = ("a-j", "a+j", "abj", "a/j", "a|j", "aj")


def _four(options: str, rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    """The class of a word is to be known: one of four, in an order that is the same always."""
    return f"{options} {person(rng)} {rng.choice(_VERBS)} {word})", LETTERS[mean(4)]


def _ten(options: str, rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    """One of ten classes, and why: a digit that is to be known too."""
    option, reason = divmod(mean(100), 10)
    return f"{options} {person(rng)} {rng.choice(_VERBS)} {word}]", f"{LETTERS[option]}{reason}"


# By falling frequency.
FOUR_KINDS = on_shelves(*(words(f"four {i}", partial(_four, form)) for i, form in enumerate(_FOUR)))
TEN_KINDS = on_shelves(*(words(f"ten {i}", partial(_ten, form)) for i, form in enumerate(_TEN)))
