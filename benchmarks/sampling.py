"""Requests, tokens, CPU time and memory of the repeats: as the harness asks, and as we do.

Run: python benchmarks/sampling.py [api] [vllm] [hf]. The API server and the engine are the tests'
own, on this machine, so their time is not a server's; requests, prompt tokens and memory are what
counts there. hf: a Llama of random weights (135M unless told otherwise), one thread. Every row
runs in a process of its own; memory is what its peak rose by.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests" / "harness"
MOST_TOKENS = 100_000_000  # of prompts that the harness may tokenise, in 41 bytes each
SETTINGS = {"until": ["\n"], "do_sample": True, "temperature": 1.0, "top_p": 0.7}


def requests_of(prompts: list[str], repeats: int, tokens: int) -> list[Any]:
    from lm_eval.api.instance import Instance

    settings = {**SETTINGS, "max_gen_toks": tokens}
    made = [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, settings), idx=0)
        for prompt in prompts
    ]
    return [request for request in made for _ in range(repeats)]


def measured(name: str, work: Callable[[], str]) -> None:
    """One row: what the work counts, CPU and wall seconds, and growth of the peak of memory.

    In a fork of this process, so that no row's memory is another's; resident, MB.
    """
    read, write = os.pipe()
    at_first = resident()
    wall = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, work().encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        counted = pipe.read().decode()
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"{name}: failed")
    peak = used.ru_maxrss / 1024 - at_first
    seconds = used.ru_utime + used.ru_stime
    print(
        f"| {name} | {counted} | {seconds:.1f} | {time.monotonic() - wall:.1f} | {peak:.0f} |",
        flush=True,
    )


def resident() -> float:
    """Memory of this process that is in RAM, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def ways(lm: Any) -> list[tuple[str, Callable[[list[Any]], list[str]]]]:
    from cod_harness.harness.sampling.repeated import repeated_requests

    def ours(requests: list[Any]) -> list[str]:
        with repeated_requests(lm, None, 128):
            texts: list[str] = lm.generate_until(requests, disable_tqdm=True)
        return texts

    def plain(requests: list[Any]) -> list[str]:
        texts: list[str] = lm.generate_until(requests, disable_tqdm=True)
        return texts

    return [("before", plain), ("after", ours)]


def api(questions: int, repeats: int) -> None:
    sys.path.insert(0, str(TESTS))
    from completion_server import serving
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    prompts = [f"Q: {at} + {at % 7}\nA:" + " word" * 200 for at in range(questions)]
    for name in ("before", "after"):

        def work(name: str = name) -> str:
            with serving() as server:
                lm = LocalCompletionsAPI(
                    base_url=server.url, model="m", tokenizer_backend=None, num_concurrent=8
                )
                texts = dict(ways(lm))[name](requests_of(prompts, repeats, 32))
                varied = sum(
                    len(set(texts[at : at + repeats])) > 1 for at in range(0, len(texts), repeats)
                )
                return (
                    f"{server.requests} requests, {server.prompt_words} words of prompts, "
                    f"{varied} of {len(prompts)} questions varied"
                )

        measured(f"API, {len(prompts)} x {repeats}, {name}", work)


def vllm(questions: int, many: int, tokens: int) -> None:
    """The engine of the tests; memory of prompts, settings and texts on the host."""
    sys.path.insert(0, str(TESTS))
    import importlib

    import test_grouped_engines as engines
    from lm_eval.api.model import CacheHook

    module = importlib.import_module("lm_eval.models.sglang_causallms")
    prompts = [f"{1 + at % 99} " + "7 " * tokens + str(at) for at in range(questions)]
    for name, repeats in (("before", 1), ("before", many), ("after", many)):
        if name == "before" and questions * repeats * tokens > MOST_TOKENS:
            continue
        lm = module.SGLangLM.__new__(module.SGLangLM)
        lm.model, lm.tokenizer, lm.batch_size = engines.SglangEngine(), engines.Tokenizer(), "auto"
        lm._max_length, lm._max_gen_toks, lm.think_end_token = 4096, 256, None
        lm.custom_prefix_token_id, lm.add_bos_token = None, False
        lm._rank, lm._world_size, lm.cache_hook = 0, 1, CacheHook(None)
        way = dict(ways(lm))[name]

        def work(way: Any = way, lm: Any = lm, repeats: int = repeats) -> str:
            way(requests_of(prompts, repeats, 8))
            asked = sum(count for count, _ in lm.model.calls)
            return f"{asked} prompts to the engine, {lm.tokenizer.texts} tokenised"

        what = f"engine (stand-in), {questions} x {repeats}, prompt {tokens}, {name}"
        measured(what, work)


def hf(questions: int, repeats: int, length: int, rows: int, layers: int, hidden: int) -> None:
    import torch
    from lm_eval.models.huggingface import HFLM
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    vocabulary = {f"w{i}": i for i in range(49152)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w0", pad_token="w0")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152, hidden_size=hidden, intermediate_size=8 * hidden // 3,
        num_hidden_layers=layers, num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 192, tie_word_embeddings=True,
        max_position_embeddings=8192, pad_token_id=0, eos_token_id=0,
    )  # fmt: skip
    lm = HFLM(
        pretrained=LlamaForCausalLM(config).eval(), tokenizer=tokenizer, batch_size=rows,
        device="cpu",
    )  # fmt: skip
    source = random.Random(1)
    prompts = [
        " ".join(f"w{source.randrange(4, 49000)}" for _ in range(length)) for _ in range(questions)
    ]
    for name, way in ways(lm):

        def work(way: Any = way) -> str:
            return f"{len(way(requests_of(prompts, repeats, 64)))} samples of 64 tokens"

        what = f"hf, {questions} x {repeats}, prompt {length}, batch {rows}, {name}"
        measured(what, work)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("what", nargs="*", default=["api", "vllm", "hf"])
    arguments.add_argument("--questions", type=int, default=10)
    arguments.add_argument("--repeats", type=int, default=32)
    arguments.add_argument("--prompt", type=int, default=1100)
    arguments.add_argument("--rows", type=int, default=32)
    arguments.add_argument("--layers", type=int, default=30)
    arguments.add_argument("--hidden", type=int, default=576, help="a multiple of 192")
    arguments.add_argument("--api-questions", type=int, default=40)
    arguments.add_argument("--api-repeats", type=int, default=100)
    arguments.add_argument("--engine-questions", type=int, default=100)
    arguments.add_argument("--engine-repeats", type=int, default=50)
    arguments.add_argument("--engine-prompt", type=int, default=1500)
    asked = arguments.parse_args()
    print("| Work | Counted | CPU s | Wall s | Memory, MB |")
    print("|---|---|--:|--:|--:|")
    if "api" in asked.what:
        api(asked.api_questions, asked.api_repeats)
    if "vllm" in asked.what:
        vllm(asked.engine_questions, asked.engine_repeats, asked.engine_prompt)
    if "hf" in asked.what:
        hf(asked.questions, asked.repeats, asked.prompt, asked.rows, asked.layers, asked.hidden)


if __name__ == "__main__":
    main()
