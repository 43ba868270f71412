from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.training.base_model import find_model, read_model
from pipeline.training.config import TrainConfig
from pipeline.training.memory import adapter_parameters, check_memory, estimate
from pipeline.training.presets import load_preset, resolve
from tests.training.folders import LLAMA_7B, llama_shapes, model_folder

GIB = 1 << 30


def llama(tmp_path: Path, layers: int = 2) -> Path:
    return model_folder(tmp_path / "llama", LLAMA_7B, llama_shapes(layers, 256, 512))


def test_weights_are_counted_from_the_headers(tmp_path: Path) -> None:
    base = read_model(llama(tmp_path))
    assert base.parameters == 2 * 32000 * 256 + 2 * (4 * 256 * 256 + 3 * 256 * 512)
    config = resolve(load_preset("radiology-gpt"), None, [])
    # Rank 8 on q_proj and v_proj of two layers: 8 * (256 + 256) each.
    assert adapter_parameters(base, config) == 2 * 2 * 8 * 512
    everywhere = TrainConfig.model_validate({"lora": {"rank": 1}})
    assert adapter_parameters(base, everywhere) == 2 * (4 * 512 + 3 * 768)


def test_all_weights_take_sixteen_bytes_each(tmp_path: Path) -> None:
    base = read_model(llama(tmp_path))
    needed = estimate(base, TrainConfig(method="full"), "bf16", 100)
    assert needed.weights + needed.training == 16 * base.parameters


def test_too_little_memory_says_what_would_fit(tmp_path: Path) -> None:
    base = read_model(llama(tmp_path))
    config = TrainConfig(method="full", batch_size=64, accumulate=1, gradient_checkpointing=False)
    free = estimate(base, config, "fp32", 4096).total - 1
    with pytest.raises(ConfigError, match="would fit: gradient_checkpointing=true"):
        check_memory(base, config, "fp32", 4096, free)
    with pytest.raises(ConfigError, match="ZeRO-3"):
        check_memory(base, config, "fp32", 4096, GIB)
    tried = config.model_copy(update={"check_memory": False})
    assert check_memory(base, tried, "fp32", 4096, GIB).total > GIB


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allow-download"):
        find_model("some/model")
    with pytest.raises(ConfigError, match=r"config\.json"):
        read_model(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="merge it first"):
        read_model(tmp_path)
    packed = model_folder(tmp_path / "q", {**LLAMA_7B, "quantization_config": {"bits": 4}})
    with pytest.raises(ConfigError, match="quantised"):
        read_model(packed)
    pickled = model_folder(tmp_path / "p")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="safetensors"):
        read_model(pickled)


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.training import libraries

    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "trl" else object())
    with pytest.raises(
        ConfigError, match=r'needs trl; install it: pip install "cxr-pipeline\[train\]"'
    ):
        libraries.require()
