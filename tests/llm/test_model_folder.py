"""A model folder is known without loading it, and another one is noticed."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.llm import model_folder
from pipeline.llm.config import parse_backend
from pipeline.llm.identity import identified
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.model_folder import read_model_folder, weights_of

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


def write_weights(path: Path, tensors: dict[str, bytes]) -> None:
    """A safetensors file of bf16 tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, data in tensors.items():
        shape = [len(data) // 2]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(tensors.values()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "llama"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / "tokenizer.json").write_text("{}")
    (path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    write_weights(path / "model.safetensors", {"a": bytes(200), "b": bytes(100)})
    return path


def test_what_a_folder_holds(folder: Path) -> None:
    found = read_model_folder(folder)
    assert found.architecture == "LlamaForCausalLM"
    assert (found.parameters, found.dtype, found.context) == (150, "bf16", 512)
    assert (found.bytes_as("fp32"), found.bytes_as("bf16")) == (600, 300)
    assert (
        found.cache_bytes("bf16") == 2 * 2 * (2 * 2) * 2
    )  # keys and values, layers, heads x width
    assert found.has_template
    assert not found.vision


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "holds no weights"),
        ("tokenizer.json", "holds no tokenizer"),
    ],
)
def test_what_is_missing_is_said(folder: Path, name: str, says: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=says):
        read_model_folder(folder)


def test_pickled_weights_are_not_loaded(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="pickled weights can run code"):
        read_model_folder(folder)


def test_an_adapter_is_no_model(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")
    with pytest.raises(ConfigError, match="is a LoRA adapter"):
        read_model_folder(folder)


def test_a_missing_shard_and_a_cut_file_are_found(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])
    with pytest.raises(ConfigError, match="is cut off"):
        read_model_folder(folder)
    index = {"weight_map": {"a": "model.safetensors", "c": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigError, match=r"1 of 2 weight files .* model-2\.safetensors"):
        read_model_folder(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist; .* allow_download: true"):
        read_model_folder(tmp_path / "meta-llama")


def local(folder: Path, **fields: Any) -> LocalModelConfig:
    return LocalModelConfig(kind="transformers", path=str(folder), **fields)


def test_a_copy_is_the_same_model_and_another_training_is_not(folder: Path, tmp_path: Path) -> None:
    first = weights_of(local(folder))
    copy = shutil.copytree(folder, tmp_path / "copy")
    os.utime(copy / "config.json", (1, 1))
    assert weights_of(local(copy)) == first
    (folder / "README.md").write_text("a note")
    assert weights_of(local(folder)) == first, "a note changes no answer"
    write_weights(folder / "model.safetensors", {"a": b"\1" + bytes(199), "b": bytes(100)})
    assert weights_of(local(folder)) != first


def test_other_settings_that_change_answers(folder: Path, tmp_path: Path) -> None:
    first = weights_of(local(folder))
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages }}")
    for changed in (
        {"dtype": "bf16"},
        {"stop": ["END"]},
        {"structured": "none"},
        {"template": "plain"},
        {"template": str(template)},
    ):
        assert weights_of(local(folder, **changed)) != first
    for same in ({"device": "cuda:1"}, {"batch_sequences": 3}, {"concurrency": 9}):
        assert weights_of(local(folder, **same)) == first


def test_a_large_file_is_known_by_pieces_of_every_tensor(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folder, "WHOLE_FILE", 1_000)
    dice = random.Random(0)
    tensors = {name: dice.randbytes(200_000) for name in "abc"}
    write_weights(folder / "model.safetensors", tensors)
    first = weights_of(local(folder))
    trained = {**tensors, "b": bytes((byte + 1) % 256 for byte in tensors["b"])}
    write_weights(folder / "model.safetensors", trained)
    assert weights_of(local(folder)) != first
    write_weights(folder / "model.safetensors", tensors)
    assert weights_of(local(folder)) == first


def test_the_weights_are_part_of_the_name(folder: Path) -> None:
    backend = parse_backend({"kind": "transformers", "path": str(folder)})
    assert backend.model == "llama"
    name = identified(backend).model
    assert name.startswith("llama@")
    assert identified(backend).model == name
    pool = {"kind": "transformers", "deployments": [{"path": str(folder), "device": "cuda:0"}]}
    pool["deployments"].append({"path": str(folder), "device": "cuda:1"})  # type: ignore[attr-defined]
    assert identified(parse_backend(pool)).model == name


def test_a_pool_is_one_model(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    write_weights(other / "model.safetensors", {"a": bytes(2)})
    pool = {"kind": "transformers", "deployments": [{"path": str(folder)}, {"path": str(other)}]}
    with pytest.raises(ConfigError, match="hold different models"):
        identified(parse_backend(pool))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "needs a path"),
        ({"path": "m", "url": "http://localhost"}, "url"),
        ({"path": "m", "device": "gpu"}, "device"),
        ({"path": "m", "device": "cpu", "device_map": "auto"}, "device or device_map"),
        ({"path": "m", "revision": "main"}, "allow_download"),
        ({"path": "m", "mode": "batch"}, "mode: batch belongs to services"),
        ({"path": "m", "batch_sequence": 3}, "did you mean batch_sequences"),
    ],
)
def test_wrong_settings(raw: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_backend({"kind": "transformers", **raw})
