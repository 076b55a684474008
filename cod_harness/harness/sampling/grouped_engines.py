"""vLLM and SGLang: equal prompts of a call become one prompt with `n`, tokenised once.

The harness's own `generate_until` runs as it is, on the clones of some questions at a time, so
stop strings, truncation and thinking marks are its own. Two of its calls are replaced meanwhile:
`tok_encode`, so that clones share one list of tokens, and `_model_generate`, which is given each
prompt once. Its answers are handed out to the clones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cod_harness.harness.sampling.repeated import Backend, Cloned

# Responses asked for in one call. Few enough that their prompts, settings and texts stay small
# on the host and a killed run loses minutes; many times what an engine decodes at once.
WAVE = 16_384
_GREEDY = 1e-5  # temperatures below are none to vLLM


@dataclass(frozen=True)
class _OneOutput:
    """What the harness reads of a vLLM RequestOutput: the first of its outputs."""

    outputs: Sequence[Any]


@dataclass
class _Group:
    """Equal prompts of a call: the place of the first, and how many there are."""

    first: int
    size: int = 0


@contextmanager
def grouped_vllm(lm: Any) -> Iterator[Backend]:
    """For a `lm_eval.models.vllm_causallms.VLLM`."""
    plain = lm._model_generate

    def _model_generate(
        requests: Sequence[Any], generate: bool = False, sampling_params: Any = None
    ) -> Any:
        if not generate or sampling_params is None:
            return plain(requests, generate=generate, sampling_params=sampling_params)
        each = _one_each(sampling_params, len(requests))
        groups, places = _grouped(requests, each)
        some = []
        for group in groups:
            params = copy.copy(each[group.first])  # as vLLM's own clone(), which copies deeper
            # Without sampling the engine refuses n > 1, and one answer is all there is to have.
            params.n = group.size if params.temperature > _GREEDY else 1
            some.append(params)
        prompts = [requests[group.first] for group in groups]
        given = plain(prompts, generate=True, sampling_params=some)
        _count([len(output.outputs) for output in given], [params.n for params in some])
        return [_OneOutput([given[at].outputs[which % some[at].n]]) for at, which in places]

    with _replaced(lm, _model_generate) as backend:
        yield backend


@contextmanager
def grouped_sglang(lm: Any) -> Iterator[Backend]:
    """For a `lm_eval.models.sglang_causallms.SGLangLM`, whose engine wants one n in a call."""
    plain = lm._model_generate

    def _model_generate(
        requests: Any = None, generate: bool = False, sampling_params: Any = None, **more: Any
    ) -> Any:
        if not generate or sampling_params is None:
            return plain(requests, generate=generate, sampling_params=sampling_params, **more)
        each = _one_each(sampling_params, len(requests))
        groups, places = _grouped(requests, each)
        given: dict[int, list[Any]] = {}
        for size in sorted({group.size for group in groups}):
            some = [at for at, group in enumerate(groups) if group.size == size]
            firsts = [groups[at].first for at in some]
            flat = plain(
                [requests[first] for first in firsts],
                generate=True,
                sampling_params=[{**each[first], "n": size} for first in firsts],
                **more,
            )
            # The samples of a prompt follow each other.
            _count([len(flat)], [size * len(some)])
            for number, at in enumerate(some):
                given[at] = flat[number * size : (number + 1) * size]
        return [given[at][which] for at, which in places]

    with _replaced(lm, _model_generate) as backend:
        yield backend


def _one_each(params: Any, count: int) -> Sequence[Any]:
    return params if isinstance(params, list) else [params] * count


def _grouped(
    prompts: Sequence[Sequence[int]], params: Sequence[Any]
) -> tuple[list[_Group], list[tuple[int, int]]]:
    """Groups of equal prompts and settings, and for each prompt its (group, place within)."""
    groups: list[_Group] = []
    known: dict[Any, int] = {}
    places: list[tuple[int, int]] = []
    before: tuple[Any, str, Any] | None = None
    for at, (tokens, settings) in enumerate(zip(prompts, params, strict=True)):
        text = repr(settings)
        # Clones follow each other and share their tokens: no need to hash those again.
        if before is None or before[0] is not tokens or before[1] != text:
            before = (tokens, text, (tuple(tokens), text))
        key = before[2]
        if key not in known:
            known[key] = len(groups)
            groups.append(_Group(at))
        group = groups[known[key]]
        places.append((known[key], group.size))
        group.size += 1
    return groups, places


def _count(found: Sequence[int], asked: Sequence[int]) -> None:
    """Raises RuntimeError where the engine gave another number of samples than asked for."""
    for number, size in zip(found, asked, strict=True):
        if number != size:
            raise RuntimeError(
                f"the engine gave {number} samples for n={size}; --cod-n-max 1 asks one by one"
            )


@contextmanager
def _replaced(lm: Any, generate: Callable[..., Any]) -> Iterator[Backend]:
    encode = lm.tok_encode

    def tok_encode(string: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(string, str) or not string:
            return encode(string, *args, **kwargs)
        distinct = list(dict.fromkeys(string))
        tokens = dict(zip(distinct, encode(distinct, *args, **kwargs), strict=True))
        return [tokens[text] for text in string]

    backend = Cloned(lm)
    backend.wave = WAVE
    lm._model_generate, lm.tok_encode = generate, tok_encode
    try:
        yield backend
    finally:
        del lm._model_generate, lm.tok_encode
