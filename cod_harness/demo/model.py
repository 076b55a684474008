"""`--model cod-tiny`: the harness model that runs the shipped checkpoints without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lm_eval.models  # noqa: F401 - the registry fills itself only while it is empty
import numpy as np
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from tqdm import tqdm

from cod_harness.demo.numpy_llama import NumpyLlama, Sampling
from cod_harness.errors import InputError

_QUESTIONS_AT_ONCE = 256  # between two movements of the progress bar


@register_model("cod-tiny")
class TinyModel(LM):
    """Character-level Llama checkpoints in NumPy.

    model_args: pretrained=FOLDER, seed=N (default 0; repeats differ from each other under any
    seed), max_gen_toks=N (default 32, where the task sets none). A question's samples depend on
    the seed and its prompt alone, not on batching or on the other questions.
    """

    def __init__(self, pretrained: str, seed: int = 0, max_gen_toks: int = 32, **_: object) -> None:
        super().__init__()
        if not Path(pretrained).is_dir():
            raise InputError(f"cod-tiny: pretrained={pretrained}: no such folder")
        self.network = NumpyLlama(Path(pretrained))
        self.seed = int(seed)
        self.drawn: dict[str, int] = {}  # prompt -> samples it had before; the next ones follow
        self.max_gen_toks = int(max_gen_toks)

    @property
    def tokenizer_name(self) -> str:
        return "characters"

    def _uniforms(self, prompt: str, repeats: int, steps: int) -> np.ndarray[Any, Any]:
        digest = hashlib.sha256(f"{self.seed}\0{prompt}".encode()).digest()
        source = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
        drawn = self.drawn.get(prompt, 0)
        return source.random((drawn + repeats, steps))[drawn:]

    def _sampling(self, settings: dict[str, Any]) -> Sampling:
        until = settings.get("until") or ()
        until = (until,) if isinstance(until, str) else tuple(until)
        sampled = bool(settings.get("do_sample", float(settings.get("temperature", 0) or 0) > 0))
        steps = int(settings.get("max_gen_toks", settings.get("max_new_tokens", self.max_gen_toks)))
        return Sampling(
            temperature=float(settings.get("temperature", 1.0)) if sampled else 0.0,
            top_p=float(settings.get("top_p", 1.0)),
            new_tokens=max(1, min(steps, self.network.context - 1)),
            until=tuple(text for text in until if text),
        )

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """One text a request; requests that repeat a question are sampled together."""
        groups: dict[tuple[str, str], list[int]] = {}
        settings: dict[str, Sampling] = {}
        for index, request in enumerate(requests):
            context, given = request.args
            how = self._sampling(given)
            settings[repr(how)] = how
            groups.setdefault((repr(how), context), []).append(index)
        results = [""] * len(requests)
        bar = tqdm(
            total=len(requests), disable=disable_tqdm, desc="Running generate_until requests"
        )
        for name, how in settings.items():
            mine = [(context, at) for (which, context), at in groups.items() if which == name]
            mine.sort(key=lambda item: len(item[0]))  # equal lengths share a batch
            for start in range(0, len(mine), _QUESTIONS_AT_ONCE):
                batch = mine[start : start + _QUESTIONS_AT_ONCE]
                texts = self.network.sample(
                    [self.network.encode(context) for context, _ in batch],
                    [self._uniforms(context, len(at), how.new_tokens) for context, at in batch],
                    how,
                )
                for (_, at), repeats in zip(batch, texts, strict=True):
                    for index, text in zip(at, repeats, strict=True):
                        results[index] = text
                        self.cache_hook.add_partial("generate_until", requests[index].args, text)
                bar.update(sum(len(at) for _, at in batch))
        bar.close()
        return results

    def _scored(self, pairs: Sequence[tuple[list[int], int]]) -> list[tuple[float, bool]]:
        """For (ids, n): log-probability of the last n ids after the others, and whether greedy.

        Texts that differ in their last id alone are run once.
        """
        context = self.network.context
        fed = [tuple(ids[:-1][-context:]) for ids, _ in pairs]
        unique = {ids: place for place, ids in enumerate(dict.fromkeys(fed))}
        following = self.network.log_probabilities(list(unique))
        scores = []
        for (ids, n), key in zip(pairs, fed, strict=True):
            n = min(n, len(key))
            rows = following[unique[key]][len(key) - n :]
            wanted = np.array(ids[-n:])
            scores.append(
                (
                    float(rows[np.arange(n), wanted].sum(dtype=np.float64)),
                    bool((rows.argmax(axis=-1) == wanted).all()),
                )
            )
        return scores

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Log-probability of each continuation after its context, and whether greedy writes it."""
        results: list[tuple[float, bool]] = []
        bar = tqdm(total=len(requests), disable=disable_tqdm, desc="Running loglikelihood requests")
        for start in range(0, len(requests), 4 * _QUESTIONS_AT_ONCE):
            batch = requests[start : start + 4 * _QUESTIONS_AT_ONCE]
            pairs = []
            for request in batch:
                context, continuation = request.args
                ending = self.network.encode(continuation)
                prompt = self.network.encode(context) or [self.network.end]
                pairs.append((prompt + ending, len(ending)))
            scores = self._scored(pairs)
            for request, score in zip(batch, scores, strict=True):
                self.cache_hook.add_partial("loglikelihood", request.args, score)
            results += scores
            bar.update(len(batch))
        bar.close()
        return results

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-probability of each whole text, in windows of the context's length."""
        window = self.network.context
        results = []
        for request in tqdm(requests, disable=disable_tqdm, desc="Running rolling requests"):
            ids = self.network.encode(request.args[0])
            parts = [ids[i : i + window] for i in range(0, len(ids), window)]
            pairs = [
                ([ids[i * window - 1] if i else self.network.end, *part], len(part))
                for i, part in enumerate(parts)
            ]
            results.append(sum(score for score, _ in self._scored(pairs)))
        return results
