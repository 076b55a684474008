"""A trained model as an ordinary Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file

from cod_harness.demo.train import shapes
from cod_harness.demo.train.data import ID
from cod_harness.demo.train.model import EPSILON, ROTARY_BASE, Llama


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
