"""Axolotl: the YAML file of ``axolotl train``.

Keys after ``axolotl.utils.schemas`` (2026). ``type: sharegpt`` is gone there: conversations are
read as ``chat_template`` with the names of their fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ConfigError
from pipeline.training.other.deepspeed import FILE as DEEPSPEED
from pipeline.training.other.shared import as_yaml, half, notice_of, warmup

if TYPE_CHECKING:
    from pipeline.training.other import Files, Target

FILE = "axolotl.yaml"


def files(target: Target) -> Files:
    """The training file.

    Raises:
        ConfigError: the set is in a format that Axolotl does not read.
    """
    text = as_yaml(_train(target), f"axolotl train {FILE}", notice_of(target))
    return {FILE: (text, f"axolotl train {target.out / FILE}")}


def _train(target: Target) -> dict[str, Any]:
    config, data = target.config, target.data
    validates = "validation" in data.parts and config.eval_every != "never"
    values: dict[str, Any] = {
        "base_model": str(target.base.path),
        "trust_remote_code": False,
        "datasets": [_dataset(target, data.parts["train"])],
        **({"test_datasets": [_dataset(target, data.parts["validation"])]} if validates else {}),
        "val_set_size": 0,
        "dataset_prepared_path": str(target.out / "axolotl-prepared"),
        "output_dir": str(target.out / "axolotl"),
        "sequence_len": config.max_length,
        "excess_length_strategy": "truncate" if config.too_long == "truncate" else "drop",
        "sample_packing": config.packing,
        "eval_sample_packing": False,
        "group_by_length": config.group_by_length,
    }
    if config.method == "lora":
        lora = config.lora
        values |= {
            "adapter": "lora",
            "lora_r": lora.rank,
            "lora_alpha": int(lora.alpha),
            "lora_dropout": lora.dropout,
            **(
                {"lora_target_linear": True}
                if isinstance(lora.targets, str)
                else {"lora_target_modules": list(lora.targets)}
            ),
        }
        if lora.modules_to_save:
            values["lora_modules_to_save"] = list(lora.modules_to_save)
    values |= {
        "micro_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulate,
        "eval_batch_size": config.eval_batch_size or config.batch_size,
        "num_epochs": config.epochs,
        **({"max_steps": config.max_steps} if config.max_steps else {}),
        "optimizer": "adamw_torch",
        "adam_beta1": config.beta1,
        "adam_beta2": config.beta2,
        "max_grad_norm": config.max_grad_norm,
        "learning_rate": config.learning_rate,
        "lr_scheduler": config.scheduler,
        **warmup(target),
        "weight_decay": config.weight_decay,
        **half(target),
        "gradient_checkpointing": config.gradient_checkpointing,
        "logging_steps": config.log_every,
        **_rhythm("eval", config.eval_every if validates else "never"),
        **_rhythm("save", config.save_every),
        "save_total_limit": config.keep_checkpoints,
        "seed": config.seed,
    }
    if target.deepspeed:
        values["deepspeed"] = str(target.out / DEEPSPEED)
    return values


def _rhythm(what: str, every: int | str) -> dict[str, Any]:
    if every == "never":
        return {f"{what}_strategy": "no"}
    if every == "epoch":
        return {f"{what}_strategy": "epoch"}
    return {f"{what}_strategy": "steps", f"{what}_steps": every}


def _dataset(target: Target, path: Path) -> dict[str, Any]:
    format_ = target.data.format
    file = {"path": str(path.absolute()), "ds_type": "json"}
    if format_ == "sharegpt":
        return {
            **file,
            "type": "chat_template",
            "chat_template": "tokenizer_default_fallback_chatml",
            "field_messages": "conversations",
            "message_property_mappings": {"role": "from", "content": "value"},
            "roles_to_train": ["assistant"],
            "train_on_eos": "turn",
        }
    if format_ in ("alpaca", "llama-factory"):
        return {**file, "type": "alpaca"}
    raise ConfigError(
        f"{target.data.path} is in format {format_}; Axolotl reads an export as sharegpt: "
        "cxr-pipeline export RUN_DIR --format sharegpt"
    )
