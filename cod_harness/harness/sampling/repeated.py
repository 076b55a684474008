"""The layer over a model's `generate_until` that knows which requests are repeats of one.

The harness clones a request K times and asks for one text each. Here the clones become one
request with a count again; what a killed run recorded is taken from its journal, and the rest
goes to the backend, in the way that is cheapest for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from tqdm import tqdm

from cod_harness.harness.sampling.journal import Journal, Key, key_of
from cod_harness.messages import say

# What the progress bar of all questions is called in a run's log. A model's own bars, of one call
# each, would count anew with every call.
BAR = "Questions answered"
# Questions asked first of a model nobody knows, to see whether it reports texts as they come.
_FIRST_QUESTIONS = 32
_WAVES = 20  # parts of a run of a model that does not


@dataclass(frozen=True)
class Repeated:
    """A request of the harness (its Instance), and how many responses it wants.

    had: responses that are there already. A backend whose samples follow from a seed must not
    begin with those again.
    """

    request: Any
    count: int
    had: int = 0


class Backend(Protocol):
    """Asks a model for several responses to each of some requests of equal settings."""

    wave: int | None
    """Responses asked for in one call; None where texts are reported as they come."""

    def sample(self, asked: Sequence[Repeated], disable_tqdm: bool) -> list[list[str]]:
        """Responses to each request, as many as it wants."""


class Cloned:
    """Any model, asked as the harness asks it: one clone of the request for each response."""

    wave: int | None = 0  # not known yet

    def __init__(self, lm: Any) -> None:
        self._lm, self._plain = lm, lm.generate_until

    def sample(self, asked: Sequence[Repeated], disable_tqdm: bool) -> list[list[str]]:
        if hasattr(self._lm, "drawn"):  # our own model, whose samples follow from the prompt
            self._lm.drawn = {one.request.args[0]: one.had for one in asked}
        clones = [one.request for one in asked for _ in range(one.count)]
        texts = iter(self._plain(clones, disable_tqdm=disable_tqdm))
        return [[next(texts) for _ in range(one.count)] for one in asked]


class RepeatedRequests:
    """Takes the place of `lm.generate_until`."""

    def __init__(self, lm: Any, backend: Backend, journal: Journal | None) -> None:
        self._lm, self._backend, self._journal = lm, backend, journal

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """One text a request, in their order."""
        counts = Counter(map(id, requests))
        distinct = {id(request): request for request in requests}
        groups: dict[str, list[Repeated]] = {}
        for name, request in distinct.items():
            settings = json.dumps(request.args[1], sort_keys=True, default=repr)
            groups.setdefault(settings, []).append(Repeated(request, counts[name]))
        given: dict[int, Iterator[str]] = {}
        # Without a journal a model is asked for everything at once, and its own bar counts that.
        ours = self._journal is not None
        hidden = not ours or disable_tqdm or int(getattr(self._lm, "rank", 0)) != 0
        with tqdm(total=len(distinct), desc=BAR, disable=hidden) as bar:
            for asked in groups.values():
                answered = self._answered(asked, disable_tqdm or ours, bar)
                for one, texts in zip(asked, answered, strict=True):
                    if len(texts) != one.count:
                        raise RuntimeError(f"{len(texts)} responses for {one.count} repeats")
                    given[id(one.request)] = iter(texts)
        return [next(given[id(request)]) for request in requests]

    def _answered(self, asked: Sequence[Repeated], disable_tqdm: bool, bar: Any) -> list[list[str]]:
        """Responses to requests of equal settings, from the journal and from the model."""
        keys = [key_of(*one.request.args[:2]) for one in asked]
        journal = self._journal
        had: list[list[str]] = []
        alike = Counter(keys)  # questions of one prompt share what was recorded, in their order
        for key, one in zip(keys, asked, strict=True):
            mine = -(-journal.held(key) // alike[key]) if journal else 0
            had.append(journal.taken(key, min(one.count, mine)) if journal else [])
            alike[key] -= 1
        left = [at for at, one in enumerate(asked) if len(had[at]) < one.count]
        if journal and any(had):
            say(
                f"{sum(map(len, had))} of {sum(one.count for one in asked)} samples are there from "
                f"before ({journal.path.name}); going on with the others"
            )
            _reseed(journal.recorded)
        if not bar.disable:  # one that is not shown has no pace
            bar.initial += len(asked) - len(left)  # theirs is none
        _moved(bar, len(asked) - len(left))
        answers = list(had)
        while left:
            wave = self._next_wave([asked[at] for at in left], len(asked))
            now, left = left[:wave], left[wave:]
            part = [
                Repeated(asked[at].request, asked[at].count - len(had[at]), len(had[at]))
                for at in now
            ]
            with _arriving(self._lm, journal, part, [keys[at] for at in now], bar) as arrived:
                texts = self._backend.sample(part, disable_tqdm)
                if arrived.any and self._backend.wave == 0:
                    self._backend.wave = None
                arrived.rest(texts)
            for at, these in zip(now, texts, strict=True):
                answers[at] = _once_each(had[at] + these)
        return answers

    def _next_wave(self, asked: Sequence[Repeated], of: int) -> int:
        """How many of the requests to ask for in the next call."""
        if self._backend.wave is None or (self._backend.wave == 0 and self._journal is None):
            return len(asked)
        if self._backend.wave == 0:
            return max(_FIRST_QUESTIONS, of // _WAVES)
        return max(1, self._backend.wave // max(one.count for one in asked))


class _Arrived:
    """Puts texts into the journal: those the model reports as they come, then the rest.

    bar: moves on with every question that has all its texts.
    """

    def __init__(
        self, journal: Journal, asked: Sequence[Repeated], keys: Sequence[Key], bar: Any
    ) -> None:
        self._journal, self._keys, self._bar = journal, keys, bar
        self._key_of = {
            _prompt(one.request.args[0]): key for one, key in zip(asked, keys, strict=True)
        }
        self._seen: Counter[Key] = Counter()
        self._missing: Counter[Key] = Counter()  # questions of one prompt count together
        for key, one in zip(keys, asked, strict=True):
            self._missing[key] += one.count
        self._alike = Counter(keys)

    @property
    def any(self) -> bool:
        """Whether the model has reported a text."""
        return bool(self._seen)

    def add(self, prompt: Any, texts: Sequence[str]) -> None:
        key = self._key_of.get(_prompt(prompt))
        if key is not None:
            self._seen[key] += len(texts)
            self._journal.add(key, texts)
            if self._seen[key] >= self._missing[key]:
                self._bar.update(self._alike.pop(key, 0))

    def rest(self, answers: Sequence[Sequence[str]]) -> None:
        """Keep what was returned without having been reported."""
        for key, texts in zip(self._keys, answers, strict=True):
            if key not in self._seen:
                self._journal.add(key, texts)
        _moved(self._bar, self._alike.total())


class _Unheard:
    """Of a model that has no place to report texts to."""

    any = False

    def __init__(self, questions: int, bar: Any) -> None:
        self._questions, self._bar = questions, bar

    def rest(self, answers: Sequence[Sequence[str]]) -> None:
        _moved(self._bar, self._questions)


def _moved(bar: Any, questions: int) -> None:
    """Move the bar on, and show it however soon after the last time."""
    bar.update(questions)
    bar.refresh()


def _once_each(texts: Sequence[str]) -> list[str]:
    """The same texts, equal ones as one object: short answers repeat, and are held to the end."""
    seen: dict[str, str] = {}
    return [seen.setdefault(text, text) for text in texts]


def _prompt(prompt: Any) -> Any:
    return getattr(prompt, "prompt", prompt)  # chats are wrapped in a named tuple


@contextmanager
def _arriving(
    lm: Any, journal: Journal | None, asked: Sequence[Repeated], keys: Sequence[Key], bar: Any
) -> Iterator[Any]:
    """Listen where a model reports each text for the harness's cache."""
    hook: Any = getattr(lm, "cache_hook", None)
    if journal is None or hook is None:
        yield _Unheard(len(asked), bar)
        return
    arrived = _Arrived(journal, asked, keys, bar)

    class Hook:
        dbdict = getattr(hook, "dbdict", None)

        def add_partial(self, method: str, request: Any, text: Any) -> None:
            arrived.add(request[0], [text] if isinstance(text, str) else list(text))
            if isinstance(text, str):
                hook.add_partial(method, request, text)

    lm.cache_hook = Hook()
    try:
        yield arrived
    finally:
        lm.cache_hook = hook


