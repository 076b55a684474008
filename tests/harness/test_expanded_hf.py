"""Hugging Face models: the prompt computed once for all repeats, nothing else changed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_runs import exact_rates

import cod_harness.demo
from cod_harness.demo import skills
from cod_harness.demo.numpy_llama import NumpyLlama
from cod_harness.harness.sampling.repeated import repeated_requests

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from cod_harness.harness.sampling import shared_prompt  # noqa: E402  # needs both

CHECKPOINT = Path(cod_harness.demo.__file__).parent / "checkpoints" / "10.6k-1"
SAMPLED = {
    "until": ["\n"],
    "do_sample": True,
    "temperature": 1.0,
    "top_p": 0.7,
    "max_gen_toks": 12,
}
QUESTIONS = [q for family in skills.FAMILIES for q in skills.benchmark(family)[:6]]


def model(batch_size: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    torch.manual_seed(0)
    return HFLM(pretrained=str(CHECKPOINT), batch_size=batch_size, device="cpu", dtype="float32")


def clones(settings: dict[str, Any], repeats: int, prompts: Sequence[str] = ()) -> list[Any]:
    from lm_eval.api.instance import Instance

    prompts = prompts or [question.prompt for question in QUESTIONS]
    made = [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, settings), idx=0)
        for prompt in prompts
    ]
    return [request for request in made for _ in range(repeats)]


def texts_of(lm: Any, requests: list[Any], n_max: int = 128) -> list[str]:
    with repeated_requests(lm, None, n_max):
        found: list[str] = lm.generate_until(requests, disable_tqdm=True)
    return found


@pytest.mark.parametrize("batch_size", [1, 5, 7, 64])
def test_greedy_texts_are_those_of_the_plain_path(batch_size: int) -> None:
    """Token for token: padding, batches of several prompts, batches that part a question."""
    greedy = {"until": ["\n"], "do_sample": False, "max_gen_toks": 12}
    requests = clones(greedy, 5, [question.prompt for question in QUESTIONS[::3]])
    lm = model(batch_size)
    plain = lm.generate_until(requests, disable_tqdm=True)
    assert len(set(plain)) > 5
    assert texts_of(lm, requests) == plain


@pytest.mark.parametrize("batch_size", [1, 24, 100])
def test_samples_follow_the_exact_rates(batch_size: int) -> None:
    repeats = 8 if batch_size == 1 else 64
    texts = texts_of(model(batch_size), clones(SAMPLED, repeats))
    network = NumpyLlama(CHECKPOINT)
    exact = exact_rates(network, [(q.prompt, q.answer) for q in QUESTIONS])
    right = np.array(
        [
            text == q.answer
            for q, text in zip(np.repeat(np.array(QUESTIONS, object), repeats), texts, strict=True)
        ]
    ).reshape(-1, repeats)
    uncertain = (exact > 0.03) & (exact < 0.97)
    spread = np.sqrt(exact * (1 - exact) / repeats)
    z = ((right.mean(axis=1) - exact) / np.where(spread > 0, spread, 1))[uncertain]
    assert len(z) > 12
    assert abs(z.mean()) < 4 / len(z) ** 0.5
    assert 0.5 < z.std() < 1.6


def test_each_row_stops_at_its_own_stop_string() -> None:
    until = ["7", "a", "\n"]
    texts = texts_of(model(32), clones({**SAMPLED, "until": until}, 16))
    assert not any(stop in text for text in texts for stop in until)
    assert len({len(text) for text in texts}) > 4


def test_a_prompt_is_computed_once() -> None:
    lm = model(4)
    widths: list[int] = []
    forward = lm.model.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        widths.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    prompt = QUESTIONS[0].prompt
    lm.model.forward = counted
    counted.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    texts_of(lm, clones(SAMPLED, 16, [prompt]))
    assert [width for width in widths if width > 1] == [len(prompt) - 1]


def random_model(**more: Any) -> Any:
    """Four query heads to a head of keys, in a vocabulary of letters."""
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=3,
        num_attention_heads=8, num_key_value_heads=2, pad_token_id=0, initializer_range=0.3,
        max_position_embeddings=256, **more,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    return HFLM(pretrained=LlamaForCausalLM(config).eval(), tokenizer=tokenizer, batch_size=7)


GREEDY = {"until": ["<never>"], "do_sample": False, "max_gen_toks": 25}


@pytest.fixture
def attended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(rows, prompts) of each layer's attention over shared prompts."""
    calls: list[tuple[int, int]] = []
    attend = shared_prompt._attended

    def counted(layer: Any, query: Any, *args: Any) -> Any:
        calls.append((len(query), len(layer.prompt_keys)))
        return attend(layer, query, *args)

    monkeypatch.setattr(shared_prompt, "_attended", counted)
    return calls


