"""Small Llama-architecture checkpoints in NumPy: log-probabilities, and many samples at once.

Reads an ordinary Hugging Face folder (config.json, model.safetensors, tokenizer.json) whose
tokenizer is character-level. Meant for models of up to a few million parameters.

Sampling is by tree: the repeats of a question share one prefill, and repeats that have written
the same text so far share one continuation. Every repeat still draws its own number at every
step, so repeats are as independent as if each had been run alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cod_harness.errors import InputError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_ROWS_AT_ONCE = 4096  # tokens in one matrix product: bounds memory, keeps activations in cache


@dataclass(frozen=True)
class _Layer:
    attention_norm: Floats
    qkv: Floats  # (width, 3 * heads * head)
    out: Floats
    feed_norm: Floats
    gate_up: Floats  # (width, 2 * hidden)
    down: Floats


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. temperature 0 means greedy; top_p keeps the smallest set of tokens
    whose probability reaches it; new_tokens bounds the length; `until` ends a text, unreturned."""

    temperature: float
    top_p: float
    new_tokens: int
    until: tuple[str, ...]


class NumpyLlama:
    """A checkpoint folder, loaded. Raises InputError for a folder it cannot run."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        try:
            config: dict[str, Any] = json.loads((folder / "config.json").read_text())
            tokenizer: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text())
            weights = load_file(folder / "model.safetensors")
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder}: not a checkpoint folder that can be read: {error}"
            ) from None
        if config.get("model_type") != "llama" or not config.get("tie_word_embeddings"):
            raise InputError(
                f"{folder}/config.json: cod-tiny runs Llama models with tied embeddings only; "
                "use --model hf for this one"
            )
        if config["num_key_value_heads"] != config["num_attention_heads"]:
            raise InputError(f"{folder}/config.json: grouped key/value heads need --model hf")
        self.vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
        if any(len(text) > 1 for text, i in self.vocabulary.items() if i):
            raise InputError(f"{folder}/tokenizer.json: cod-tiny knows character vocabularies only")
        self.characters = {i: text for text, i in self.vocabulary.items()}
        self.end: int = config["eos_token_id"]
        self.context: int = config["max_position_embeddings"]
        self._heads: int = config["num_attention_heads"]
        self._head: int = config["head_dim"]
        self._scale = np.full(1, self._head**-0.5, dtype=np.float32)
        self._epsilon = np.float32(config["rms_norm_eps"])
        self._embedding = weights["model.embed_tokens.weight"].astype(np.float32)
        self._norm = weights["model.norm.weight"].astype(np.float32)
        self._layers = [
            self._layer(weights, f"model.layers.{i}.") for i in range(config["num_hidden_layers"])
        ]
        frequencies = config["rope_theta"] ** (-np.arange(0, self._head, 2) / self._head)
        angles = np.outer(np.arange(self.context), frequencies)
        self._cos = np.tile(np.cos(angles), 2).astype(np.float32)
        self._sin = np.concatenate((-np.sin(angles), np.sin(angles)), axis=1).astype(np.float32)

    @staticmethod
    def _layer(weights: dict[str, NDArray[Any]], prefix: str) -> _Layer:
        def part(*names: str) -> Floats:
            parts = [weights[f"{prefix}{name}.weight"].astype(np.float32).T for name in names]
            return np.ascontiguousarray(np.concatenate(parts, axis=-1))

        return _Layer(
            part("input_layernorm"),
            part("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            part("self_attn.o_proj"),
            part("post_attention_layernorm"),
            part("mlp.gate_proj", "mlp.up_proj"),
            part("mlp.down_proj"),
        )

    def encode(self, text: str) -> list[int]:
        """Token ids; a character outside the vocabulary becomes the end token."""
        return [self.vocabulary.get(character, self.end) for character in text]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids, the end token left out."""
        return "".join(self.characters[i] for i in ids if i != self.end)

    # The network -----------------------------------------------------------------------------

    def _normed(self, x: Floats, weight: Floats) -> Floats:
        square = np.einsum("...i,...i->...", x, x)[..., None] / np.float32(x.shape[-1])
        scaled: Floats = x / np.sqrt(square + self._epsilon) * weight
        return scaled

    def _rotated(self, x: Floats, positions: slice) -> Floats:
        """x (rows, heads, positions, head) turned to its positions."""
        turned: Floats = x * self._cos[positions]
        turned += np.roll(x, self._head // 2, axis=-1) * self._sin[positions]
        return turned

    def _projected(self, layer: _Layer, x: Floats, positions: slice) -> tuple[Floats, ...]:
        """Queries, keys and values, each (rows, heads, positions, head), of states x."""
        rows, length, _ = x.shape
        qkv = _times(self._normed(x, layer.attention_norm), layer.qkv)
        q, k, v = qkv.reshape(rows, length, 3, self._heads, self._head).transpose(2, 0, 3, 1, 4)
        return self._rotated(q, positions), self._rotated(k, positions), v

    def _fed(self, layer: _Layer, x: Floats) -> Floats:
        gate, up = np.split(_times(self._normed(x, layer.feed_norm), layer.gate_up), 2, axis=-1)
        fed: Floats = x + _times(gate / (1 + np.exp(-np.clip(gate, -80, None))) * up, layer.down)
        return fed

    def _log_probabilities(self, x: Floats) -> Floats:
        logits = _times(self._normed(x, self._norm), self._embedding.T)
        logits -= logits.max(axis=-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))  # type: ignore[no-any-return]

    def _prefill(self, ids: Ints) -> tuple[Floats, list[tuple[Floats, Floats]]]:
        """States (rows, length, width) and each layer's keys and values; all texts are as long."""
        length = ids.shape[1]
        x = self._embedding[ids]
        future = np.triu(np.full((length, length), -np.inf, dtype=np.float32), k=1)
        cache = []
        for layer in self._layers:
            q, k, v = self._projected(layer, x, slice(0, length))
            mixed = _softmax(q @ k.swapaxes(2, 3) * self._scale + future) @ v
            x = x + _times(mixed.transpose(0, 2, 1, 3).reshape(*x.shape[:2], -1), layer.out)
            x = self._fed(layer, x)
            cache.append((k, v))
        return x, cache

    def log_probabilities(self, texts: Sequence[Sequence[int]]) -> list[Floats]:
        """For each text of n ids the (n, vocabulary) log-probabilities of what follows each id."""
        found: list[Floats] = [np.empty(0, dtype=np.float32)] * len(texts)
        with _one_thread():
            for rows in _batches([len(text) for text in texts], _ROWS_AT_ONCE):
                states, _ = self._prefill(np.array([texts[row] for row in rows]))
                for row, result in zip(rows, self._log_probabilities(states), strict=True):
                    found[row] = result
        return found

    # Sampling --------------------------------------------------------------------------------

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        uniforms: Sequence[NDArray[np.float64]],
        how: Sampling,
    ) -> list[list[str]]:
        """Texts written after each prompt, one a repeat.

        prompts: token ids. uniforms: for each prompt (repeats, new_tokens) numbers in [0, 1), the
        randomness of each repeat. Returns a list of repeats' texts for each prompt.
        """
        room = self.context - how.new_tokens
        prompts = [list(prompt)[-room:] or [self.end] for prompt in prompts]
        written: list[list[str]] = [[] for _ in prompts]
        with _one_thread():
            for rows in _batches([len(prompt) for prompt in prompts], _ROWS_AT_ONCE):
                texts = self._sample_batch(
                    np.array([prompts[row] for row in rows]), [uniforms[row] for row in rows], how
                )
                for row, repeats in zip(rows, texts, strict=True):
                    written[row] = repeats
        return written

    def _sample_batch(
        self, ids: Ints, uniforms: list[NDArray[np.float64]], how: Sampling
    ) -> list[list[str]]:
        counts = [len(u) for u in uniforms]
        draws = np.concatenate(uniforms)  # (all repeats, new_tokens)
        states, cache = self._prefill(ids)
        following = self._log_probabilities(states[:, -1])
        # A node is a text some repeats have in common; `node` says which one a repeat stands at.
        node = np.repeat(np.arange(len(ids)), counts)
        question = np.arange(len(ids))  # of each node
        texts = [""] * len(ids)
        own: list[tuple[Floats, Floats]] = [
            (np.empty((len(ids), self._heads, 0, self._head), np.float32),) * 2 for _ in cache
        ]
        final: list[str] = [""] * len(draws)
        alive = np.arange(len(draws))
        for step in range(how.new_tokens):
            token = _drawn(following, node, draws[alive, step], how)
            pairs, node = np.unique(np.stack((node, token)), axis=1, return_inverse=True)
            node = node.ravel()  # NumPy 2.0 alone returns it two-dimensional
            parents, tokens = pairs
            texts = [texts[p] + self.decode([t]) for p, t in zip(parents, tokens, strict=True)]
            ended = np.zeros(len(tokens), dtype=bool)
            for i, (text, last) in enumerate(zip(texts, tokens, strict=True)):
                stop = next((s for s in how.until if text.endswith(s)), None)
                ended[i] = stop is not None or last == self.end or step + 1 == how.new_tokens
                if stop is not None:
                    texts[i] = text[: -len(stop)]
            for repeat, at in zip(alive[ended[node]], node[ended[node]], strict=True):
                final[repeat] = texts[at]
            kept = np.flatnonzero(~ended)
            if not len(kept):
                break
            going = ~ended[node]
            alive, node = alive[going], np.searchsorted(kept, node[going])
            texts = [texts[i] for i in kept]
            question = question[parents[kept]]
            own = [(k[parents[kept]], v[parents[kept]]) for k, v in own]
            position = ids.shape[1] + step
            following, own = self._decode_step(tokens[kept], question, position, cache, own)
        edges = np.cumsum(counts)[:-1]
        return [list(part) for part in np.split(np.array(final, dtype=object), edges)]

    def _decode_step(
        self,
        tokens: Ints,
        question: Ints,
        position: int,
        cache: list[tuple[Floats, Floats]],
        own: list[tuple[Floats, Floats]],
    ) -> tuple[Floats, list[tuple[Floats, Floats]]]:
        """Log-probabilities after one more token at every node, and the nodes' longer caches."""
        x = self._embedding[tokens][:, None, :]
        # Nodes stand sorted by question, so a question's nodes attend to its prompt together.
        asked, starts = np.unique(question, return_index=True)
        slot = np.arange(len(question)) - np.repeat(starts, np.diff([*starts, len(question)]))
        place = np.searchsorted(asked, question)
        longer = []
        for layer, (prompt_k, prompt_v), (own_k, own_v) in zip(
            self._layers, cache, own, strict=True
        ):
            q, k, v = self._projected(layer, x, slice(position, position + 1))
            own_k, own_v = np.concatenate((own_k, k), 2), np.concatenate((own_v, v), 2)
            longer.append((own_k, own_v))
            grouped = np.zeros((len(asked), self._heads, slot.max() + 1, self._head), np.float32)
            grouped[place, :, slot] = q[:, :, 0]
            to_prompt = _each(grouped, prompt_k[asked].swapaxes(2, 3))[place, :, slot][:, :, None]
            to_own = q @ own_k.swapaxes(2, 3)
            weights = _softmax(np.concatenate((to_prompt, to_own), axis=-1) * self._scale)
            split = to_prompt.shape[-1]
            shared = np.zeros((*grouped.shape[:3], split), np.float32)
            shared[place, :, slot] = weights[:, :, 0, :split]
            mixed = _each(shared, prompt_v[asked])[place, :, slot]
            mixed += (weights[..., split:] @ own_v)[:, :, 0]
            x = x + _times(mixed.reshape(len(tokens), 1, -1), layer.out)
            x = self._fed(layer, x)
        return self._log_probabilities(x[:, 0]), longer


