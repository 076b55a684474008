"""Train the shipped ladder from scratch: `python -m cod_harness.demo.train --work DIR`.

Needs torch (`pip install "cod-harness[train]"`). Every model is seeded, its state is saved once a
minute, and a killed run goes on where it was; finished models are skipped. Several processes may
share one work folder: a model is trained by the process that holds its lock file.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from cod_harness.demo import shapes, skills
from cod_harness.demo.llama_torch import EPSILON, ROTARY_BASE, Llama

WARMUP = 0.04
BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.05
SAVE_EVERY = 60.0  # seconds
TEXT_WEIGHT = 0.02  # of the loss over all text, beside that over answers
BATCHES_A_POOL = 64
ID = {character: 1 + i for i, character in enumerate(skills.ALPHABET)}

Batch = tuple[Tensor, Tensor, int]


def pad(pairs: list[tuple[str, str]]) -> Batch:
    """Token ids padded with 0, which of them are answer, and the count of real tokens."""
    texts = [prompt + answer + "\n" for prompt, answer in pairs]
    length = max(map(len, texts))
    grid = np.zeros((len(texts), length), dtype=np.int64)
    is_answer = np.zeros((len(texts), length), dtype=bool)
    for row, (text, (prompt, _)) in enumerate(zip(texts, pairs, strict=True)):
        ids = [ID[c] for c in text]
        grid[row, : len(ids)] = ids
        is_answer[row, len(prompt) : len(ids)] = True
    return torch.from_numpy(grid), torch.from_numpy(is_answer), sum(map(len, texts))


def batches(seed: int, tokens: int, pool: int) -> list[Batch]:
    """Pool number `pool` of a seed's training stream: texts of like length side by side."""
    rng = random.Random(f"order {seed} {pool}")
    pairs: list[tuple[str, str]] = []
    total = 0
    for pair in skills.training_pairs(f"train {seed} {pool}"):
        pairs.append(pair)
        total += len(pair[0]) + len(pair[1]) + 1
        if total >= tokens * BATCHES_A_POOL:
            break
    pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]) + 4 * rng.random())
    grouped: list[list[tuple[str, str]]] = [[]]
    size = 0
    for pair in pairs:
        if size >= tokens:
            grouped.append([])
            size = 0
        grouped[-1].append(pair)
        size += len(pair[0]) + len(pair[1]) + 1
    rng.shuffle(grouped)
    return [pad(group) for group in grouped]


def stream(seed: int, tokens: int, start: int) -> Iterator[tuple[int, Batch]]:
    """Endless (pool number, batch), beginning with pool `start`."""
    pool = start
    while True:
        for batch in batches(seed, tokens, pool):
            yield pool, batch
        pool += 1


def held_out_loss(model: Llama) -> float:
    """Mean cross-entropy of the answers of fresh questions of the training mixture, nats a token."""
    pairs = list(islice(skills.training_pairs("validation"), 8192))
    total = count = 0.0
    with torch.inference_mode():
        for i in range(0, len(pairs), 512):
            ids, is_answer, _ = pad(pairs[i : i + 512])
            n = int(is_answer.sum())
            total += float(model.losses(ids, is_answer)[0]) * n
            count += n
    return total / count


def save_checkpoint(folder: Path, model: Llama, record: dict[str, object]) -> None:
    """An ordinary Hugging Face folder, float16, plus the record of its training."""
    shape = model.shape
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shapes.VOCABULARY,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shapes.LAYERS,
        "num_attention_heads": shapes.HEADS,
        "num_key_value_heads": shapes.HEADS,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "max_position_embeddings": shapes.CONTEXT,
        "rms_norm_eps": EPSILON,
        "rope_theta": ROTARY_BASE,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "torch_dtype": "float16",
    }
    end = {
        "id": 0,
        "content": "<end>",
        "special": True,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
    }
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [end],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "[\\s\\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": {"<end>": 0} | ID, "unk_token": "<end>"},
    }
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<end>",
        "eos_token": "<end>",
        "pad_token": "<end>",
        "unk_token": "<end>",
        "model_max_length": shapes.CONTEXT,
        "clean_up_tokenization_spaces": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: w.half().contiguous() for k, w in model.hugging_face_weights().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for name, content in (
        ("config.json", config),
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", tokenizer_config),
        ("training.json", record),
    ):
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")


