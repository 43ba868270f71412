"""How much memory a training needs, estimated before anything is loaded.

Weights, gradients and the two moments of Adam are counted exactly. Activations are estimated with
34 bytes per token, layer and hidden unit without recomputation, and 2 bytes for the kept inputs of
the layers with it (Korthikanti et al. 2022, "Reducing Activation Recomputation in Large
Transformer Models", equation 2 without its quadratic part, which fused attention does not store).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConfigError
from pipeline.training.base_model import BaseModel
from pipeline.training.config import TrainConfig

LAYER_BYTES = 34
KEPT_BYTES = 2
OVERHEAD = 1 << 30
"""Bytes for libraries, buffers and fragments."""

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes a training needs.

    Attributes:
        weights: the model.
        training: gradients, moments and, for an adapter, its weights.
        activations: what is kept for the backward pass.
    """

    weights: int
    training: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.training + self.activations + OVERHEAD


def estimate(base: BaseModel, config: TrainConfig, precision: str, length: int) -> Estimate:
    """What a training on one device needs.

    Args:
        base: the model.
        config: its options.
        precision: ``bf16``, ``fp16`` or ``fp32``.
        length: tokens of the longest row.
    """
    half = precision != "fp32"
    parameters = base.parameters
    if config.method == "full":
        # Weights stay in 32 bit and are cast where they are used.
        weights, training = 4 * parameters, 12 * parameters
    else:
        weights = (2 if half else 4) * parameters
        training = 16 * adapter_parameters(base, config)
    hidden = base.size("hidden_size", "n_embd", "d_model")
    layers = base.size("num_hidden_layers", "n_layer", "num_layers")
    unit = config.batch_size * length * hidden * (1 if half else 2)
    if config.gradient_checkpointing:
        activations = unit * (KEPT_BYTES * layers + LAYER_BYTES)
    else:
        activations = unit * LAYER_BYTES * layers
    return Estimate(weights, training, activations)


def adapter_parameters(base: BaseModel, config: TrainConfig) -> int:
    """Weights of the adapter and of the modules trained whole."""
    total = 0
    for name, shape in base.shapes.items():
        module = name.removesuffix(".weight")
        last = module.rsplit(".", 1)[-1]
        if last in config.lora.modules_to_save:
            total += math.prod(shape)
        elif len(shape) == 2 and (
            last in config.lora.targets
            if config.lora.targets != "all-linear"
            else not any(word in last for word in ("embed", "lm_head", "wte", "wpe"))
        ):
            total += config.lora.rank * sum(shape)
    return total


def available(use_gpu: bool) -> int:
    """Bytes free on the GPU, or in memory as far as this process may use it."""
    if use_gpu:
        import torch

        return int(torch.cuda.mem_get_info()[0])
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) << 10
    for limit, used in (("memory.max", "memory.current"),):
        group = Path("/sys/fs/cgroup")
        values = [*_lines(group / limit), *_lines(group / used)]
        if len(values) == 2 and all(value.strip().isdigit() for value in values):
            free = min(free, max(0, int(values[0]) - int(values[1])))
    return free


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def check_memory(
    base: BaseModel, config: TrainConfig, precision: str, length: int, free: int
) -> Estimate:
    """The estimate, where it fits.

    Raises:
        ConfigError: it does not; says what is needed, what is free, and what would fit.
    """
    needed = estimate(base, config, precision, length)
    if not config.check_memory or needed.total <= free:
        return needed
    fits = [
        words
        for words, other, at in _alternatives(config, precision, length)
        if estimate(base, other, at, min(length, other.max_length)).total <= free
    ]
    advice = f"would fit: {'; '.join(fits[:3])}" if fits else _give_up(needed, free)
    raise ConfigError(
        f"training {base.parameters / 1e9:.2f} billion weights ({config.method}, {precision}, "
        f"batch {config.batch_size} of {length} tokens) needs about {needed.total / _GIB:.1f} GiB, "
        f"{free / _GIB:.1f} GiB are free; {advice} (--set check_memory=false tries it anyway)"
    )


def _alternatives(
    config: TrainConfig, precision: str, length: int
) -> Iterator[tuple[str, TrainConfig, str]]:
    """Milder options, the least change first."""
    steps = config.batch_size * config.accumulate
    small = {"batch_size": 1, "accumulate": steps}
    kept = {"gradient_checkpointing": True}
    half = "bf16" if precision == "fp32" else precision
    for words, changes, at in (
        ("gradient_checkpointing=true", kept, precision),
        (f"batch_size=1 accumulate={steps}", small, precision),
        (
            f"gradient_checkpointing=true batch_size=1 accumulate={steps}",
            {**small, **kept},
            precision,
        ),
        (
            f"method=lora batch_size=1 accumulate={steps} gradient_checkpointing=true",
            {**small, **kept, "method": "lora"},
            precision,
        ),
        (
            "method=lora precision=bf16 batch_size=1 gradient_checkpointing=true",
            {**small, **kept, "method": "lora"},
            half,
        ),
        (
            "method=lora precision=bf16 batch_size=1 gradient_checkpointing=true max_length=512",
            {**small, **kept, "method": "lora", "max_length": 512},
            half,
        ),
    ):
        yield words, config.model_copy(update=changes), at


def _give_up(needed: Estimate, free: int) -> str:
    devices = max(2, math.ceil(needed.total / max(free, 1)))
    return (
        f"a smaller model, or {devices} devices of this size with DeepSpeed ZeRO-3 "
        "(--write accelerate writes the files)"
    )