def _one_thread() -> threadpool_limits:
    """More would wait for each other longer than these products take."""
    return threadpool_limits(1, "blas")


def _times(x: Floats, weight: Floats) -> Floats:
    """x (texts, ..., in) times weight (in, out), one matrix product for each text.

    In one product of all of them a row's last digits depend on how many others there are.
    """
    product: Floats = (x[:, None] @ weight)[:, 0] if x.ndim == 2 else x @ weight
    return product


def _each(x: Floats, y: Floats) -> Floats:
    """x (..., rows, in) times y (..., in, out), row by row, for the reason of `_times`."""
    product: Floats = (x[..., None, :] @ y[..., None, :, :])[..., 0, :]
    return product


def _softmax(x: Floats) -> Floats:
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    x /= x.sum(axis=-1, keepdims=True)
    return x


def _batches(lengths: Sequence[int], tokens: int) -> Iterable[list[int]]:
    """Indices of texts of one length, about `tokens` tokens a batch at most: nothing is padded."""
    by_length: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        by_length.setdefault(length, []).append(index)
    for length, indices in by_length.items():
        size = max(1, tokens // max(1, length))
        for start in range(0, len(indices), size):
            yield indices[start : start + size]


def nucleus(log_probabilities: Floats, temperature: float, top_p: float) -> NDArray[np.float64]:
    """Probabilities (rows, vocabulary) after temperature and top-p, renormalised.

    The smallest set of most probable tokens whose probability reaches top_p is kept, as in
    Hugging Face's sampler.
    """
    scaled = log_probabilities.astype(np.float64) / temperature
    p = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    order = np.argsort(-p, axis=-1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=-1)
    before = np.cumsum(ranked, axis=-1) - ranked
    np.put_along_axis(p, order, np.where(before < top_p, ranked, 0.0), axis=-1)
    return p / p.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]


def _drawn(
    log_probabilities: Floats, node: Ints, draws: NDArray[np.float64], how: Sampling
) -> Ints:
    """The next token of every repeat, from the distribution of the node it stands at."""
    if how.temperature == 0:
        return log_probabilities.argmax(axis=-1)[node]  # type: ignore[no-any-return]
    edges = np.cumsum(nucleus(log_probabilities, how.temperature, how.top_p), axis=-1)
    edges /= edges[:, -1:]
    # The token whose interval holds the draw; one with probability 0 holds none.
    return (edges[node] <= draws[:, None]).sum(axis=-1)  # type: ignore[no-any-return]
