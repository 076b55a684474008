"""Sizes of the shipped ladder: one rule for shape, tokens, learning rate and batch.

Everything follows from a model's nominal size: one depth for all, the width that leaves a
feed-forward of about twice the width, training tokens as a power law in parameters, learning rate
and batch as power laws in compute. No number is set by hand for a rung.
"""

from __future__ import annotations

from dataclasses import dataclass

from cod_harness.demo.skills import ALPHABET

VOCABULARY = 1 + len(ALPHABET)  # id 0 ends a text and pads
LAYERS = 2  # for every size: depth that jumps from rung to rung bends a ladder
HEADS = 2  # for every size, as the depth
CONTEXT = 128

RUNGS = (6_300, 10_600, 18_000, 30_700, 52_400, 89_400, 152_500, 260_000)
TARGET = 935_000  # ten times the compute of the largest rung
SEEDS = (1, 2, 3)
TARGET_SEEDS = (1, 2)

_REFERENCE = 4e9  # FLOP, a little under the compute of the smallest rung


@dataclass(frozen=True)
class Shape:
    """A Llama-architecture model: `parameters` counts every weight, the tied embedding once."""

    width: int
    hidden: int

    @property
    def head(self) -> int:
        """Width of one attention head; the heads together are as wide as the model."""
        return self.width // HEADS

    @property
    def parameters(self) -> int:
        attention = 4 * self.width**2
        feed_forward = 3 * self.width * self.hidden
        norms = 2 * self.width
        return LAYERS * (attention + feed_forward + norms) + self.width * (VOCABULARY + 1)

    @property
    def tokens(self) -> int:
        """Training tokens: 5.5 million at the largest rung, rising with size to the 0.8."""
        return round(5.5e6 * float((self.parameters / RUNGS[-1]) ** 0.8))

    @property
    def compute(self) -> float:
        """Training compute, FLOP: 6 N D."""
        return 6.0 * self.parameters * self.tokens

    @property
    def learning_rate(self) -> float:
        """Peak learning rate, falling as compute to the power 0.14."""
        return float(0.015 * (self.compute / _REFERENCE) ** -0.14)

    @property
    def batch(self) -> int:
        """Tokens a step, rising as compute to the power 0.34."""
        return round(120 * float((self.compute / _REFERENCE) ** 0.34))


def shape_of(nominal: int) -> Shape:
    """The shape of about `nominal` parameters: the widest that leaves room for a feed-forward of
    twice its width, which then takes up what rounding left."""
    step = 2 * HEADS  # rotary positions want heads of even width
    width = step
    while Shape(width + step, 2 * (width + step)).parameters <= nominal:
        width += step
    rest = nominal - Shape(width, 0).parameters
    return Shape(width, round(rest / (3 * width * LAYERS)))


def name_of(nominal: int) -> str:
    """The rung's name: 6.3k, 10.6k, ... 260k, 935k."""
    return f"{nominal / 1e6:g}m" if nominal >= 1_000_000 else f"{nominal / 1e3:g}k"
