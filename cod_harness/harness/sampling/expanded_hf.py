"""Hugging Face models: a prompt is computed once, its key-value cache shared by the repeats.

The harness's own `generate_until` runs as it is: batches, their sizes, stop strings and decoding
are its own. In its `_model_generate` the rows of a batch that are the same prompt get one
forward pass over all of the prompt but its last token, and transformers' `generate` goes on from
its cache. Batches of the same prompt share that pass. With `sdpa` attention, transformers' default,
the rows share the cache too (`shared_prompt`); with another it is expanded to them.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
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
# Of the logits' spread: what two ways to the same step may differ in half precision. Without the
# prompt they differ by about all of it.
_CLOSE = 0.05
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
        self._shares: bool | None = None  # whether rows can share a prompt's cache; not known yet

    def generate(self, context: Any, max_length: int, stop: list[str], **settings: Any) -> Any:
        """In place of `HFLM._model_generate`: context (rows, tokens) -> (rows, more tokens)."""
        from cod_harness.harness.sampling import shared_prompt

        mask = settings.get("attention_mask")
        prompt_of = None
        if self.known_kind and mask is not None and not _OTHER_WAYS & set(settings):
            prompt_of = self._prompts_of(context, mask)
        if prompt_of is None:
            return self._plain(context, max_length=max_length, stop=stop, **settings)
        if self._shares is None:
            self._shares = self._sharing_works(context, mask, prompt_of)
            if not self._shares:
                detail("the caches of prompts are copied to the repeats: attention is not sdpa")
        if not self._shares:
            settings[self._cache_name] = self._expanded(prompt_of)
            return self._plain(context, max_length=max_length, stop=stop, **settings)
        settings[self._cache_name] = shared_prompt.shared_cache(self._cache, prompt_of)
        with shared_prompt.attending():
            return self._plain(context, max_length=max_length, stop=stop, **settings)

    def _prompts_of(self, context: Any, mask: Any) -> list[int] | None:
        """The computed prompt (all but its last token) of each row; None where nothing is won."""
        import torch

        pairs = torch.stack([context, mask.to(context.dtype)], dim=1).cpu().numpy()
        keys = [pair.tobytes() for pair in pairs]
        firsts: dict[bytes, int] = {}
        for at, key in enumerate(keys):
            firsts.setdefault(key, at)
        if not firsts.keys() <= self._rows.keys():
            self._rows, self._cache = {}, None  # one batch's prompts at a time are held
            # The computed prompts are held beside the rows' caches: at most half as much again.
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
        return [self._rows[key] for key in keys]

    def _expanded(self, prompt_of: Sequence[int]) -> Any:
        """A copy of the computed cache, a row for each of the batch."""
        import torch

        cache = copy.copy(self._cache)
        cache.layers = [copy.copy(layer) for layer in cache.layers]
        for layer in cache.layers:
            layer.batch_select_indices(torch.tensor(prompt_of, device=layer.keys.device))
        return cache

    def _sharing_works(self, context: Any, mask: Any, prompt_of: Sequence[int]) -> bool:
        """Whether a step on the shared cache gives what one on the expanded cache gives.

        A model may compute attention in code of its own, which would not see the prompt.
        """
        from cod_harness.harness.sampling import shared_prompt

        if getattr(self._lm.model.config, "_attn_implementation", None) != "sdpa":
            return False
        # A row of each prompt, the first one twice.
        rows = [0, *(prompt_of.index(prompt) for prompt in sorted(set(prompt_of)))]
        tokens, mask, some = context[rows, -1:], mask[rows], [prompt_of[row] for row in rows]
        wanted = self._pass(tokens, mask, self._expanded(some)).logits.float()
        try:
            with shared_prompt.attending():
                cache = shared_prompt.shared_cache(self._cache, some)
                found = self._pass(tokens, mask, cache).logits.float()
        except (RuntimeError, IndexError, TypeError, AttributeError) as error:
            detail(f"keys of a shared prompt are not understood: {error}")
            return False
        return bool((found - wanted).abs().mean() <= _CLOSE * wanted.std())

    def _computed(self, tokens: Any, mask: Any) -> Any:
        cache = getattr(self._pass(tokens, mask, None), self._cache_name, None)
        if not _grows_plainly(cache):
            self.known_kind = False
            detail(f"prompts are computed for each repeat: {type(cache).__name__} does not expand")
            return None
        return cache

    def _pass(self, tokens: Any, mask: Any, cache: Any) -> Any:
        """What the model gives for tokens that follow those in the cache, if any."""
        import torch

        more: dict[str, Any] = {} if cache is None else {self._cache_name: cache}
        if "position_ids" in self._forward:
            # As `generate` numbers them: padding on the left does not count.
            places = (mask.long().cumsum(-1) - 1).masked_fill(mask == 0, 1)
            more["position_ids"] = places[:, -tokens.shape[1] :]
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
            return lm.model(input_ids=tokens, attention_mask=mask, use_cache=True, **more)


def _grows_plainly(cache: Any) -> bool:
    """Whether every layer keeps the keys and values of all tokens, and nothing else.

    A sliding window or a recurrent state goes on differently from where it was cut.
    """
    layers = getattr(cache, "layers", None)
    if type(cache).__name__ != "DynamicCache" or not hasattr(cache, "batch_select_indices"):
        return False
    return not layers or all(type(layer).__name__ == "DynamicLayer" for layer in layers)
