"""The built-in model: its logits, its samples, and the harness's requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_runs import exact_rates

import cod_harness.demo
from cod_harness.demo import skills
from cod_harness.demo.numpy_llama import NumpyLlama, Sampling, nucleus
from cod_harness.errors import InputError

CHECKPOINTS = Path(cod_harness.demo.__file__).parent / "checkpoints"
SMALL, MIDDLE = CHECKPOINTS / "18k-1", CHECKPOINTS / "89.4k-1"
HOW = Sampling(temperature=1.0, top_p=0.7, new_tokens=12, until=("\n",))


@pytest.fixture(scope="module")
def network() -> NumpyLlama:
    return NumpyLlama(MIDDLE)


def _prompts(n: int) -> list[str]:
    return [q.prompt for family in skills.FAMILIES for q in skills.benchmark(family)[:n]]


@pytest.mark.parametrize("folder", [SMALL, MIDDLE, CHECKPOINTS / "935k-1"])
def test_logits_equal_those_of_transformers(folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ours = NumpyLlama(folder)
    for text in _prompts(3):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == ours.encode(text)
        assert tokenizer.decode(ids) == ours.decode(ids) == text
        with torch.no_grad():
            logits = theirs(torch.tensor([ids])).logits[0]
        expected = torch.log_softmax(logits, dim=-1).numpy()
        np.testing.assert_allclose(ours.log_probabilities([ids])[0], expected, atol=2e-4)


def test_samples_equal_drawing_each_repeat_alone(network: NumpyLlama) -> None:
    """The tree of shared texts changes nothing: one repeat at a time gives the same strings."""
    prompts = [network.encode(text) for text in _prompts(2)]
    uniforms = [np.random.default_rng(i).random((7, 12)) for i in range(len(prompts))]
    together = network.sample(prompts, uniforms, HOW)
    for prompt, draws, texts in zip(prompts, uniforms, together, strict=True):
        assert texts == [_alone(network, prompt, numbers) for numbers in draws]


def _alone(network: NumpyLlama, prompt: list[int], numbers: Any) -> str:
    """One text by the definition: a full forward pass for every token."""
    ids = list(prompt)
    for number in numbers:
        p = nucleus(network.log_probabilities([ids])[0][-1:], 1.0, 0.7)[0]
        ids.append(int(np.searchsorted(np.cumsum(p) / p.sum(), number, side="right")))
        if network.decode(ids[-1:]) == "\n":
            return network.decode(ids[len(prompt) : -1])
    return network.decode(ids[len(prompt) :])


def test_others_beside_it_change_nothing(network: NumpyLlama) -> None:
    """To the last digit: a shard of a task says what the whole task says."""
    texts = [network.encode(text) for text in _prompts(12)]
    draws = [np.random.default_rng(i).random((5, 12)) for i in range(len(texts))]
    scored, drawn = network.log_probabilities(texts), network.sample(texts, draws, HOW)
    for number in range(3):
        part = range(number, len(texts), 3 + number)
        some = [texts[at] for at in part]
        for at, scores in zip(part, network.log_probabilities(some), strict=True):
            np.testing.assert_array_equal(scores, scored[at])
        assert network.sample(some, [draws[at] for at in part], HOW) == [drawn[at] for at in part]


def test_pass_rates_agree_with_exact_probabilities(network: NumpyLlama) -> None:
    """Sampled minus exact, in standard errors, has mean 0 and standard deviation 1."""
    repeats = 32
    scores = []
    for family in skills.FAMILIES:
        questions = skills.benchmark(family)[:200]
        exact = exact_rates(network, [(q.prompt, q.answer) for q in questions])
        draws = [np.random.default_rng([7, i]).random((repeats, 12)) for i in range(len(questions))]
        texts = network.sample([network.encode(q.prompt) for q in questions], draws, HOW)
        right = [[t == q.answer for t in ts] for q, ts in zip(questions, texts, strict=True)]
        spread = np.sqrt(exact * (1 - exact) / repeats)
        uncertain = (exact > 0.03) & (exact < 0.97)
        scores.append(
            ((np.mean(right, axis=1) - exact) / np.where(spread > 0, spread, 1))[uncertain]
        )
    z = np.concatenate(scores)
    assert len(z) > 300
    assert abs(z.mean()) < 4 / len(z) ** 0.5
    assert z.std() == pytest.approx(1, abs=0.1)


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    logs = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], dtype=np.float32))
    np.testing.assert_allclose(nucleus(logs, 1.0, 0.7), [[0.625, 0.375, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(nucleus(logs, 1.0, 0.4), [[1, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(nucleus(logs, 1.0, 1.0), np.exp(logs), atol=1e-6)


def test_greedy_writes_the_most_probable_text(network: NumpyLlama) -> None:
    how = Sampling(temperature=0.0, top_p=1.0, new_tokens=6, until=("\n",))
    prompt = network.encode(_prompts(1)[0])
    [texts] = network.sample([prompt], [np.zeros((3, 6))], how)
    ids = list(prompt)
    for _ in range(6):
        ids.append(int(network.log_probabilities([ids])[0][-1].argmax()))
    assert texts == [network.decode(ids[len(prompt) :]).partition("\n")[0]] * 3


def test_the_samples_of_a_question_depend_on_nothing_else(network: NumpyLlama) -> None:
    first, second = (network.encode(text) for text in _prompts(1)[:2])
    numbers = np.random.default_rng(3).random((5, 12))
    together = network.sample([second, first], [numbers, numbers], HOW)
    assert together[1] == network.sample([first], [numbers], HOW)[0]


def test_a_prompt_longer_than_the_context_keeps_its_end(network: NumpyLlama) -> None:
    ids = network.encode("tom has 5, gets 3:" * 20)
    texts = network.sample([ids], [np.full((1, 12), 0.5)], HOW)
    room = network.context - HOW.new_tokens
    assert texts == network.sample([ids[-room:]], [np.full((1, 12), 0.5)], HOW)


class TestHarnessModel:
    @pytest.fixture(scope="class")
    def model(self) -> Any:
        pytest.importorskip("lm_eval")
        from cod_harness.demo.model import TinyModel

        return TinyModel(pretrained=str(MIDDLE))

    @staticmethod
    def _request(kind: str, arguments: tuple[Any, ...]) -> Any:
        from lm_eval.api.instance import Instance

        return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)

    def test_repeats_differ_and_are_the_same_next_time(self, model: Any) -> None:
        settings = {"do_sample": True, "temperature": 1.0, "until": ["\n"], "max_gen_toks": 8}
        requests = [self._request("generate_until", ("sort dbca:", settings))] * 20
        texts = model.generate_until(requests, disable_tqdm=True)
        assert len(set(texts)) > 3
        assert texts == model.generate_until(requests, disable_tqdm=True)

    def test_greedy_unless_sampling_is_asked_for(self, model: Any) -> None:
        requests = [self._request("generate_until", ("sort dbca:", {"until": ["\n"]}))] * 5
        assert len(set(model.generate_until(requests, disable_tqdm=True))) == 1

    def test_loglikelihood_is_the_sum_over_the_continuation(self, model: Any) -> None:
        requests = [
            self._request("loglikelihood", ("number 1 a5 b7:", text)) for text in ("a", "b", "ab")
        ]
        scores = model.loglikelihood(requests, disable_tqdm=True)
        network = model.network
        logs = network.log_probabilities([network.encode("number 1 a5 b7:ab")])[0]
        a, b = network.encode("ab")
        at = len("number 1 a5 b7:") - 1
        assert scores[0][0] == pytest.approx(logs[at, a], abs=1e-4)
        assert scores[1][0] == pytest.approx(logs[at, b], abs=1e-4)
        assert scores[2][0] == pytest.approx(logs[at, a] + logs[at + 1, b], abs=1e-4)
        assert scores[0][1] == (logs[at].argmax() == a)

    def test_rolling_adds_up_over_windows(self, model: Any) -> None:
        text = "tom has 5, gets 3:8\n" * 10
        [score] = model.loglikelihood_rolling(
            [self._request("loglikelihood_rolling", (text,))], disable_tqdm=True
        )
        assert -5 * len(text) < score < 0

    def test_registering_it_leaves_the_harness_s_own_models(self) -> None:
        code = (
            "import cod_harness.demo.model; from lm_eval.api.registry import MODEL_REGISTRY; "
            "print(sorted({'hf', 'vllm', 'dummy', 'cod-tiny'} & set(MODEL_REGISTRY)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "['cod-tiny', 'dummy', 'hf', 'vllm']"

    def test_a_folder_that_is_not_there(self) -> None:
        from cod_harness.demo.model import TinyModel

        with pytest.raises(InputError, match="no such folder"):
            TinyModel(pretrained="/nowhere/at/all")

    def test_a_folder_that_is_no_checkpoint(self, tmp_path: Path) -> None:
        from cod_harness.demo.model import TinyModel

        with pytest.raises(InputError, match="not a checkpoint folder"):
            TinyModel(pretrained=str(tmp_path))
