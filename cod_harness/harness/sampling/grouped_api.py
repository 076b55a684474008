"""One request with `n=K` to an API server, where the harness sends K requests of one seed.

Three things go wrong without it. A server that honours the seed the harness sends with every
request returns K copies. `n` among the generation settings gives choices nobody counts. And K
requests carry the prompt K times. Here `n` is set per request, its choices are counted, each
request has a seed of its own (made of the harness's seed, the prompt and the request's place, so
that a run is reproducible as a whole), and the first answers show what the server can do.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.sampling.repeated import Repeated
from cod_harness.messages import say

# Most choices asked for at once, unless `--cod-n-max` says otherwise; OpenAI's own limit.
N_MAX = 128
_LONGEST_WAIT = 3600.0  # seconds a request of many choices may take, at most
_PLACE = "cod_place"  # in settings on their way to the payload: samples of the question so far
_PROBE = 1_000_000  # places of requests that are no repeats
# A request to which any language model gives varying answers.
_OPEN_TEXT = "Once upon a time, there was"
_OPEN = {
    "do_sample": True,
    "temperature": 1.0,
    "top_p": 1.0,
    "max_gen_toks": 32,
    "until": ["<|end of text|>"],
}


class _Choices(list[str]):
    """The choices of one answer, on their way through the harness in place of one text."""


class GroupedApi:
    """The backend for models of `lm_eval.models.openai_completions`."""

    wave: int | None = None

    def __init__(self, lm: Any, n_max: int) -> None:
        self._lm = lm
        self._plain = lm.generate_until
        self._n_max = n_max
        self._known = False  # whether the server has shown what it does with `n`

    def sample(self, asked: Sequence[Repeated], disable_tqdm: bool) -> list[list[str]]:
        """Raises InputError where the server samples nothing, or answers with too few choices."""
        answers: list[list[str]] = [[] for _ in asked]
        with _calls_of_ours(self._lm) as calls:
            if not self._known and asked[0].count > 1:
                with _unreported(self._lm):
                    answers[0] = self._first(asked[0], calls)
                self._lm.cache_hook.add_partial(
                    "generate_until", asked[0].request.args, _Choices(answers[0])
                )
                self._known = True
            while some := self._next_round(asked, answers):
                for (place, size), questions in some.items():
                    requests = [_with(asked[at].request, size, place) for at in questions]
                    calls.expect(size)
                    given = self._plain(requests, disable_tqdm=disable_tqdm)
                    for at, choices in zip(questions, given, strict=True):
                        answers[at] += choices
        return answers

    def _next_round(
        self, asked: Sequence[Repeated], answers: Sequence[Sequence[str]]
    ) -> dict[tuple[int, int], list[int]]:
        """(samples had so far, n) -> the questions that get such a request now."""
        some: dict[tuple[int, int], list[int]] = {}
        for at, (one, had) in enumerate(zip(asked, answers, strict=True)):
            if missing := one.count - len(had):
                place = one.had + len(had)
                some.setdefault((place, min(missing, self._n_max)), []).append(at)
        return some

    def _first(self, one: Repeated, calls: _Calls) -> list[str]:
        """The first answers to the first question; they show what the server does with `n`."""
        size = min(one.count, self._n_max)
        choices: list[str] = []
        if size > 1:
            choices = self._tried(one, size, calls)
            if len(choices) < size:
                self._n_max = max(1, len(choices))
                how = "one by one" if self._n_max == 1 else f"with n={self._n_max}"
                say(f"the server answers n={size} with {len(choices)} choices; going on {how}")
        while len(choices) < 2:
            choices += self._asked(one.request, 1, one.had + len(choices), calls)
        if len(set(choices)) > 1:
            return choices
        if self._n_max > 1:
            another = self._asked(one.request, 1, one.had + len(choices), calls)
            if another[0] != choices[0]:
                say(f"the server gives copies for n={size}; going on one by one")
                self._n_max = 1
                return [choices[0], *another]
        self._refuse_copies(one.request, calls)
        return choices

    def _refuse_copies(self, request: Any, calls: _Calls) -> None:
        """Equal answers may be sure ones; to an open request they are copies."""
        text: Any = _OPEN_TEXT
        if not isinstance(request.args[0], str):  # a chat, as JSON in a named tuple
            text = type(request.args[0])(json.dumps([{"role": "user", "content": _OPEN_TEXT}]))
        request = copy.copy(request)
        request.arguments = (text, _OPEN)
        size = min(2, self._n_max)
        pair = self._asked(request, size, _PROBE, calls)
        if size == 1:
            pair += self._asked(request, 1, _PROBE + 1, calls)
        if pair[0] == pair[-1]:
            raise InputError(
                f"{self._lm.base_url}: no sampling takes place: two answers to "
                f"{_OPEN_TEXT!r} at temperature 1 are the same ({pair[0][:40]!r}), so would be all "
                "repeats; turn off the server's cache of answers, or its fixed seed or temperature"
            )

    def _tried(self, one: Repeated, size: int, calls: _Calls) -> list[str]:
        """What the server gives for n=size; none where it refuses such a request."""
        try:
            return self._asked(one.request, size, one.had, calls)
        except Exception as error:
            status = getattr(error, "status", None)  # aiohttp's, else that of `requests`
            status = status or getattr(getattr(error, "response", None), "status_code", None)
            if status is None or not 400 <= int(status) < 500:
                raise
            say(f"the server refuses n={size} (HTTP {status}); --cod-n-max may find what it takes")
            return []

    def _asked(self, request: Any, size: int, place: int, calls: _Calls) -> list[str]:
        """The choices of one answer, however many there are up to `size`."""
        calls.expect(size, or_fewer=True)
        [choices] = self._plain([_with(request, size, place)], disable_tqdm=True)
        return list(choices)


def _with(request: Any, size: int, place: int) -> Any:
    """The request for `size` samples, when `place` samples of its question are there."""
    changed = copy.copy(request)
    settings = {**request.args[1], _PLACE: place, **({"n": size} if size > 1 else {})}
    changed.arguments = (request.args[0], settings, *request.args[2:])
    return changed


@contextmanager
def _unreported(lm: Any) -> Iterator[None]:
    """Answers that show what a server does are not all kept."""
    from lm_eval.api.model import CacheHook

    hook = lm.cache_hook
    lm.cache_hook = CacheHook(None)
    try:
        yield
    finally:
        lm.cache_hook = hook


class _Calls:
    """What the calls below `generate_until` are to expect."""

    def __init__(self, lm: Any) -> None:
        self._lm, self.timeout = lm, getattr(lm, "timeout", None)
        self.expect(1)

    def expect(self, size: int, or_fewer: bool = False) -> None:
        """Choices to each request from now on."""
        self.size, self.or_fewer = size, or_fewer
        if self.timeout:  # it was meant for one answer
            self._lm.timeout = max(self.timeout, min(self.timeout * size, _LONGEST_WAIT))


@contextmanager
def _calls_of_ours(lm: Any) -> Iterator[_Calls]:
    """Payloads with a seed each, and answers with all their choices."""
    from lm_eval.models import api_models

    nothing = getattr(api_models, "LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER", "")
    calls = _Calls(lm)
    payload, parse = lm._create_payload, lm.parse_generations

    def _create_payload(messages: Any, *args: Any, **kwargs: Any) -> Any:
        settings = dict(kwargs.get("gen_kwargs") or {})
        place = settings.pop(_PLACE, None)
        if place is not None:
            kwargs["gen_kwargs"] = settings
            kwargs["seed"] = _seed(kwargs.get("seed", 0), messages, place)
        return payload(messages, *args, **kwargs)

    def parse_generations(outputs: Any, **kwargs: Any) -> list[_Choices]:
        answers = []
        for output in outputs if isinstance(outputs, list) else [outputs]:
            texts = [nothing if text is None else text for text in parse(outputs=output)]
            size = min(calls.size, len(texts)) if calls.or_fewer else calls.size
            if not texts or len(texts) % size or (lm._batch_size == 1 and len(texts) > size):
                raise InputError(
                    f"{lm.base_url}: {len(texts)} choices for n={size}; say with --cod-n-max how "
                    "many this server gives, 1 for one by one"
                )
            answers += [_Choices(texts[at : at + size]) for at in range(0, len(texts), size)]
        return answers

    lm._create_payload, lm.parse_generations = _create_payload, parse_generations
    try:
        yield calls
    finally:
        del lm._create_payload, lm.parse_generations
        if calls.timeout:
            lm.timeout = calls.timeout


def _seed(seed: int, messages: Any, place: int) -> int:
    text = json.dumps([seed, messages, place], default=repr)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
