"""Sizes of the shipped ladder: one rule for shape, tokens, learning rate and batch.

Everything follows from a model's nominal size: depth and width by one aspect ratio, training
tokens in proportion to parameters, learning rate and batch as power laws in compute. No number
is set by hand for a rung.
"""

from __future__ import annotations

from dataclasses import dataclass

from cod_harness.demo.skills import ALPHABET

VOCABULARY = 1 + len(ALPHABET)  # id 0 ends a text and pads
HEAD = 16  # width of an attention head
ASPECT = 12  # width over depth
TOKENS_PER_PARAMETER = 16
CONTEXT = 128

RUNGS = tuple(4_000 * 2**i for i in range(8))
TARGET = 1_660_000  # 10.5 times the compute of the largest rung
SEEDS = (1, 2, 3)

_REFERENCE = 6 * TOKENS_PER_PARAMETER * RUNGS[0] ** 2  # compute of the smallest rung, FLOP


@dataclass(frozen=True)
class Shape:
    """A Llama-architecture model: `parameters` counts every weight, the tied embedding once."""

    layers: int
    width: int
    heads: int
    hidden: int

    @property
    def parameters(self) -> int:
        attention = 4 * self.width * self.heads * HEAD
        feed_forward = 3 * self.width * self.hidden
        norms = 2 * self.width
        return self.layers * (attention + feed_forward + norms) + self.width * (VOCABULARY + 1)

    @property
    def tokens(self) -> int:
        return TOKENS_PER_PARAMETER * self.parameters

    @property
    def compute(self) -> float:
        """Training compute, FLOP: 6 N D."""
        return 6.0 * self.parameters * self.tokens

    @property
    def learning_rate(self) -> float:
        """Peak learning rate, falling as compute to the power 1/8."""
        return float(0.006 * (self.compute / _REFERENCE) ** -0.125)

    @property
    def batch(self) -> int:
        """Tokens a step, rising as compute to the power 0.3."""
        return round(120 * float((self.compute / _REFERENCE) ** 0.3))


def shape_of(nominal: int) -> Shape:
    """The shape of about `nominal` parameters: width and depth by `ASPECT`, then the feed-forward
    width (near 8/3 of the width) takes up what rounding left."""
    width = 4
    while (width + 1) ** 3 * 12 / ASPECT + VOCABULARY * (width + 1) < nominal:
        width += 2
    layers, heads = max(2, round(width / ASPECT)), max(1, round(width / HEAD))
    rest = Shape(layers, width, heads, hidden=0).parameters
    return Shape(
        layers, width, heads, hidden=max(1, round((nominal - rest) / (3 * width * layers)))
    )


def name_of(nominal: int) -> str:
    """The rung's name: 4.5k, 9k, ... 576k, 1.86m."""
    return f"{nominal / 1e6:g}m" if nominal >= 1_000_000 else f"{nominal / 1e3:g}k"
