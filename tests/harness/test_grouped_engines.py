"""vLLM and SGLang: the harness's own `generate_until`, on an engine that counts.

The engine is a stand-in; SamplingParams and TokensPrompt are vLLM's own where it is installed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import random
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cod_harness.harness.sampling import grouped_engines
from cod_harness.harness.sampling.repeated import repeated_requests

SETTINGS = {"until": ["\n"], "do_sample": True, "temperature": 1.0, "max_gen_toks": 8}
REPEATS = 10


@dataclass
class Engine:
    """Answers `right` with a chance that the prompt's first token sets; counts what it is asked."""

    calls: list[tuple[int, int]] = field(default_factory=list)  # (prompts, samples)
    random: random.Random = field(default_factory=lambda: random.Random(0))

    def text(self, tokens: Any) -> str:
        right = self.random.random() < tokens[0] / 100
        return f"right {tokens[0]}\nmore" if right else f"wrong {tokens[0]} {self.random.random()}"


class VllmEngine(Engine):
    def generate(self, prompts: Any, sampling_params: Any, **_: Any) -> list[Any]:
        self.calls.append((len(prompts), sum(params.n for params in sampling_params)))
        return [
            SimpleNamespace(
                outputs=[SimpleNamespace(text=self.text(p["prompt_token_ids"])) for _ in range(s.n)]
            )
            for p, s in zip(prompts, sampling_params, strict=True)
        ]


class SglangEngine(Engine):
    def generate(self, input_ids: Any, sampling_params: Any, **_: Any) -> list[Any]:
        sizes = {params.get("n", 1) for params in sampling_params}
        assert len(sizes) == 1, "SGLang wants one n in a call"
        [size] = sizes
        self.calls.append((len(input_ids), size * len(input_ids)))
        return [{"text": self.text(tokens)} for tokens in input_ids for _ in range(size)]


class Tokenizer:
    """A token for each number in a text."""

    eos_token_id, bos_token_id, name_or_path = 0, None, "numbers"
    eos_token = "<end>"

    def __init__(self) -> None:
        self.texts = 0

    def decode(self, *_: Any) -> str:
        return "<end>"

    def __call__(self, texts: Any, **_: Any) -> Any:
        many = [texts] if isinstance(texts, str) else texts
        self.texts += len(many)
        ids = [[int(word) for word in text.split()] for text in many]
        return SimpleNamespace(input_ids=ids[0] if isinstance(texts, str) else ids)


class StandIn:
    """For SamplingParams and TokensPrompt where vLLM is not installed."""

    @dataclass
    class SamplingParams:
        n: int = 1
        max_tokens: int = 16
        temperature: float = 1.0
        stop: Any = None
        skip_special_tokens: bool = True
        spaces_between_special_tokens: bool = True
        prompt_logprobs: int | None = None
        detokenize: bool = True

    @staticmethod
    def TokensPrompt(prompt_token_ids: list[int]) -> dict[str, Any]:
        return {"prompt_token_ids": prompt_token_ids}


STAND_INS: dict[str, dict[str, Any]] = {
    "ray": {},  # imported by lm-eval 0.4.10
    "vllm": {
        "LLM": object,
        "SamplingParams": StandIn.SamplingParams,
        "TokensPrompt": StandIn.TokensPrompt,
    },
    "vllm.lora": {},
    "vllm.lora.request": {"LoRARequest": object},
    "vllm.renderers": {},
    "vllm.renderers.hf": {"resolve_chat_template": None},
    "vllm.entrypoints": {},
    "vllm.entrypoints.chat_utils": {"resolve_hf_chat_template": None},
    "vllm.tokenizers": {"get_tokenizer": None},
    "vllm.transformers_utils": {},
    "vllm.transformers_utils.tokenizer": {"get_tokenizer": None},
    "vllm.utils": {"get_open_port": None},
}


@pytest.fixture(scope="module")
def vllm_module() -> Iterator[Any]:
    """`lm_eval.models.vllm_causallms`, with or without vLLM."""
    version = importlib.metadata.version
    installed = importlib.util.find_spec("vllm") is not None
    with pytest.MonkeyPatch.context() as patch:
        # The harness asks for the version of `vllm`; the build for CPUs has another name.
        patch.setattr(
            importlib.metadata, "version", lambda name: "0.20" if name == "vllm" else version(name)
        )
        for name, attributes in {} if installed else STAND_INS.items():
            module = ModuleType(name)
            vars(module).update(attributes)
            patch.setitem(sys.modules, name, module)
        yield importlib.import_module("lm_eval.models.vllm_causallms")


@pytest.fixture
def vllm(vllm_module: Any) -> Any:
    from lm_eval.api.model import CacheHook

    lm = vllm_module.VLLM.__new__(vllm_module.VLLM)
    lm.model, lm.tokenizer, lm.batch_size = VllmEngine(), Tokenizer(), "auto"
    lm.data_parallel_size, lm.lora_request, lm.think_end_token = 1, None, None
    lm._max_length, lm._max_gen_toks, lm.truncation_side = 4096, 256, "left"
    lm.custom_prefix_token_id, lm.add_bos_token, lm.max_lora_rank = None, False, 16
    lm._rank, lm._world_size, lm.cache_hook = 0, 1, CacheHook(None)
    return lm


