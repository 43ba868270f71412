"""Loading a Hugging Face model folder: offline, from safetensors, without code of others.

A loaded model is kept until another one is needed and nobody uses it, so that the stages of a run
that ask the same model load it once.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.llm.backends.local.cache import unsupported
from pipeline.llm.backends.local.memory import (
    batch_tokens,
    free_memory,
    out_of_memory,
    release_memory,
    require_memory,
    too_little,
)
from pipeline.llm.chat_templates import CHAT_TEMPLATES
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.model_folder import (
    DTYPE_BYTES,
    ModelFolder,
    model_path,
    read_model_folder,
    read_template,
    weights_of,
)

Note = Callable[[str], None]
"""Takes a line for the user."""

_lock = threading.Lock()
_kept: dict[str, Loaded] = {}


@dataclass(slots=True)
class Loaded:
    """A model ready to answer.

    Attributes:
        model: the torch module, in evaluation mode.
        tokenizer: its tokenizer.
        template: chat template, None for the tokenizer's own.
        special: whether the tokenizer adds its special tokens, which a chat template does itself.
        device: where input goes.
        dtype: of the weights: ``fp32``, ``bf16``, ``fp16``.
        context: most tokens of prompt and answer.
        eos: tokens that end an answer.
        pad: token that fills up; masked, so any will do.
        batch_tokens: what the memory left after loading allows.
        cache_name: how this model's forward calls the key-value cache.
        forward_names: arguments its forward takes.
        folder: what is known of it without loading.
        processor: makes tensors of texts and images; None for a model of text alone.
        positions: gives the places of text and image tokens, where the model counts them otherwise.
        grammars: schema grammars, made when one is asked for.
        users: threads that generate with it now.
    """

    model: Any
    tokenizer: Any
    template: str | None
    special: bool
    device: Any
    dtype: str
    context: int
    eos: frozenset[int]
    pad: int
    batch_tokens: int
    cache_name: str
    forward_names: frozenset[str]
    folder: ModelFolder
    processor: Any = None
    positions: Any = None
    grammars: Any = None
    users: int = 0


def load(config: LocalModelConfig, note: Note = lambda _: None) -> Loaded:
    """The model of ``config``, loaded now or before; :func:`let_go` says that it is not used.

    Raises:
        ConfigError: no model, a missing library, too little memory; says what to do.
    """
    with _lock:
        key = f"{weights_of(config)} {config.model_dump_json()}"
        known = _kept.get(key)
        if known is None:
            for unused in [name for name, one in _kept.items() if not one.users]:
                del _kept[unused]  # the next may need all the memory
            release_memory()
            known = _kept[key] = _load(config, note)
        known.users += 1
        return known


def let_go(loaded: Loaded) -> None:
    """One user less: the model stays until the memory is needed for another."""
    with _lock:
        loaded.users -= 1


def prepare_environment(config: LocalModelConfig) -> None:
    """Keep the libraries off the network unless a download is allowed, and always quiet."""
    if not config.allow_download:
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import torch  # noqa: F401
        from transformers.utils import logging
    except ImportError:
        raise ConfigError(
            'kind: transformers needs torch: pip install "cxr-pipeline[local]"'
        ) from None
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _load(config: LocalModelConfig, note: Note) -> Loaded:
    prepare_environment(config)
    import torch
    import transformers

    path = model_path(config)
    if path is None:
        path = _download(config, note)
    folder = read_model_folder(path)
    device = find_device(config)
    dtype = pick_dtype(config, folder, device)
    require_memory(config, folder, device, dtype)
    gigabytes = folder.bytes_as(dtype) / 1e9
    note(f"loading model {path.name}: {gigabytes:.1f} GB as {dtype} on {device}")
    given: dict[str, Any] = {
        "dtype": {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype],
        "use_safetensors": True,
        "trust_remote_code": False,
        "local_files_only": True,
    }
    if config.device_map is not None:
        given["device_map"] = (
            config.device_map if isinstance(config.device_map, str) else dict(config.device_map)
        )
    if config.attention != "auto":
        given["attn_implementation"] = config.attention
    try:
        words = _tokenizer_folder(config, path)
        quietly = {"trust_remote_code": False, "local_files_only": True}
        processor = None
        if folder.vision:
            processor = transformers.AutoProcessor.from_pretrained(path, **quietly)
            tokenizer = processor.tokenizer
            model = transformers.AutoModelForImageTextToText.from_pretrained(path, **given)
        else:
            tokenizer = transformers.AutoTokenizer.from_pretrained(words, **quietly)
            model = transformers.AutoModelForCausalLM.from_pretrained(path, **given)
        if config.adapter is not None:
            model = _with_adapter(model, config.adapter)
        if config.device_map is None:
            model = model.to(device)
    except ConfigError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise ConfigError(too_little(config, folder, device, dtype, None)) from None
        reason = str(error).strip().splitlines()
        raise ConfigError(
            f"{path} cannot be loaded: {type(error).__name__}: {reason[0][:300] if reason else ''}"
        ) from None
    model.eval()
    base = model if config.adapter is None else model.get_base_model()
    names = frozenset(inspect.signature(base.forward).parameters)
    cache_name = next((name for name in ("cache", "past_key_values") if name in names), None)
    if cache_name is None or unsupported(model.config):
        raise ConfigError(
            f"{path}: {folder.architecture} keeps another state than keys and values; "
            "serve it with transformers serve or vLLM, and use kind: openai"
        )
    template, special = _template(config, processor or tokenizer, path)
    eos = _ends(model, tokenizer)
    if not eos:
        raise ConfigError(
            f"{path} names no token that ends an answer; set eos_token in its tokenizer_config.json"
        )
    pad = tokenizer.pad_token_id
    return Loaded(
        model,
        tokenizer,
        template,
        special,
        model.device,
        dtype,
        _context(config, folder, tokenizer),
        eos,
        min(eos) if pad is None else pad,
        config.batch_tokens or batch_tokens(folder, dtype, free_memory(device)),
        cache_name,
        names,
        folder,
        processor,
        getattr(getattr(base, "model", None), "get_rope_index", None),
    )


def _download(config: LocalModelConfig, note: Note) -> Path:
    from huggingface_hub import snapshot_download

    note(f"downloading {config.path} from the hub")
    try:
        return Path(
            snapshot_download(
                config.path,
                revision=config.revision,
                allow_patterns=["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"],
            )
        )
    except Exception as error:
        raise ConfigError(
            f"{config.path} is no folder and cannot be fetched ({type(error).__name__}); "
            "check the name, the network, and HF_TOKEN for gated models"
        ) from None


def _tokenizer_folder(config: LocalModelConfig, path: Path) -> Path:
    """An adapter that was saved with its tokenizer was trained with that chat template."""
    adapter = Path(config.adapter).expanduser() if config.adapter is not None else path
    return adapter if (adapter / "tokenizer_config.json").is_file() else path


def _with_adapter(model: Any, adapter: str) -> Any:
    path = Path(adapter).expanduser()
    if not (path / "adapter_config.json").is_file():
        raise ConfigError(f"{path} is no LoRA adapter: adapter_config.json is missing")
    if not (path / "adapter_model.safetensors").is_file():
        raise ConfigError(f"{path} holds no adapter_model.safetensors; pickled ones are not loaded")
    try:
        import peft
    except ImportError:
        raise ConfigError('adapter needs peft: pip install "cxr-pipeline[train]"') from None
    return peft.PeftModel.from_pretrained(model, str(path), is_trainable=False)


def _template(config: LocalModelConfig, tokenizer: Any, path: Path) -> tuple[str | None, bool]:
    """The chat template in force, None for the tokenizer's; whether special tokens are added."""
    if config.template is not None:
        return read_template(config), config.template in CHAT_TEMPLATES
    if not tokenizer.chat_template:
        raise ConfigError(
            f"{path}: its tokenizer has no chat template; set template: plain (a base model), "
            "template: alpaca, or a jinja file"
        )
    return None, False


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer by generation configuration, model or tokenizer."""
    found: set[int] = set()
    for value in (
        getattr(model.generation_config, "eos_token_id", None),
        tokenizer.eos_token_id,
    ):
        found.update([value] if isinstance(value, int) else value or [])
    return frozenset(found)


def _context(config: LocalModelConfig, folder: ModelFolder, tokenizer: Any) -> int:
    known = folder.context or min(int(tokenizer.model_max_length), 1 << 20)
    return min(known, config.context) if config.context else known


def find_device(config: LocalModelConfig) -> Any:
    """The torch device of ``config``.

    Raises:
        ConfigError: it is not there.
    """
    import torch

    if config.device_map is not None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(f"device: {name}, but torch sees no GPU; use device: cpu")
        if (device.index or 0) >= torch.cuda.device_count():
            raise ConfigError(f"device: {name}, but there are {torch.cuda.device_count()} GPUs")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device: mps is not there; use device: cpu")
    return device


def pick_dtype(config: LocalModelConfig, folder: ModelFolder, device: Any) -> str:
    """The dtype that ``auto`` stands for, or the one that was asked for."""
    if config.dtype != "auto":
        return config.dtype
    if device.type == "cpu" or folder.dtype not in DTYPE_BYTES:
        return "fp32" if device.type == "cpu" and not folder.quantised else "bf16"
    return folder.dtype