def learning_rate(shape: shapes.Shape, seen: float, constant: bool) -> float:
    """Warm-up, then flat or falling in a straight line to zero at the last token."""
    progress = seen / shape.tokens
    rate = shape.learning_rate * min(1.0, (progress + 1e-3) / WARMUP)
    return rate if constant else rate * (1 - progress)


def train(nominal: int, seed: int, work: Path, constant: bool, compiled: bool = False) -> None:
    """Train one model into `work/<size>-<seed>`; take up its saved state if there is one."""
    name = f"{shapes.name_of(nominal)}-{seed}" + ("-constant" if constant else "")
    folder, state_file = work / name, work / f"{name}.state.pt"
    if (folder / "training.json").exists():
        return
    with (work / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # another process trains it
        shape = shapes.shape_of(nominal)
        torch.manual_seed(seed)
        model = Llama(shape)
        fast = Llama(shape).bfloat16()  # computes; `model` holds the float32 weights
        losses = torch.compile(fast.losses, dynamic=True) if compiled else fast.losses
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=1.0, betas=BETAS, weight_decay=WEIGHT_DECAY, fused=True
        )
        seen, step, seconds, pool, used = 0, 0, 0.0, 0, 0
        if state_file.exists():
            state = torch.load(state_file)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            seen, step, seconds, pool, used = state["progress"]
        data = islice(stream(seed, shape.batch, pool), used, None)
        begun, saved, recent = time.monotonic() - seconds, time.monotonic(), 0.0
        marks = [0.94, 0.97]  # neighbouring checkpoints of a constant learning rate
        while seen < shape.tokens:
            current, (ids, is_answer, tokens) = next(data)
            pool, used = (pool, used + 1) if current == pool else (current, 1)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(shape, seen, constant)
            fast.load_state_dict(model.state_dict())
            fast.zero_grad(set_to_none=True)
            loss, text_loss = losses(ids, is_answer)
            (loss + TEXT_WEIGHT * text_loss).backward()
            for exact, rounded in zip(model.parameters(), fast.parameters(), strict=True):
                exact.grad = rounded.grad.float()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            seen, step = seen + tokens, step + 1
            recent = (
                float(loss.detach()) if step == 1 else 0.98 * recent + 0.02 * float(loss.detach())
            )
            now = time.monotonic()
            if constant and marks and seen >= marks[0] * shape.tokens:
                marks.pop(0)
                save_checkpoint(work / f"{name}@{step}", model, {"tokens": seen})
            if now - saved > SAVE_EVERY:
                saved = now
                state = {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "progress": (seen, step, now - begun, pool, used),
                }
                torch.save(state, f"{state_file}.part")
                os.replace(f"{state_file}.part", state_file)
                left = (now - begun) * (shape.tokens / seen - 1)
                print(
                    f"{name}: {seen / shape.tokens:6.1%}, loss {recent:.3f}, "
                    f"{left / 60:.0f} min left",
                    file=sys.stderr,
                    flush=True,
                )
        record: dict[str, object] = {
            "parameters": shape.parameters,
            "tokens": seen,
            "compute": 6.0 * shape.parameters * seen,
            "loss": held_out_loss(model),
            "seed": seed,
            "steps": step,
            "batch": shape.batch,
            "learning_rate": shape.learning_rate,
            "schedule": "constant" if constant else "linear to zero",
            "seconds": round(time.monotonic() - begun),
        }
        save_checkpoint(folder, model, record)
        state_file.unlink(missing_ok=True)
        print(f"{name}: done, {record}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for states and results")
    parser.add_argument("--only", help="sizes to train, e.g. 5000,10000; default: all")
    parser.add_argument("--seeds", default=",".join(map(str, shapes.SEEDS)))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--constant", action="store_true", help="constant learning rate")
    parser.add_argument(
        "--compile", action="store_true", help="faster above 250k; needs a C++ compiler"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    sizes = [int(s) for s in args.only.split(",")] if args.only else [*shapes.RUNGS, shapes.TARGET]
    for nominal in sizes:
        seeds = [int(s) for s in args.seeds.split(",")]
        for seed in seeds if nominal != shapes.TARGET else seeds[: len(shapes.TARGET_SEEDS)]:
            train(nominal, seed, args.work, args.constant, args.compile)


if __name__ == "__main__":
    main()
