"""TRL's trainer, set up from our options: pre-tokenised rows, no report to anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.training.base_model import BaseModel
from pipeline.training.config import TrainConfig


def make_trainer(
    config: TrainConfig,
    base: BaseModel,
    tokenizer: Any,
    precision: str,
    *,
    train: Any,
    validation: Any,
    checkpoints: Path,
) -> Any:
    """An ``SFTTrainer`` that is ready to train.

    Args:
        config: the options.
        base: the base model.
        tokenizer: its tokenizer, the chat template set.
        precision: ``bf16``, ``fp16`` or ``fp32``.
        train: rows of ``input_ids`` and ``labels``.
        validation: the same to evaluate on, or None.
        checkpoints: where checkpoints go.

    Raises:
        ConfigError: the model cannot be loaded, or has no module of the adapter's targets.
    """
    from transformers import AutoModelForCausalLM, PrinterCallback
    from trl import SFTTrainer

    # The arguments come first: with DeepSpeed they decide how a model is loaded.
    arguments = make_arguments(config, precision, checkpoints, evaluates=validation is not None)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base.path, dtype=_dtype(config, precision), trust_remote_code=False
        )
    except Exception as error:  # of many kinds: files, formats, architectures
        raise ConfigError(
            f"{base.path} cannot be loaded as a causal language model ({type(error).__name__})"
        ) from None
    try:
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=train,
            eval_dataset=validation,
            processing_class=tokenizer,
            peft_config=_adapter(config) if config.method == "lora" else None,
        )
    except ValueError as error:
        if "arget modules" in str(error):
            raise ConfigError(
                f"the model has no modules {', '.join(config.lora.targets)}; name others with "
                "--set lora.targets=[...] or take all-linear"
            ) from None
        raise
    trainer.remove_callback(PrinterCallback)
    return trainer


def make_arguments(
    config: TrainConfig, precision: str, checkpoints: Path, *, evaluates: bool
) -> Any:
    """The trainer's arguments for our options."""
    from dataclasses import fields

    import torch
    from trl import SFTConfig

    # Two options have other names since transformers 5.2x; the old ones warn.
    names = {field.name for field in fields(SFTConfig)}
    recompute = next(
        name for name in ("activation_checkpointing", "gradient_checkpointing") if name in names
    )
    order: dict[str, Any] = (
        {"train_sampling_strategy": "group_by_length" if config.group_by_length else "random"}
        if "train_sampling_strategy" in names
        else {"group_by_length": config.group_by_length}
    )
    eval_every = config.eval_every if evaluates else "never"
    return SFTConfig(
        output_dir=str(checkpoints),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.eval_batch_size or config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.scheduler,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        adam_beta1=config.beta1,
        adam_beta2=config.beta2,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch",
        seed=config.seed,
        data_seed=config.seed,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        **{recompute: config.gradient_checkpointing},
        **order,
        packing=config.packing,
        eval_packing=False,
        # Rows have their length already; only packing needs to know it.
        max_length=config.max_length if config.packing else None,
        logging_steps=config.log_every,
        logging_first_step=True,
        save_strategy="epoch" if config.save_every == "epoch" else "steps",
        save_steps=config.save_every if isinstance(config.save_every, int) else 500,
        save_total_limit=config.keep_checkpoints,
        eval_strategy={"epoch": "epoch", "never": "no"}.get(str(eval_every), "steps"),
        eval_steps=eval_every if isinstance(eval_every, int) else None,
        load_best_model_at_end=config.keep == "best" and evaluates,
        metric_for_best_model="eval_loss" if config.keep == "best" and evaluates else None,
        greater_is_better=False if config.keep == "best" and evaluates else None,
        report_to="none",
        push_to_hub=False,
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        trust_remote_code=False,
    )


def _dtype(config: TrainConfig, precision: str) -> Any:
    """Weights that are trained stay in 32 bit; frozen ones need no more than is computed with."""
    import torch

    if config.method == "full" or precision == "fp32":
        return torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float16


def _adapter(config: TrainConfig) -> Any:
    from peft import LoraConfig

    lora = config.lora
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        modules_to_save=list(lora.modules_to_save) or None,
    )