@pytest.fixture
def sglang(monkeypatch: pytest.MonkeyPatch) -> Any:
    from lm_eval.api.model import CacheHook

    module = importlib.import_module("lm_eval.models.sglang_causallms")
    lm = module.SGLangLM.__new__(module.SGLangLM)
    lm.model, lm.tokenizer, lm.batch_size = SglangEngine(), Tokenizer(), "auto"
    lm._max_length, lm._max_gen_toks, lm.think_end_token = 4096, 256, None
    lm.custom_prefix_token_id, lm.add_bos_token = None, False
    lm._rank, lm._world_size, lm.cache_hook = 0, 1, CacheHook(None)
    return lm


@pytest.fixture(params=["vllm", "sglang"])
def lm(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def requests_of(prompts: list[str], repeats: int, settings: Any = SETTINGS) -> list[Any]:
    from lm_eval.api.instance import Instance

    made = [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, settings), idx=0)
        for prompt in prompts
    ]
    return [request for request in made for _ in range(repeats)]


def texts_of(lm: Any, requests: list[Any], n_max: int = 128) -> list[str]:
    with repeated_requests(lm, None, n_max):
        found: list[str] = lm.generate_until(requests, disable_tqdm=True)
    return found


def test_equal_prompts_are_one_with_n(lm: Any) -> None:
    prompts = [f"{chance} 1 2 3" for chance in range(10, 90, 2)]
    texts = texts_of(lm, requests_of(prompts, REPEATS))
    assert lm.model.calls == [(len(prompts), len(prompts) * REPEATS)]
    assert lm.tokenizer.texts == len(prompts)
    for at, text in enumerate(texts):
        assert text.split()[1] == prompts[at // REPEATS].split()[0]
    assert all("more" not in text for text in texts)  # cut at the stop string by the harness


def test_samples_follow_the_exact_rates(lm: Any) -> None:
    prompts, repeats = [f"{chance} 1" for chance in range(10, 91)], 200
    texts = texts_of(lm, requests_of(prompts, repeats))
    squares = 0.0
    for at, prompt in enumerate(prompts):
        p = int(prompt.split()[0]) / 100
        right = sum(text.startswith("right") for text in texts[at * repeats : (at + 1) * repeats])
        squares += (right - repeats * p) ** 2 / (repeats * p * (1 - p))
    assert abs(squares - len(prompts)) < 4 * math.sqrt(2 * len(prompts))


def test_different_settings_stay_apart(lm: Any) -> None:
    other = {**SETTINGS, "temperature": 0.5}
    requests = requests_of(["40 1"], 3) + requests_of(["40 1"], 2, other)
    assert len(texts_of(lm, requests)) == 5
    assert Counter(lm.model.calls) == {(1, 3): 1, (1, 2): 1}


def test_a_question_asked_twice_is_one_prompt(lm: Any) -> None:
    texts = texts_of(lm, requests_of(["40 1", "50 2", "40 1"], 4))
    assert [text.split()[1] for text in texts] == ["40"] * 4 + ["50"] * 4 + ["40"] * 4
    assert sum(samples for _, samples in lm.model.calls) == 12
    assert sum(prompts for prompts, _ in lm.model.calls) <= 3


def test_without_sampling_vllm_is_asked_for_one(vllm: Any) -> None:
    """It refuses n > 1 then; the clones share the answer."""
    greedy = {"until": ["\n"], "do_sample": False, "temperature": 0.0, "max_gen_toks": 8}
    texts = texts_of(vllm, requests_of(["40 1", "50 2"], 4, greedy))
    assert vllm.model.calls == [(2, 2)]
    assert [len(set(texts[:4])), len(set(texts[4:]))] == [1, 1]


def test_one_by_one_on_demand(lm: Any) -> None:
    texts_of(lm, requests_of(["40 1", "50 2"], 4), n_max=1)
    assert lm.model.calls == [(8, 8)]


def test_log_likelihoods_are_left_alone(vllm: Any) -> None:
    with repeated_requests(vllm, None, 128):
        assert vllm._model_generate([[1, 2]], generate=False)
    assert vllm.model.calls == [(1, 1)]


def test_an_engine_that_gives_another_number_is_noticed(lm: Any) -> None:
    plain = lm.model.generate

    def one_less(*args: Any, **kwargs: Any) -> list[Any]:
        given: list[Any] = plain(*args, **kwargs)
        if isinstance(given[0], dict):
            return given[:-1]
        return [SimpleNamespace(outputs=one.outputs[:-1]) for one in given]

    lm.model.generate = one_less
    with pytest.raises(RuntimeError, match="--cod-n-max 1"):
        texts_of(lm, requests_of(["40 1", "50 2"], 4))


def test_memory_on_the_host_is_bounded(lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Peak of 100 repeats within twice that of one, and far below the harness's own."""
    monkeypatch.setattr(grouped_engines, "WAVE", 500)
    prompts = [f"{1 + at % 99} " + "7 " * 1500 + str(at) for at in range(200)]

    def peak(repeats: int, n_max: int) -> int:
        requests = requests_of(prompts, repeats)
        tracemalloc.start()
        texts_of(lm, requests, n_max)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    once, plain = peak(1, 1), peak(20, 1)
    assert peak(20, 128) < 2 * once
    assert plain > 8 * once
