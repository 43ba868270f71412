"""Hyperparameters of a fine-tuning: what a preset, a YAML file and ``--set`` fill in."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.core.errors import ConfigError

Method = Literal["lora", "full"]
Precision = Literal["auto", "bf16", "fp16", "fp32"]
Scheduler = Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"]

FREE = frozenset({"log_every", "save_every", "keep_checkpoints", "eval_batch_size", "check_memory"})
"""Options that change nothing of what is learned: a resumed training may have others."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LoraOptions(_Part):
    """The adapter of ``method: lora``.

    Attributes:
        rank: rank of the two factors.
        alpha: scale; the update is multiplied by ``alpha / rank``.
        dropout: dropout before the first factor.
        targets: ``all-linear``, or names of the modules that get an adapter.
        modules_to_save: modules that are trained whole and stored with the adapter, such as
            ``embed_tokens`` where answers need tokens the base model never saw.
    """

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    modules_to_save: tuple[str, ...] = ()

    @field_validator("targets")
    @classmethod
    def _some(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one module, or be all-linear")
        return value


class ScratchOptions(_Part):
    """Shape of a model made from scratch; the defaults make 0.8 million parameters.

    Attributes:
        hidden: width.
        layers: number of layers.
        heads: attention heads; must divide ``hidden``.
        vocabulary: most tokens of the tokenizer trained on the set.
        positions: longest sequence.
    """

    hidden: int = Field(default=128, ge=16)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)
    vocabulary: int = Field(default=1536, ge=300)
    positions: int = Field(default=1024, ge=64)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError("hidden must be heads times an even number")
        return self


class TrainConfig(_Part):
    """Everything that decides what is learned, besides data and base model.

    Attributes:
        method: ``lora`` trains an adapter, ``full`` all weights.
        epochs: passes over the training part.
        max_steps: stop after so many steps, whatever ``epochs`` says; None for no limit.
        learning_rate: highest rate.
        scheduler: course of the rate after the warm-up.
        warmup: steps of warm-up, or below 1 the share of all steps.
        weight_decay: of AdamW.
        beta1: of AdamW.
        beta2: of AdamW.
        max_grad_norm: gradients are cut to this norm.
        batch_size: samples per device and step.
        accumulate: steps whose gradients are added up before an update.
        eval_batch_size: samples per device in evaluation; None takes ``batch_size``.
        max_length: most tokens of a sample, prompt and answer together.
        too_long: what happens to longer ones: ``reject`` leaves them out, ``truncate`` cuts their
            answer at the end (a prompt that leaves no room for an answer is always left out).
        packing: put several samples into one row of ``max_length``.
        group_by_length: put samples of like length into one batch, which saves padding.
        template: ``auto`` (the tokenizer's own, ``alpaca`` where it has none), another
            of ``pipeline.llm.chat_templates``, or the path of a Jinja file; saved with the model.
        precision: ``auto`` is bf16 on a GPU that has it, fp16 on others, fp32 on a CPU.
        gradient_checkpointing: recompute activations instead of keeping them.
        seed: of shuffling, adapter, dropout and new weights.
        eval_every: evaluate on the validation part every so many steps, or ``epoch`` or ``never``.
        save_every: checkpoint every so many steps, or ``epoch``.
        keep: weights at the end: those of the ``last`` step, or of the ``best`` evaluation.
        keep_checkpoints: checkpoints kept while training; all go when it is done.
        log_every: steps between two lines of the loss log.
        check_memory: refuse before loading what will not fit into memory.
        lora: the adapter.
        scratch: the shape of a model made from scratch.
        llama_factory_template: template name in files for LLaMA-Factory; "" takes the tokenizer's.
    """

    method: Method = "lora"
    epochs: float = Field(default=3, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    scheduler: Scheduler = "cosine"
    warmup: float = Field(default=0.03, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    beta1: float = Field(default=0.9, gt=0, lt=1)
    beta2: float = Field(default=0.999, gt=0, lt=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=4, ge=1)
    accumulate: int = Field(default=8, ge=1)
    eval_batch_size: int | None = Field(default=None, ge=1)
    max_length: int = Field(default=2048, ge=16)
    too_long: Literal["reject", "truncate"] = "reject"
    packing: bool = False
    group_by_length: bool = False
    template: str = "auto"
    precision: Precision = "auto"
    gradient_checkpointing: bool = True
    seed: int = Field(default=0, ge=0, lt=2**32)
    eval_every: int | Literal["epoch", "never"] = "epoch"
    save_every: int | Literal["epoch"] = "epoch"
    keep: Literal["last", "best"] = "last"
    keep_checkpoints: int = Field(default=2, ge=1)
    log_every: int = Field(default=10, ge=1)
    check_memory: bool = True
    lora: LoraOptions = LoraOptions()
    scratch: ScratchOptions = ScratchOptions()
    llama_factory_template: str = ""

    @field_validator("eval_every", "save_every")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be a number of steps, 1 or more")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.packing and self.group_by_length:
            raise ValueError("packing leaves nothing to group_by_length; take one of them")
        if self.keep == "best" and self.eval_every != self.save_every:
            raise ValueError("keep: best needs eval_every and save_every to be the same")
        return self

    def deciding(self) -> dict[str, Any]:
        """What decides the result, as JSON: a training resumes only where this is the same."""
        values = self.model_dump(mode="json", exclude=set(FREE))
        if self.method == "full":
            del values["lora"]
        return values


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """The configuration of plain values.

    Raises:
        ConfigError: an unknown key or a value that does not fit; names the key, not the value.
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the configuration"
        if problem["type"] == "extra_forbidden":
            raise ConfigError(f"fine-tuning has no option {where!r}") from None
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"fine-tuning option {where}: {message}") from None
