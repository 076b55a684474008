"""The Llama architecture in PyTorch, as small as it gets; needs torch (training only).

The same arithmetic as Hugging Face's `LlamaForCausalLM` with tied embeddings: RMSNorm, rotary
positions in the two-halves layout, SiLU-gated feed-forward, no biases.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cod_harness.demo.shapes import CONTEXT, HEAD, VOCABULARY, Shape

EPSILON = 1e-5
ROTARY_BASE = 10_000.0


def _rotary_tables() -> tuple[Tensor, Tensor]:
    frequencies = ROTARY_BASE ** (-torch.arange(0, HEAD, 2).float() / HEAD)
    angles = torch.outer(torch.arange(CONTEXT).float(), frequencies).repeat(1, 2)
    sign = torch.ones(HEAD)
    sign[: HEAD // 2] = -1.0  # a half-turn of the two halves is then one roll
    return angles.cos(), angles.sin() * sign


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        inner = shape.heads * HEAD
        self.heads = shape.heads
        self.attention_norm = nn.RMSNorm(shape.width, EPSILON)
        self.qkv = nn.Linear(shape.width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, shape.width, bias=False)
        self.feed_norm = nn.RMSNorm(shape.width, EPSILON)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, length, 3, self.heads, HEAD)
        q, k, v = (t.squeeze(2).transpose(1, 2) for t in qkv.split(1, dim=2))
        # Attention in float32: its bfloat16 backward pass is several times slower on CPUs.
        q, k, v = q.float(), k.float(), v.float()
        q, k = (t * cos + t.roll(HEAD // 2, -1) * sin for t in (q, k))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, -1).to(x.dtype))
        gate, up = self.gate_up(self.feed_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(VOCABULARY, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, EPSILON)
        self.cos, self.sin = _rotary_tables()  # plain attributes: they stay float32
        nn.init.normal_(self.embedding.weight, std=shape.width**-0.5)
        for block in self.blocks:
            for linear in (block.qkv, block.gate_up, block.out, block.down):
                nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
            for linear in (block.out, block.down):
                linear.weight.data.div_(math.sqrt(2 * shape.layers))

    def states(self, ids: Tensor) -> Tensor:
        """Last hidden states (batch, length, width) of token ids (batch, length)."""
        x = self.embedding(ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)

    def losses(self, ids: Tensor, is_answer: Tensor) -> tuple[Tensor, Tensor]:
        """Mean next-token cross-entropy (nats) over answers, and over all text; id 0 pads."""
        logits = F.linear(self.states(ids[:, :-1]), self.embedding.weight).float()
        following, answer = ids[:, 1:], is_answer[:, 1:]
        each = F.cross_entropy(logits.flatten(0, 1), following.flatten(), reduction="none")
        each = each.view_as(following)
        return each[answer].mean(), each[following > 0].mean()

    @property
    def padded_width(self) -> int:
        """The width in `LlamaForCausalLM`, which must be a multiple of the heads."""
        heads = self.shape.heads
        return -(-self.shape.width // heads) * heads

    def hugging_face_weights(self) -> dict[str, Tensor]:
        """The weights under the names of `LlamaForCausalLM`, `padded_width` wide.

        The coordinates added are zero everywhere. They change the mean square in the norms by
        width / padded_width; norm weights (and epsilon, see `hugging_face_epsilon`) undo it.
        """
        extra = self.padded_width - self.shape.width
        undo = math.sqrt(self.shape.width / self.padded_width)

        def reading(weight: Tensor) -> Tensor:
            return F.pad(weight, (0, extra))

        def writing(weight: Tensor) -> Tensor:
            return F.pad(weight, (0, 0, 0, extra))

        named = {
            "model.embed_tokens.weight": reading(self.embedding.weight),
            "model.norm.weight": reading(self.norm.weight * undo),
        }
        for i, block in enumerate(self.blocks):
            q, k, v = block.qkv.weight.chunk(3)
            gate, up = block.gate_up.weight.chunk(2)
            parts = {
                "self_attn.q_proj": reading(q),
                "self_attn.k_proj": reading(k),
                "self_attn.v_proj": reading(v),
                "self_attn.o_proj": writing(block.out.weight),
                "mlp.gate_proj": reading(gate),
                "mlp.up_proj": reading(up),
                "mlp.down_proj": writing(block.down.weight),
                "input_layernorm": reading(block.attention_norm.weight * undo),
                "post_attention_layernorm": reading(block.feed_norm.weight * undo),
            }
            named |= {f"model.layers.{i}.{name}.weight": w for name, w in parts.items()}
        return {name: w.detach().clone() for name, w in named.items()}

    @property
    def hugging_face_epsilon(self) -> float:
        """Epsilon of the padded norms."""
        return EPSILON * self.shape.width / self.padded_width
