from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.training.config import TrainConfig
from pipeline.training.presets import load_preset, preset_names, resolve


def test_the_published_systems_have_presets() -> None:
    assert {"radiology-gpt", "medical-cxr-vqa", "radreportx", "llmlf"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_every_published_figure_is_an_option_that_is_set(name: str) -> None:
    preset = load_preset(name)
    config = resolve(preset, None, [])
    for key in preset.published:
        value: object = preset.options
        for part in key.split("."):
            assert isinstance(value, dict)
            value = value[part]
    assert config.max_length and preset.description and preset.base


def test_published_figures() -> None:
    radiology = resolve(load_preset("radiology-gpt"), None, [])
    assert (radiology.epochs, radiology.learning_rate, radiology.scheduler) == (3, 2e-4, "cosine")
    assert (radiology.batch_size, radiology.accumulate, radiology.max_length) == (4, 8, 4096)
    assert (radiology.lora.rank, radiology.lora.alpha) == (8, 32)
    assert radiology.lora.targets == ("q_proj", "v_proj")
    report = resolve(load_preset("radreportx"), None, [])
    assert (report.learning_rate, report.warmup, report.accumulate) == (3e-4, 100, 64)
    chinese = resolve(load_preset("llmlf"), None, [])
    assert (chinese.method, chinese.beta2, chinese.max_length) == ("full", 0.95, 512)


def test_file_and_items_override_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("learning_rate: 1e-3\nlora: {rank: 4}\n")
    config = resolve(load_preset("radreportx"), file, ["lora.alpha=64", "seed=7"])
    assert config.learning_rate == 1e-3
    assert (config.lora.rank, config.lora.alpha, config.lora.dropout) == (4, 64, 0.0)
    assert config.seed == 7


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["learning_rat=1"], "no option 'learning_rat'"),
        (["epochs=0"], "option epochs"),
        (["lora.targets=[]"], "at least one module"),
        (["keep=best", "save_every=10"], "keep: best needs"),
        (["packing=true", "group_by_length=true"], "packing"),
        (["scratch.hidden=100", "scratch.heads=3"], "heads times"),
        (["eval_every=0"], "number of steps"),
        (["learning_rate"], "key=value"),
    ],
)
def test_what_does_not_fit_is_said(items: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolve(None, None, items)


def test_unknown_preset_names_the_known() -> None:
    with pytest.raises(ConfigError, match="radiology-gpt"):
        load_preset("gpt")


def test_an_adapter_decides_nothing_where_all_weights_are_trained() -> None:
    full = TrainConfig(method="full")
    assert full.deciding() == full.model_copy(update={"log_every": 3}).deciding()
    assert "lora" not in full.deciding()
