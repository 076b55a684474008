"""Hugging Face models: a prompt is computed once, its key-value cache copied for the repeats.

The harness's own `generate_until` runs as it is: batches, their sizes, stop strings and decoding
are its own. In its `_model_generate` the rows of a batch that are the same prompt get one
forward pass over all of the prompt but its last token; the cache is then expanded to the rows,
and transformers' `generate` goes on from it. Batches of the same prompt share that pass.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from cod_harness.harness.sampling.repeated import Backend, Cloned
from cod_harness.messages import detail

# Ways to generate that bring a cache of their own, or rows of their own.
_OTHER_WAYS = {
    "num_beams",
    "num_return_sequences",
    "assistant_model",
    "prompt_lookup_num_tokens",
    "past_key_values",
    "cache",
    "cache_implementation",
    "use_cache",
    "guidance_scale",
    "penalty_alpha",
}
_PROMPTS_REMEMBERED = 64  # whose tokens are not made again for each clone


@contextmanager
def expanded(lm: Any) -> Iterator[Backend]:
    """For a `lm_eval.models.huggingface.HFLM`; seq2seq models are left as they are."""
    backend = Cloned(lm)
    backend.wave = None
    prompts = _Prompts(lm)
    if lm.backend != "causal" or not prompts.known_kind:
        yield backend
        return
    encode = lm.tok_encode
    remembered = lru_cache(_PROMPTS_REMEMBERED)(encode)

    def tok_encode(string: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(string, str) and not args and not kwargs:
            return remembered(string)
        return encode(string, *args, **kwargs)

    lm.tok_encode, lm._model_generate = tok_encode, prompts.generate
    try:
        yield backend
    finally:
        del lm.tok_encode, lm._model_generate


class _Prompts:
    """Computed prompts of the batch at hand, and generation that starts from them."""

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._plain = lm._model_generate
        self._forward = set(inspect.signature(lm.model.forward).parameters)
        # transformers calls it `cache` from 5.24 on.
        self._cache_name = "cache" if "cache" in self._forward else "past_key_values"
        self.known_kind = {"attention_mask", self._cache_name, "use_cache"} <= self._forward
        self._rows: dict[bytes, int] = {}  # a computed row (tokens and mask) -> its place
        self._cache: Any = None

    def generate(self, context: Any, max_length: int, stop: list[str], **settings: Any) -> Any:
        """In place of `HFLM._model_generate`: context (rows, tokens) -> (rows, more tokens)."""
        mask = settings.get("attention_mask")
        cache = None
        if self.known_kind and mask is not None and not _OTHER_WAYS & set(settings):
            cache = self._expanded(context, mask)
        if cache is not None:
            settings[self._cache_name] = cache
        return self._plain(context, max_length=max_length, stop=stop, **settings)

    def _expanded(self, context: Any, mask: Any) -> Any:
        """A cache of all tokens but the last, a row for each of the batch; None for no gain."""
        import torch

        pairs = torch.stack([context, mask.to(context.dtype)], dim=1).cpu().numpy()
        keys = [pair.tobytes() for pair in pairs]
        firsts: dict[bytes, int] = {}
        for at, key in enumerate(keys):
            firsts.setdefault(key, at)
        if not firsts.keys() <= self._rows.keys():
            self._rows, self._cache = {}, None  # one batch's prompts at a time are held
            # The computed prompts are held beside the expanded ones: at most half as much again.
            if len(keys) > 1 and 2 * len(firsts) > len(keys):
                return None
            chosen = list(firsts.values())
            short = mask[chosen, :-1]
            if context.shape[1] < 2 or not bool(short.any(dim=1).all()):
                return None
            self._cache = self._computed(context[chosen, :-1], short)
            if self._cache is None:
                return None
            self._rows = {key: place for place, key in enumerate(firsts)}
        where = torch.tensor([self._rows[key] for key in keys], device=context.device)
        cache = copy.deepcopy(self._cache)
        cache.batch_select_indices(where)
        return cache

    def _computed(self, tokens: Any, mask: Any) -> Any:
        import torch

        more: dict[str, Any] = {}
        if "position_ids" in self._forward:
            # As `generate` numbers them: padding on the left does not count.
            more["position_ids"] = (mask.long().cumsum(-1) - 1).masked_fill(mask == 0, 1)
        if "logits_to_keep" in self._forward:
            more["logits_to_keep"] = 1
        lm = self._lm
        with (
            torch.no_grad(),
            torch.autocast(
                device_type=lm.device.type,
                dtype=lm.mixed_precision_dtype,
                enabled=lm.mixed_precision_dtype is not None,
            ),
        ):
            done = lm.model(input_ids=tokens, attention_mask=mask, use_cache=True, **more)
        cache = getattr(done, self._cache_name, None)
        if not _grows_plainly(cache):
            self.known_kind = False
            detail(f"prompts are computed for each repeat: {type(cache).__name__} does not expand")
            return None
        return cache


def _grows_plainly(cache: Any) -> bool:
    """Whether every layer keeps the keys and values of all tokens, and nothing else.

    A sliding window or a recurrent state goes on differently from where it was cut.
    """
    layers = getattr(cache, "layers", None)
    if type(cache).__name__ != "DynamicCache" or not hasattr(cache, "batch_select_indices"):
        return False
    return not layers or all(type(layer).__name__ == "DynamicLayer" for layer in layers)
