"""One model of the ladder: trained from its seed, taken up again after a kill."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from itertools import islice
from pathlib import Path

import torch

from cod_harness.demo import skills
from cod_harness.demo.train import shapes
from cod_harness.demo.train.checkpoint import save_checkpoint
from cod_harness.demo.train.data import pad, stream
from cod_harness.demo.train.model import Llama

WARMUP = 0.04
BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.05
SAVE_EVERY = 60.0  # seconds
TEXT_WEIGHT = 0.02  # of the loss over all text, beside that over answers


def held_out_loss(model: Llama) -> float:
    """Mean cross-entropy of the answers of fresh training questions, nats a token."""
    pairs = list(islice(skills.training_pairs("validation"), 8192))
    total = count = 0.0
    with torch.inference_mode():
        for i in range(0, len(pairs), 512):
            ids, is_answer, _ = pad(pairs[i : i + 512])
            n = int(is_answer.sum())
            total += float(model.losses(ids, is_answer)[0]) * n
            count += n
    return total / count


def learning_rate(shape: shapes.Shape, seen: float) -> float:
    """Warm-up, then falling in a straight line to zero at the last token."""
    progress = seen / shape.tokens
    return shape.learning_rate * min(1.0, (progress + 1e-3) / WARMUP) * (1 - progress)


def train(nominal: int, seed: int, work: Path, compiled: bool = False) -> None:
    """Train one model into `work/<size>-<seed>`; take up its saved state if there is one."""
    name = f"{shapes.name_of(nominal)}-{seed}"
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
        while seen < shape.tokens:
            current, (ids, is_answer, tokens) = next(data)
            pool, used = (pool, used + 1) if current == pool else (current, 1)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(shape, seen)
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
            "schedule": "linear to zero",
            "seconds": round(time.monotonic() - begun),
        }
        save_checkpoint(folder, model, record)
        state_file.unlink(missing_ok=True)
        print(f"{name}: done, {record}", file=sys.stderr, flush=True)
