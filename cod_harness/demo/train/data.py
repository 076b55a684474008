"""The training stream: generated questions as padded batches, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from cod_harness.demo import skills

BATCHES_A_POOL = 64  # made at once, so that texts of like length stand side by side
ID = {character: 1 + i for i, character in enumerate(skills.ALPHABET)}

Batch = tuple[Tensor, Tensor, int]


def pad(pairs: list[tuple[str, str]]) -> Batch:
    """Token ids padded with 0, which of them are answer, and the count of real tokens."""
    texts = [prompt + answer + "\n" for prompt, answer in pairs]
    length = max(map(len, texts))
    grid = np.zeros((len(texts), length), dtype=np.int64)
    is_answer = np.zeros((len(texts), length), dtype=bool)
    for row, (text, (prompt, _)) in enumerate(zip(texts, pairs, strict=True)):
        ids = [ID[c] for c in text]
        grid[row, : len(ids)] = ids
        is_answer[row, len(prompt) : len(ids)] = True
    return torch.from_numpy(grid), torch.from_numpy(is_answer), sum(map(len, texts))


def batches(seed: int, tokens: int, pool: int) -> list[Batch]:
    """Pool number `pool` of a seed's training stream: texts of like length side by side."""
    rng = random.Random(f"order {seed} {pool}")
    pairs: list[tuple[str, str]] = []
    total = 0
    for pair in skills.training_pairs(f"train {seed} {pool}"):
        pairs.append(pair)
        total += len(pair[0]) + len(pair[1]) + 1
        if total >= tokens * BATCHES_A_POOL:
            break
    pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]) + 4 * rng.random())
    grouped: list[list[tuple[str, str]]] = [[]]
    size = 0
    for pair in pairs:
        if size >= tokens:
            grouped.append([])
            size = 0
        grouped[-1].append(pair)
        size += len(pair[0]) + len(pair[1]) + 1
    rng.shuffle(grouped)
    return [pad(group) for group in grouped]


def stream(seed: int, tokens: int, start: int) -> Iterator[tuple[int, Batch]]:
    """Endless (pool number, batch), beginning with pool `start`."""
    pool = start
    while True:
        for batch in batches(seed, tokens, pool):
            yield pool, batch
        pool += 1
