"""Words without end: the named things a model has to memorise, rank by rank.

A word's name and meaning follow from its rank and the lexicon's name alone, so that a lexicon of
hundreds of thousands costs nothing to keep and is the same everywhere. Words are drawn with a
frequency that falls as a power of the rank, as words, facts and functions are met in the world:
there is always a rarer one that is not learnt yet.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LENGTHS = ((20, 1), (500, 2), (14_000, 3))  # (ranks below, letters): frequent words are short
WORDS = 400_000
_STRIDE = 104_729  # a prime, no factor of 26: steps through every word of a length


@dataclass(frozen=True)
class Zipf:
    """Ranks 0 to `n` - 1, frequency falling as (rank + 1) to the power -`exponent` (above 1)."""

    n: int
    exponent: float

    def draw(self, rng: random.Random) -> int:
        """A rank, in constant time."""
        power = 1.0 - self.exponent
        left = 1.0 - rng.random() * (1.0 - (self.n + 1) ** power)
        return min(self.n, int(left ** (1.0 / power))) - 1

    def frequency(self, rank: int) -> float:
        """The share of draws that give this rank."""
        power = 1.0 - self.exponent
        share = (rank + 1) ** power - (rank + 2) ** power
        return float(share / (1.0 - (self.n + 1) ** power))

    def rank_of(self, frequency: float) -> int:
        """The rank whose frequency is nearest, in its logarithm."""
        low, high = 0, self.n - 1
        while low < high:
            middle = (low + high) // 2
            if self.frequency(middle) <= frequency:
                high = middle
            else:
                low = middle + 1
        if low and self.frequency(low - 1) * self.frequency(low) < frequency**2:
            low -= 1
        return low


def _spelled(number: int, length: int) -> str:
    word = ""
    for _ in range(length):
        number, letter = divmod(number, 26)
        word += LETTERS[letter]
    return word


@lru_cache(maxsize=1 << 18)
def name(lexicon: str, rank: int) -> str:
    """The word of a rank: no two ranks of a lexicon share one."""
    start = random.Random(f"names of {lexicon}").randrange(26**4)
    length = next((letters for below, letters in _LENGTHS if rank < below), 4)
    return _spelled((start + rank * _STRIDE) % 26**length, length)


@lru_cache(maxsize=1 << 18)
def meaning(lexicon: str, rank: int, possible: int) -> int:
    """What a word means: a number from 0 to `possible` - 1, all as likely."""
    return random.Random(f"meaning {lexicon} {rank}").randrange(possible)
