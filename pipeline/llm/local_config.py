"""What a recipe says of a model that runs in this process: a folder, and how to load and batch it.

::

    backends:
      local: {kind: transformers, path: /models/llama-3.1-8b, dtype: bf16, device: cuda}

Nothing is fetched: a name of the Hugging Face hub is taken only with ``allow_download: true``.
Code that comes with a model is never run, and weights are read from safetensors files only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Dtype = Literal["auto", "bf16", "fp16", "fp32"]
PositiveInt = Annotated[int, Field(gt=0)]


class LocalModelConfig(BaseModel):
    """A Hugging Face model folder that answers in this process.

    Attributes:
        kind: ``transformers``.
        path: folder of a causal language model, or of an image-text model where requests hold
            images; a name of the hub only with ``allow_download``. Relative to where the command
            is started.
        adapter: folder of a LoRA adapter (PEFT) that is put on top.
        revision: of a model of the hub.
        allow_download: lets ``path`` be fetched from the hub; everything else stays offline.
        dtype: numbers the weights are held in. ``auto``: what the folder says on a GPU, fp32 on
            a CPU, whose half precision is slow.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``auto`` is the first GPU, else the CPU.
        device_map: spreads one model over several devices (``auto``, ``balanced``,
            ``sequential``, or a map of modules to devices); takes the place of ``device``.
        attention: the implementation of attention; ``auto`` leaves it to transformers.
        batch_sequences: most requests that are generated together.
        batch_tokens: most tokens they hold together, padding and answers to come included; None
            takes what the memory that is free after loading allows.
        context: most tokens of prompt and answer; None takes what the model was made for.
        template: chat template in place of the tokenizer's: a jinja file, or one of
            ``pipeline.llm.chat_templates`` by name (``plain``, ``alpaca``, ...).
        template_options: variables handed to the chat template, such as
            ``{enable_thinking: false}``.
        stop: strings that end an answer; they are cut off.
        structured: ``json_schema`` holds answers to the schema of a request by constrained
            decoding; ``none`` lets the model write what it likes.
        concurrency: requests that wait or are generated at once; the more there are, the better
            they are sorted by length.
        timeout_s: longest time one answer may take from its first token on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["transformers"]
    path: Annotated[str, Field(min_length=1)]
    adapter: str | None = None
    revision: str | None = None
    allow_download: bool = False
    dtype: Dtype = "auto"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    device_map: Literal["auto", "balanced", "sequential"] | Mapping[str, int | str] | None = None
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = "auto"
    batch_sequences: Annotated[int, Field(ge=1, le=4096)] = 64
    batch_tokens: PositiveInt | None = None
    context: PositiveInt | None = None
    template: str | None = None
    template_options: Mapping[str, Any] = Field(default_factory=dict)
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    structured: Literal["json_schema", "none"] = "json_schema"
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 256
    timeout_s: Annotated[float, Field(gt=0)] = 3600.0

    target: ClassVar[None] = None
    """Nothing leaves this process."""
    rpm: ClassVar[None] = None
    tpm: ClassVar[None] = None
    windows_s: ClassVar[tuple[float, ...]] = ()
    refund_tokens: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """Name in statistics and logs: folder and device."""
        device = self.device if self.device_map is None else "several devices"
        return f"{Path(self.path).name} on {device}"

    @model_validator(mode="before")
    @classmethod
    def _one_device(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("device_map") is not None and "device" in data:
            raise ValueError("give device or device_map, not both")
        return data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.revision is not None and not self.allow_download:
            raise ValueError("revision: belongs to a model of the hub; set allow_download: true")
        return self

    def answers(self) -> dict[str, Any]:
        """What of it changes an answer, the files it names aside; where it runs does not."""
        return {
            "dtype": self.dtype,
            "context": self.context,
            "template_options": dict(self.template_options),
            "stop": list(self.stop),
            "structured": self.structured,
        }
