"""The Llama architecture in PyTorch, as small as it gets; needs torch (training only).

The same arithmetic as Hugging Face's `LlamaForCausalLM` with tied embeddings: RMSNorm, rotary
positions in the two-halves layout, SiLU-gated feed-forward, no biases.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cod_harness.demo.train.shapes import CONTEXT, HEADS, LAYERS, VOCABULARY, Shape

EPSILON = 1e-5
ROTARY_BASE = 10_000.0


def _rotary_tables(head: int) -> tuple[Tensor, Tensor]:
    frequencies = ROTARY_BASE ** (-torch.arange(0, head, 2).float() / head)
    angles = torch.outer(torch.arange(CONTEXT).float(), frequencies).repeat(1, 2)
    sign = torch.ones(head)
    sign[: head // 2] = -1.0  # a half-turn of the two halves is then one roll
    return angles.cos(), angles.sin() * sign


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.head = shape.head
        self.attention_norm = nn.RMSNorm(shape.width, EPSILON)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.feed_norm = nn.RMSNorm(shape.width, EPSILON)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, length, 3, HEADS, self.head)
        q, k, v = (t.squeeze(2).transpose(1, 2) for t in qkv.split(1, dim=2))
        # Attention in float32: its bfloat16 backward pass is several times slower on CPUs.
        q, k, v = q.float(), k.float(), v.float()
        q, k = (t * cos + t.roll(self.head // 2, -1) * sin for t in (q, k))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, -1).to(x.dtype))
        gate, up = self.gate_up(self.feed_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(VOCABULARY, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(LAYERS))
        self.norm = nn.RMSNorm(shape.width, EPSILON)
        self.cos, self.sin = _rotary_tables(shape.head)  # plain attributes: they stay float32
        nn.init.normal_(self.embedding.weight, std=shape.width**-0.5)
        for block in self.blocks:
            for linear in (block.qkv, block.gate_up, block.out, block.down):
                nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
            for linear in (block.out, block.down):
                linear.weight.data.div_(math.sqrt(2 * LAYERS))

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

    def hugging_face_weights(self) -> dict[str, Tensor]:
        """The weights under the names of `LlamaForCausalLM`."""
        named = {"model.embed_tokens.weight": self.embedding.weight}
        named["model.norm.weight"] = self.norm.weight
        for i, block in enumerate(self.blocks):
            q, k, v = block.qkv.weight.chunk(3)
            gate, up = block.gate_up.weight.chunk(2)
            parts = {
                "self_attn.q_proj": q,
                "self_attn.k_proj": k,
                "self_attn.v_proj": v,
                "self_attn.o_proj": block.out.weight,
                "mlp.gate_proj": gate,
                "mlp.up_proj": up,
                "mlp.down_proj": block.down.weight,
                "input_layernorm": block.attention_norm.weight,
                "post_attention_layernorm": block.feed_norm.weight,
            }
            named |= {f"model.layers.{i}.{name}.weight": w for name, w in parts.items()}
        return {name: w.detach().clone() for name, w in named.items()}