def _reseed(recorded: int) -> None:
    """Go on with other random numbers than those an earlier attempt began with.

    The harness seeds every run alike: the first question asked now would get the very samples
    the first one got then.
    """
    import random
    import sys

    random.seed(f"cod {recorded}")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(random.getrandbits(63))


@contextmanager
def repeated_requests(
    lm: Any, open_journal: Callable[[int], Journal] | None, n_max: int
) -> Iterator[Journal | None]:
    """For the length of a run: repeats asked for together, and kept as they arrive.

    lm: the harness's model, perhaps inside its cache. open_journal: makes the journal, None for
    none. n_max: most responses in one request; 1 leaves every backend as it is.
    """
    inner = lm.lm if type(lm).__name__ == "CachingLM" else lm
    if _same_rank_everywhere(inner):
        open_journal = None  # copies of this process must ask the very same
    journal = open_journal(int(getattr(inner, "rank", 0))) if open_journal else None
    with backend_of(inner, n_max) as backend:
        inner.generate_until = RepeatedRequests(inner, backend, journal).generate_until
        try:
            yield journal
        finally:
            del inner.generate_until
            if journal is not None:
                journal.close()


def _same_rank_everywhere(lm: Any) -> bool:
    """Under torchrun every process of a tensor-parallel model calls itself rank 0."""
    import os

    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and getattr(lm, "world_size", 1) <= 1


@contextmanager
def backend_of(lm: Any, n_max: int) -> Iterator[Backend]:
    """The cheapest way to ask this model for repeats."""
    import sys

    from cod_harness.harness.sampling import expanded_hf, grouped_api, grouped_engines

    def is_a(module: str, name: str) -> bool:
        # Not imported here: a backend that is not loaded is not this model's.
        kind = getattr(sys.modules.get(f"lm_eval.models.{module}"), name, None)
        return kind is not None and isinstance(lm, kind) and _generates_like(lm, kind)

    if is_a("openai_completions", "LocalCompletionsAPI"):
        # Also for one at a time: the same seed with every request would make copies.
        yield grouped_api.GroupedApi(lm, n_max)
    elif n_max == 1:
        yield Cloned(lm)
    elif is_a("vllm_causallms", "VLLM"):
        with grouped_engines.grouped_vllm(lm) as backend:
            yield backend
    elif is_a("sglang_causallms", "SGLangLM"):
        with grouped_engines.grouped_sglang(lm) as backend:
            yield backend
    elif is_a("huggingface", "HFLM"):
        with expanded_hf.expanded(lm) as backend:
            yield backend
    else:
        yield Cloned(lm)


def _generates_like(lm: Any, kind: Any) -> bool:
    """Whether a model of a class made out of `kind` generates by the methods of `kind`."""
    names = ("generate_until", "_model_generate", "model_call", "amodel_call")
    return all(getattr(type(lm), name, None) is getattr(kind, name, None) for name in names)
