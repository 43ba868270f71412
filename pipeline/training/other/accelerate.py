"""Accelerate: the launch of our own ``finetune`` on several GPUs, with DeepSpeed ZeRO-3."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from pipeline.training.other import deepspeed
from pipeline.training.other.shared import as_yaml, half, notice_of

if TYPE_CHECKING:
    from pipeline.training.other import Files, Target

FILE, SCRIPT, OPTIONS = "accelerate.yaml", "launch.sh", "finetune.yaml"


def files(target: Target) -> Files:
    """Configuration, the options of the training, and the command that starts it."""
    several = target.devices > 1
    made = {
        FILE: (
            as_yaml(_config(target), "accelerate launch --config_file", notice_of(target)),
            f"accelerate: {target.devices} GPU{'s, DeepSpeed ZeRO-3' if several else ''}",
        ),
        OPTIONS: (
            as_yaml(target.config.model_dump(mode="json"), "Options of cxr-pipeline finetune."),
            "options of the training",
        ),
        SCRIPT: (_script(target), f"sh {target.out / SCRIPT}"),
    }
    return {**made, **(deepspeed.files(target) if several else {})}


def _config(target: Target) -> dict[str, Any]:
    several = target.devices > 1
    values: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "distributed_type": "DEEPSPEED" if several else "NO",
        "downcast_bf16": "no",
        "machine_rank": 0,
        "main_training_function": "main",
        "num_machines": 1,
        "num_processes": target.devices,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": False,
    }
    if several:
        # Precision, batch and accumulation stand in the DeepSpeed file, as auto: the trainer's.
        values["deepspeed_config"] = {
            "deepspeed_config_file": str(target.out / deepspeed.FILE),
            "zero3_init_flag": True,
        }
    else:
        kinds = half(target)
        chosen = "bf16" if kinds["bf16"] else "fp16" if kinds["fp16"] else "no"
        values["mixed_precision"] = chosen
    return values


def _script(target: Target) -> str:
    job = target.job
    words = ["accelerate", "launch", "--config_file", str(target.out / FILE)]
    words += ["--module", "pipeline.cli", "finetune", str(job.data.absolute())]
    words += ["--model", str(target.base.path), "--config", str(target.out / OPTIONS)]
    words += ["--out", str(target.out / "model")]
    if job.validation:
        words += ["--validation", str(job.validation.absolute())]
    if job.data_class != "auto":
        words += ["--data-class", job.data_class]
    return (
        '#!/bin/sh\n# pip install "cxr-pipeline[train]" deepspeed\n'
        f"exec {' '.join(map(shlex.quote, words))}\n"
    )