def test_the_rows_of_a_prompt_share_its_keys(
    monkeypatch: pytest.MonkeyPatch, attended: list[tuple[int, int]]
) -> None:
    """Prompts of several lengths in a batch, and answers that outgrow their room twice."""
    monkeypatch.setattr(shared_prompt, "_ROOM", 10)
    lm = random_model()
    prompts = [question.prompt for question in QUESTIONS[::8]]
    assert len(set(map(len, prompts))) > 3
    requests = clones(GREEDY, 5, prompts)
    plain = lm.generate_until(requests, disable_tqdm=True)
    assert len(set(plain)) > 5
    assert texts_of(lm, requests) == plain
    assert (7, 2) in attended
    assert (7, 3) in attended


@pytest.mark.parametrize("mask", ["none", "bool", "float", "a head each"])
def test_attention_to_a_shared_prompt_is_attention(mask: str) -> None:
    """The same numbers as on keys and values that were copied to the rows."""
    from transformers.cache_utils import DynamicCache
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    torch.manual_seed(1)
    prompts, heads, group, tokens, width = 3, 2, 4, 11, 8
    prompt_of = [2, 0, 0, 1, 2, 0]
    computed = DynamicCache()
    computed.update(*torch.randn(2, prompts, heads, tokens, width), 0)
    layer = shared_prompt.shared_cache(computed, prompt_of).layers[0]
    module = torch.nn.Module().eval()
    module.num_key_value_groups = group
    for step in range(1, 4):
        query = torch.randn(6, heads * group, 1, width)
        masks = {"none": None, "bool": torch.rand(6, 1, 1, tokens + step) < 0.7}
        masks["float"] = torch.randn(6, 1, 1, tokens + step)
        masks["a head each"] = torch.rand(6, heads * group, 1, tokens + step) < 0.7
        key, value = layer.update(*torch.randn(2, 6, heads, 1, width))
        more = {"scaling": 0.3, "dropout": 0.0}
        with shared_prompt.attending():
            function = ALL_ATTENTION_FUNCTIONS["sdpa"]
            found, _ = function(module, query, key, value, masks[mask], **more)
        whole = layer.whole(key, value)
        wanted, _ = sdpa_attention_forward(module, query, *whole, masks[mask], **more)
        assert layer.get_seq_length() == whole[0].shape[-2] == tokens + step
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("why", ["eager", "attention of its own"])
def test_where_attention_is_not_ours_the_prompt_is_copied(
    why: str, monkeypatch: pytest.MonkeyPatch, attended: list[tuple[int, int]]
) -> None:
    if why == "eager":
        lm = random_model(attn_implementation="eager")
    else:
        lm = random_model()
        monkeypatch.setattr(shared_prompt, "attending", contextlib.nullcontext)
    requests = clones(GREEDY, 5, [question.prompt for question in QUESTIONS[:2]])
    widths: list[int] = []
    lm.model.register_forward_pre_hook(
        lambda _, args, kwargs: widths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    assert texts_of(lm, requests) == lm.generate_until(requests, disable_tqdm=True)
    assert 1 in widths
    assert not attended


def test_half_precision_shares_too(attended: list[tuple[int, int]]) -> None:
    lm = random_model(dtype="bfloat16")
    lm.model.to(torch.bfloat16)
    texts_of(lm, clones(GREEDY, 7, [QUESTIONS[0].prompt]))
    assert (7, 1) in attended
    assert lm.model.dtype == torch.bfloat16


def test_settings_that_bring_rows_of_their_own_are_left_alone() -> None:
    lm = model(4)
    beams = {"until": ["\n"], "do_sample": False, "num_beams": 2, "max_gen_toks": 6}
    requests = clones(beams, 2, [QUESTIONS[0].prompt])
    assert texts_of(lm, requests) == lm.generate_until(requests, disable_tqdm=True)


def test_caches_that_cannot_be_cut_are_left_alone() -> None:
    """A sliding window: the plain path, and its texts."""
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, sliding_window=4, pad_token_id=0,
        max_position_embeddings=128,
    )  # fmt: skip
    lm = HFLM(pretrained=MistralForCausalLM(config).eval(), tokenizer=tokenizer, batch_size=4)
    greedy = {"until": ["\n"], "do_sample": False, "max_gen_toks": 12}
    requests = clones(greedy, 3, [question.prompt for question in QUESTIONS[:6]])
    assert texts_of(lm, requests) == lm.generate_until(requests, disable_tqdm=True)


def test_the_model_is_given_back_as_it_was() -> None:
    lm = model(4)
    texts_of(lm, clones(SAMPLED, 2, [QUESTIONS[0].prompt]))
    assert not {"generate_until", "_model_generate", "tok_encode"} & set(vars(lm))
