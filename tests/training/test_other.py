"""Files for other trainers; that LLaMA-Factory's parser takes them is checked in heavy tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import ConfigError, GovernanceError
from pipeline.training.other import write_files
from pipeline.training.presets import load_preset, resolve
from pipeline.training.train import TrainJob
from tests.training.folders import model_folder, training_set


def job(tmp_path: Path, format_: str, *items: str, data_class: str = "synthetic") -> TrainJob:
    return TrainJob(
        data=training_set(tmp_path / format_, format_, data_class=data_class),
        out=tmp_path / "out",
        config=resolve(load_preset("radreportx"), None, items),
        model=str(model_folder(tmp_path / "base")),
    )


def written(made: dict[Path, str], name: str) -> dict[str, Any]:
    path = next(path for path in made if path.name == name)
    value = yaml.safe_load(path.read_text())
    assert isinstance(value, dict)
    return value


def test_llama_factory_names_the_exported_sets(tmp_path: Path) -> None:
    asked = job(tmp_path, "llama-factory", "keep=best")
    made = write_files(asked, ["llama-factory", "deepspeed"])
    train = written(made, "llama-factory-train.yaml")
    info = json.loads((Path(train["dataset_dir"]) / "dataset_info.json").read_text())
    assert {train["dataset"], train["eval_dataset"]} <= set(info)
    assert (train["stage"], train["finetuning_type"], train["lora_rank"]) == ("sft", "lora", 8)
    assert train["lora_target"] == "q_proj,v_proj"
    assert (train["warmup_steps"], train["template"]) == (100, "llama3")
    assert train["trust_remote_code"] is False and train["report_to"] == "none"
    assert train["mask_history"] is True and train["load_best_model_at_end"] is True
    assert Path(train["deepspeed"]).is_file()
    merge = written(made, "llama-factory-export.yaml")
    assert merge["adapter_name_or_path"] == train["output_dir"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)


def test_axolotl_reads_conversations_by_the_names_of_their_fields(tmp_path: Path) -> None:
    made = write_files(job(tmp_path, "sharegpt", "lora.targets=all-linear"), ["axolotl"])
    config = written(made, "axolotl.yaml")
    (data,) = config["datasets"]
    assert data["type"] == "chat_template" and data["field_messages"] == "conversations"
    assert data["message_property_mappings"] == {"role": "from", "content": "value"}
    assert config["test_datasets"][0]["path"].endswith("validation.json")
    assert config["lora_target_linear"] is True and config["excess_length_strategy"] == "drop"
    assert config["trust_remote_code"] is False and "deepspeed" not in config


def test_accelerate_launches_our_own_command(tmp_path: Path) -> None:
    made = write_files(job(tmp_path, "trl"), ["accelerate"], devices=4)
    config = written(made, "accelerate.yaml")
    assert (config["distributed_type"], config["num_processes"]) == ("DEEPSPEED", 4)
    assert Path(config["deepspeed_config"]["deepspeed_config_file"]).is_file()
    script = (tmp_path / "out" / "launch.sh").read_text()
    assert "accelerate launch" in script and "--module pipeline.cli finetune" in script
    options = resolve(None, tmp_path / "out" / "finetune.yaml", [])
    assert options == resolve(load_preset("radreportx"), None, [])
    zero = written(made, "deepspeed-zero3.json")
    assert zero["zero_optimization"]["stage"] == 3


def test_one_gpu_needs_no_deepspeed(tmp_path: Path) -> None:
    made = write_files(job(tmp_path, "trl"), ["accelerate"])
    assert written(made, "accelerate.yaml")["mixed_precision"] == "bf16"
    assert not (tmp_path / "out" / "deepspeed-zero3.json").exists()


@pytest.mark.parametrize(
    ("trainer", "said"), [("llama-factory", "export"), ("axolotl", "sharegpt")]
)
def test_a_format_the_trainer_does_not_read_is_said(
    tmp_path: Path, trainer: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        write_files(job(tmp_path, "trl"), [trainer])


def test_credentialed_results_do_not_go_where_others_read(tmp_path: Path) -> None:
    asked = job(tmp_path, "llama-factory", data_class="credentialed")
    asked.out.mkdir(mode=0o755)
    with pytest.raises(GovernanceError, match="chmod 700"):
        write_files(asked, ["llama-factory"])
