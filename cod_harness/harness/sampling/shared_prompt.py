"""A key-value cache whose rows share their prompts: held once, and read once a step.

Expanding a prompt's cache to the repeats copies it to every row, and transformers' own cache
copies all of it again with each token. Here a row holds the keys and values of its own tokens
alone. Attention of a step is one softmax over both parts,

    softmax([q K_prompt', q K_own'] / sqrt(d)) [V_prompt; V_own],

with the first product made for all rows of a prompt at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

_OURS = "cod_shared_layer"  # attribute of keys on their way from the cache to the attention
_ROOM = 64  # tokens of room made at first; twice as much whenever it is full


class Rows:
    """Which prompt each row of a batch goes on from, and back."""

    def __init__(self, prompt_of: Sequence[int], device: Any) -> None:
        members: dict[int, list[int]] = {at: [] for at in range(max(prompt_of) + 1)}
        for row, prompt in enumerate(prompt_of):
            members[prompt].append(row)
        most = max(map(len, members.values()))
        slots = [prompt * most + members[prompt].index(row) for row, prompt in enumerate(prompt_of)]
        filled = [rows + [0] * (most - len(rows)) for rows in members.values()]
        self.prompt_of = torch.tensor(prompt_of, device=device)  # (rows,)
        self._members = torch.tensor(filled, device=device)  # (prompts, most), filled with row 0
        self._slots = torch.tensor(slots, device=device)  # (rows,) in the flattened members

    def by_prompt(self, of_rows: Any) -> Any:
        """(rows, kv heads, group, x) -> (prompts, kv heads, most * group, x)."""
        found = of_rows[self._members].transpose(1, 2)
        return found.reshape(*found.shape[:2], -1, found.shape[-1])

    def by_row(self, of_prompts: Any, group: int) -> Any:
        """The way back from `by_prompt`."""
        prompts, heads, _, last = of_prompts.shape
        split = of_prompts.view(prompts, heads, -1, group, last).transpose(1, 2)
        return split.reshape(-1, heads, group, last)[self._slots]


class SharedLayer(DynamicLayer):  # type: ignore[misc]
    """One layer: keys and values (prompts, kv heads, tokens, d) of the prompts, and rows' own."""

    def __init__(self, prompts: Any, rows: Rows) -> None:
        super().__init__()
        self.dtype, self.device = prompts.keys.dtype, prompts.keys.device
        self.is_initialized = True
        self.prompt_keys, self.prompt_values, self.rows = prompts.keys, prompts.values, rows
        self._length = 0

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Take tokens in; the rows' own keys and values, the layer itself attached to them."""
        before, self._length = self._length, self._length + key_states.shape[-2]
        if before == 0:
            self.keys, self.values = self._room(key_states, 0), self._room(value_states, 0)
        elif self._length > self.keys.shape[-2]:
            self.keys, self.values = self._room(self.keys, before), self._room(self.values, before)
        self.keys[..., before : self._length, :] = key_states
        self.values[..., before : self._length, :] = value_states
        keys = self.keys[..., : self._length, :]
        setattr(keys, _OURS, self)
        return keys, self.values[..., : self._length, :]

    def _room(self, like: Any, used: int) -> Any:
        size = max(_ROOM, 2 * used, self._length)
        room = like.new_empty((*like.shape[:2], size, like.shape[-1]))
        room[..., :used, :] = like[..., :used, :]
        return room

    def get_seq_length(self, *_: Any) -> int:
        """Tokens of a row, the prompt's included."""
        return int(self.prompt_keys.shape[-2]) + self._length

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens (their number is negative)."""
        self._length -= abs(tokens_to_remove)

    def whole(self, own_keys: Any, own_values: Any) -> tuple[Any, Any]:
        """Keys and values of every row with its prompt's, as any other attention wants them."""
        of = self.rows.prompt_of
        return (
            torch.cat([self.prompt_keys[of], own_keys], dim=-2),
            torch.cat([self.prompt_values[of], own_values], dim=-2),
        )


def shared_cache(prompts: Any, prompt_of: Sequence[int]) -> Any:
    """A cache for rows that go on from computed prompts.

    prompts: their DynamicCache, left as it is. prompt_of: the place of each row's prompt in it.
    """
    rows: dict[Any, Rows] = {}  # a device may hold some of the layers
    cache = DynamicCache()
    for layer in prompts.layers:
        where = layer.keys.device
        if where not in rows:
            rows[where] = Rows(prompt_of, where)
        cache.layers.append(SharedLayer(layer, rows[where]))
    return cache


@contextmanager
def attending() -> Iterator[None]:
    """Meanwhile transformers' `sdpa` attention knows the keys of a SharedLayer."""
    plain = ALL_ATTENTION_FUNCTIONS["sdpa"]
    ALL_ATTENTION_FUNCTIONS["sdpa"] = _knowing_ours(plain)
    try:
        yield
    finally:
        ALL_ATTENTION_FUNCTIONS["sdpa"] = plain


def _knowing_ours(plain: Callable[..., Any]) -> Callable[..., Any]:
    def attention(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **more: Any
    ) -> Any:
        layer = getattr(key, _OURS, None)
        if layer is None:
            return plain(module, query, key, value, attention_mask, **more)
        if query.shape[2] > 1 or more.get("dropout") or more.get("position_bias") is not None:
            key, value = layer.whole(key, value)
            return plain(module, query, key, value, attention_mask, **more)
        return _attended(layer, query, key, value, attention_mask, more.get("scaling")), None

    return attention


def _attended(layer: SharedLayer, query: Any, key: Any, value: Any, mask: Any, scale: Any) -> Any:
    """(rows, heads, 1, d) -> (rows, 1, heads, d)."""
    count, heads, _, width = query.shape
    group, prompt = heads // key.shape[1], layer.prompt_keys.shape[-2]
    query = query.reshape(count, -1, group, width)
    rows = layer.rows
    of_prompt = rows.by_prompt(query) @ layer.prompt_keys.transpose(-1, -2)
    scores = torch.cat([rows.by_row(of_prompt, group), query @ key.transpose(-1, -2)], dim=-1)
    scores = scores.float() * (width**-0.5 if scale is None else scale)
    if mask is not None:
        if mask.shape[1] > 1:  # one for each head
            mask = mask.reshape(len(mask), -1, group, mask.shape[-1])
        if mask.dtype == torch.bool:
            scores = scores.masked_fill(~mask, float("-inf"))
        else:
            scores = scores + mask
    weights = scores.softmax(dim=-1).to(value.dtype)
    attended = weights[..., prompt:] @ value
    attended = attended + rows.by_row(
        rows.by_prompt(weights[..., :prompt]) @ layer.prompt_values, group
    )
    return attended.reshape(count, 1, heads, -1)
