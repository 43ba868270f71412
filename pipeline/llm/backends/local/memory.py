"""Memory of a local model: what is free, what it needs, what would fit."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.model_folder import ModelFolder

HEADROOM = 1.1
"""Loading needs so much more than the weights: buffers, and what the libraries take themselves."""
CACHE_SHARE = 0.5
"""Share of the memory left after loading that a batch may hold in its key-value cache.

Its blocks are a quarter larger than what is in use, and the activations of a step come on top.
"""
LEAST_BATCH_TOKENS, MOST_BATCH_TOKENS = 4_096, 1 << 20


def free_memory(device: Any) -> int | None:
    """Bytes that are free on ``device``; None where nobody can say."""
    import torch

    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    if device.type == "cpu":
        return free_main_memory()
    return None


def free_main_memory() -> int | None:
    """Bytes of main memory this process can still take, the limit of its group included."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    free = kilobytes.get("MemAvailable", 0) * 1024
    try:
        root = Path("/sys/fs/cgroup")
        limit = (root / "memory.max").read_text(encoding="ascii").strip()
        used = int((root / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return free or None
    return min(free, int(limit) - used) if limit.isdigit() else free or None


def require_memory(config: LocalModelConfig, folder: ModelFolder, device: Any, dtype: str) -> None:
    """See that the weights fit.

    Raises:
        ConfigError: they do not; says how much is needed and what would fit.
    """
    if config.device_map is not None:
        return  # accelerate places what does not fit elsewhere
    free = free_memory(device)
    if free is not None and folder.bytes_as(dtype) * HEADROOM > free:
        raise ConfigError(too_little(config, folder, device, dtype, free))


def too_little(
    config: LocalModelConfig, folder: ModelFolder, device: Any, dtype: str, free: int | None
) -> str:
    """How much memory is needed and what would fit, in a line."""
    needed = folder.bytes_as(dtype) * HEADROOM
    have = "too little is free" if free is None else f"{free / 1e9:.1f} GB are free"
    ways = []
    half = folder.bytes_as("bf16") * HEADROOM
    if dtype == "fp32" and free is not None and half <= free:
        ways.append(f"dtype: bf16 ({half / 1e9:.1f} GB) fits")
    if device.type == "cuda":
        ways.append("device_map: auto spreads it over all GPUs and main memory")
    if free is not None:
        size = 4 if dtype == "fp32" else 2
        ways.append(f"a model of {free / HEADROOM / size / 1e9:.1f} billion parameters would fit")
    ways.append("or serve a quantised one with llama.cpp or Ollama")
    return (
        f"{folder.path.name} needs {needed / 1e9:.1f} GB as {dtype} on {device}, and {have}: "
        + "; ".join(ways)
    )


def batch_tokens(folder: ModelFolder, dtype: str, free: int | None) -> int:
    """Tokens whose key-value cache fits into the memory that is left after loading."""
    size = folder.cache_bytes(dtype)
    if free is None or not size:
        return 32_768
    return max(LEAST_BATCH_TOKENS, min(MOST_BATCH_TOKENS, int(free * CACHE_SHARE / size)))


def release_memory() -> None:
    """Give what torch keeps for later back to the device."""
    torch = sys.modules.get("torch")
    gc.collect()
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU or in main memory."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error)
        for words in ("not enough memory", "can't allocate memory", "out of memory")
    )
