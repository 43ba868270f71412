"""What is known of a local model before it is loaded, and what would keep it from answering."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from pipeline.core.errors import ConfigError
from pipeline.llm.backends.local import load, memory
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.model_folder import ModelFolder, model_path, read_model_folder


def examine(config: LocalModelConfig) -> Iterator[tuple[str, str]]:
    """Lines about a local model, each with a level: ``ok``, ``note`` or ``bad``.

    Loads no weights. Torch is asked for the device and its memory.
    """
    try:
        load.prepare_environment(config)
    except ConfigError as error:
        yield "bad", str(error)
        return
    if config.adapter is not None and find_spec("peft") is None:
        yield "bad", 'adapter needs peft: pip install "cxr-pipeline[train]"'
    if config.structured == "json_schema" and find_spec("llguidance") is None:
        yield (
            "bad",
            "structured: json_schema needs llguidance: pip install "
            '"cxr-pipeline[local]", or set structured: none',
        )
    path = model_path(config)
    if path is None:
        yield "note", f"{config.path} will be downloaded from the hub when it is first asked"
        return
    try:
        folder = read_model_folder(path)
        yield from _describe(config, folder)
    except ConfigError as error:
        yield "bad", str(error)


def _describe(config: LocalModelConfig, folder: ModelFolder) -> Iterator[tuple[str, str]]:
    device = load.find_device(config)
    dtype = load.pick_dtype(config, folder, device)
    weights = folder.bytes_as(dtype) / 1e9
    yield (
        "ok",
        f"{folder.architecture}, {folder.parameters:,} parameters, stored as {folder.dtype}, "
        f"{folder.weight_bytes / 1e9:.1f} GB",
    )
    free = memory.free_memory(device)
    have = "" if free is None else f", {free / 1e9:.1f} GB are free"
    yield "ok", f"on {device} as {dtype}: {weights:.1f} GB of weights{have}"
    memory.require_memory(config, folder, device, dtype)
    if free is not None and folder.cache_numbers and config.batch_tokens is None:
        left = max(0, free - folder.bytes_as(dtype))
        tokens = memory.batch_tokens(folder, dtype, left)
        size = folder.cache_bytes(dtype) / 1e3
        yield "ok", f"{size:,.0f} kB a token in the cache: batches of up to {tokens:,} tokens"
    context = config.context or folder.context
    says = f"context of {context:,} tokens" if context else "a context it does not name"
    if config.template is None and not folder.has_template:
        yield (
            "bad",
            "its tokenizer has no chat template; set template: plain (a base model), "
            "template: alpaca, or a jinja file",
        )
    else:
        template = config.template or "of its tokenizer"
        yield "ok", f"{says}, chat template {template}"
