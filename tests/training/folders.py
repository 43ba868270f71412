"""Model folders and training sets for the tests of training; the models hold no weights."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.exports.sample_records import export, facts, record

LLAMA_7B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 4096,
}


def llama_shapes(layers: int = 32, hidden: int = 4096, inner: int = 11008) -> dict[str, list[int]]:
    """The weights of a Llama 2 of 7 billion, or of a smaller one."""
    shapes = {"model.embed_tokens.weight": [32000, hidden], "lm_head.weight": [32000, hidden]}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = [hidden, hidden]
        shapes[f"{at}.mlp.gate_proj.weight"] = [inner, hidden]
        shapes[f"{at}.mlp.up_proj.weight"] = [inner, hidden]
        shapes[f"{at}.mlp.down_proj.weight"] = [hidden, inner]
    return shapes


def model_folder(
    folder: Path,
    config: Mapping[str, Any] = LLAMA_7B,
    shapes: Mapping[str, list[int]] | None = None,
) -> Path:
    """A folder whose headers are those of a model; its weights are a hole in the file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    header: dict[str, Any] = {}
    end = 0
    for name, shape in (shapes or {"model.embed_tokens.weight": [10, 4]}).items():
        size = 2
        for length in shape:
            size *= length
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return folder


def training_set(
    folder: Path, format_: str, count: int = 20, data_class: str = "synthetic"
) -> Path:
    """An export of ``count`` samples about half as many patients, in three parts."""
    rows = [
        record(
            number,
            subject_id=str(number),
            split=("train", "train", "train", "validate", "test")[number % 5],
            system="Be short." if number % 3 == 0 else "",
            history=[["First?", "Yes."]] if number % 4 == 0 else None,
        )
        for number in range(count)
    ]
    export(format_, rows, folder, facts("toy", data_class))
    return folder
