"""The small model as a folder that MLX loads: `mlx_model.py GGUF FOLDER`.

MLX reads GGUF files and keeps their quantisation. What is left is naming: tensors as Hugging Face calls them, the
architecture as a config, and a tokenizer made of the vocabulary and merges that the GGUF holds.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

GROUP = 32
NAMES = [
    (r"token_embd\.", "model.embed_tokens."),
    (r"output_norm\.", "model.norm."),
    (r"blk\.(\d+)\.attn_norm\.", r"model.layers.\1.input_layernorm."),
    (r"blk\.(\d+)\.ffn_norm\.", r"model.layers.\1.post_attention_layernorm."),
    (r"blk\.(\d+)\.attn_output\.", r"model.layers.\1.self_attn.o_proj."),
    (r"blk\.(\d+)\.attn_([qkv])\.", r"model.layers.\1.self_attn.\2_proj."),
    (r"blk\.(\d+)\.ffn_(gate|up|down)\.", r"model.layers.\1.mlp.\2_proj."),
]


def rename_tensor(name: str) -> str:
    for pattern, replacement in NAMES:
        new, count = re.subn("^" + pattern, replacement, name)
        if count:
            return new
    raise ValueError(name)


def build_config(facts: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
    def get_fact(name: str) -> Any:
        return facts[f"llama.{name}"].item()

    quantisation: dict[str, Any] = {"group_size": GROUP, "bits": 4}
    for name, scales in tensors.items():
        if name.endswith(".scales"):
            layer = name.removesuffix(".scales")
            bits = tensors[f"{layer}.weight"].shape[-1] // scales.shape[-1] * 32 // GROUP
            if bits != quantisation["bits"]:
                quantisation[layer] = {"group_size": GROUP, "bits": bits}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": get_fact("embedding_length"),
        "num_hidden_layers": get_fact("block_count"),
        "intermediate_size": get_fact("feed_forward_length"),
        "num_attention_heads": get_fact("attention.head_count"),
        "num_key_value_heads": get_fact("attention.head_count_kv"),
        "rms_norm_eps": get_fact("attention.layer_norm_rms_epsilon"),
        "vocab_size": get_fact("vocab_size"),
        "max_position_embeddings": get_fact("context_length"),
        "rope_theta": get_fact("rope.freq_base"),
        "rope_traditional": True,  # GGUF files of this architecture hold q and k permuted for it
        "tie_word_embeddings": True,
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"].item(),
        "quantization": quantisation,
    }


def build_tokenizer(facts: dict[str, Any]) -> dict[str, Any]:
    tokens: list[str] = facts["tokenizer.ggml.tokens"]
    kinds: list[int] = facts["tokenizer.ggml.token_type"].tolist()
    control = 3
    special = [
        {"id": number, "content": token, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == control
    ]
    bytes_as_text = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytes_as_text],
        },
        "post_processor": None,
        "decoder": bytes_as_text,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": facts["tokenizer.ggml.merges"],
        },
    }


def main(source: str, target: str) -> None:
    mlx = import_module("mlx.core")
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    loaded, facts = mlx.load(source, return_metadata=True)
    tensors = {rename_tensor(name): tensor for name, tensor in loaded.items()}
    mlx.save_safetensors(str(folder / "model.safetensors"), tensors, {"format": "mlx"})
    for name, content in {
        "config.json": build_config(facts, tensors),
        "tokenizer.json": build_tokenizer(facts),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "clean_up_tokenization_spaces": False,
            "chat_template": facts["tokenizer.chat_template"],
        },
    }.items():
        (folder / name).write_text(json.dumps(content), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
