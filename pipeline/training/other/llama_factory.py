"""LLaMA-Factory: the YAML files of ``llamafactory-cli train`` and ``export``.

Keys after the project's ``examples/train_lora`` and ``examples/merge_lora`` (August 2026). The set
is named by its ``dataset_info.json``, which ``export --format llama-factory`` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ConfigError
from pipeline.training.other.deepspeed import FILE as DEEPSPEED
from pipeline.training.other.shared import as_yaml, half, notice_of, warmup

if TYPE_CHECKING:
    from pipeline.training.other import Files, Target

TRAIN, EXPORT = "llama-factory-train.yaml", "llama-factory-export.yaml"


def files(target: Target) -> Files:
    """The training file, and for LoRA the one that merges.

    Raises:
        ConfigError: the set is no LLaMA-Factory export.
    """
    data = target.data
    if data.format != "llama-factory":
        raise ConfigError(
            f"{data.path} is in format {data.format}; LLaMA-Factory reads an export of its own: "
            "cxr-pipeline export RUN_DIR --format llama-factory"
        )
    made = {
        TRAIN: (
            as_yaml(
                _train(target),
                f"llamafactory-cli train {TRAIN}",
                notice_of(target),
                f"Samples beyond {target.config.max_length} tokens are cut without a word there.",
            ),
            f"llamafactory-cli train {target.out / TRAIN}",
        )
    }
    if target.config.method == "lora":
        made[EXPORT] = (
            as_yaml(_export(target), f"llamafactory-cli export {EXPORT}", notice_of(target)),
            f"llamafactory-cli export {target.out / EXPORT}",
        )
    return made


def _train(target: Target) -> dict[str, Any]:
    config, data = target.config, target.data
    folder = data.parts["train"].parent
    validates = "validation" in data.parts and config.eval_every != "never"
    values: dict[str, Any] = {
        "model_name_or_path": str(target.base.path),
        "trust_remote_code": False,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": config.method,
    }
    if config.method == "lora":
        lora = config.lora
        values |= {
            "lora_rank": lora.rank,
            "lora_alpha": int(lora.alpha),
            "lora_dropout": lora.dropout,
            "lora_target": "all" if isinstance(lora.targets, str) else ",".join(lora.targets),
        }
        if lora.modules_to_save:
            values["additional_target"] = ",".join(lora.modules_to_save)
    values |= {
        "dataset_dir": str(folder.absolute()),
        "dataset": f"{data.name}_train",
        **({"eval_dataset": f"{data.name}_validation"} if validates else {}),
        **_template(target),
        "cutoff_len": config.max_length,
        "packing": config.packing,
        "mask_history": True,
        "output_dir": str(target.out / "llama-factory"),
        "logging_steps": config.log_every,
        "save_strategy": "epoch" if config.save_every == "epoch" else "steps",
        **({"save_steps": config.save_every} if config.save_every != "epoch" else {}),
        "save_total_limit": config.keep_checkpoints,
        "plot_loss": True,
        "report_to": "none",
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulate,
        "learning_rate": config.learning_rate,
        "num_train_epochs": config.epochs,
        **({"max_steps": config.max_steps} if config.max_steps else {}),
        "lr_scheduler_type": config.scheduler,
        **warmup(target),
        "weight_decay": config.weight_decay,
        "adam_beta1": config.beta1,
        "adam_beta2": config.beta2,
        "max_grad_norm": config.max_grad_norm,
        **half(target),
        "disable_gradient_checkpointing": not config.gradient_checkpointing,
        "seed": config.seed,
        "ddp_timeout": 180000000,
    }
    if validates:
        by_epoch = config.eval_every == "epoch"
        values |= {
            "per_device_eval_batch_size": config.eval_batch_size or config.batch_size,
            "eval_strategy": "epoch" if by_epoch else "steps",
            **({} if by_epoch else {"eval_steps": config.eval_every}),
        }
        if config.keep == "best":
            values |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    if target.deepspeed:
        values["deepspeed"] = str(target.out / DEEPSPEED)
    return values


def _export(target: Target) -> dict[str, Any]:
    return {
        "model_name_or_path": str(target.base.path),
        "adapter_name_or_path": str(target.out / "llama-factory"),
        **_template(target),
        "trust_remote_code": False,
        "export_dir": str(target.out / "merged"),
        "export_size": 5,
        "export_device": "cpu",
        "export_legacy_format": False,
    }


def _template(target: Target) -> dict[str, str]:
    name = target.config.llama_factory_template
    return {"template": name} if name else {}
