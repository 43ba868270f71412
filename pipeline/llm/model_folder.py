"""A Hugging Face model folder, read without torch: what it holds, how big it is, what it is.

Only ``config.json``, the headers of the safetensors files and small files are read, so that a
folder of 100 GB is known in a moment.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import fingerprint, sha256_file
from pipeline.llm.chat_templates import CHAT_TEMPLATES
from pipeline.llm.local_config import LocalModelConfig

DTYPE_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}

WHOLE_FILE = 64 << 20
"""Files up to this size are hashed whole."""
PIECE = 16 << 10
"""Of a tensor in a larger file so many bytes at its beginning, in its middle and at its end.

Training moves nearly every number of the tensors it trains, so no trained tensor looks the same.
"""
_LONGEST_HEADER = 100 << 20
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_DEAF = frozenset(
    {"README.md", "train.json", "training_args.bin", "trainer_state.json", "trainer_log.jsonl"}
)
"""Files of a folder that no answer depends on."""
_READ = frozenset({".json", ".jinja", ".model", ".txt", ".safetensors"})


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What a model folder holds.

    Attributes:
        path: the folder.
        architecture: class name of the model, such as ``LlamaForCausalLM``.
        parameters: numbers of its weights; of packed (quantised) weights, so many of them.
        weight_bytes: size of its weights on disk.
        dtype: in which most of them are stored: ``fp32``, ``bf16``, ``fp16``, or as the file says.
        quantised: its weights are packed; their size in memory is that on disk.
        context: most tokens it was made for, None where the configuration does not say.
        cache_numbers: numbers that one token takes in the key-value cache.
        has_template: whether its tokenizer brings a chat template.
        vision: whether it also takes images.
        config: ``config.json``.
    """

    path: Path
    architecture: str
    parameters: int
    weight_bytes: int
    dtype: str
    quantised: bool
    context: int | None
    cache_numbers: int
    has_template: bool
    vision: bool
    config: Mapping[str, Any] = field(repr=False)

    def bytes_as(self, dtype: str) -> int:
        """Memory of the weights held as ``dtype``."""
        if self.quantised or dtype not in DTYPE_BYTES:
            return self.weight_bytes
        return self.parameters * DTYPE_BYTES[dtype]

    def cache_bytes(self, dtype: str) -> int:
        """Memory of one token in the key-value cache."""
        return self.cache_numbers * DTYPE_BYTES.get(dtype, 2)


def read_model_folder(path: Path) -> ModelFolder:
    """Look at a model folder.

    Raises:
        ConfigError: it is none; says what is missing and what to do.
    """
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise ConfigError(
            f"{path} {what}; path takes a model folder (config.json, *.safetensors, tokenizer), "
            "or a name of the hub together with allow_download: true"
        )
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        raise ConfigError(
            f"{path} is a LoRA adapter; name it as adapter beside the path of its base model, "
            "or merge the two first"
        )
    config = _json(path / "config.json")
    if config is None:
        raise ConfigError(f"{path} is no model folder: config.json is missing or unreadable")
    files = sorted(path.glob("*.safetensors"))
    if not files:
        others = (
            sorted(path.glob("*.bin")) + sorted(path.glob("*.pt")) + sorted(path.glob("*.gguf"))
        )
        hint = (
            f" ({others[0].name} is not loaded: pickled weights can run code; convert it)"
            if others and others[0].suffix != ".gguf"
            else " (a GGUF file is served by llama.cpp or Ollama)"
            if others
            else ""
        )
        raise ConfigError(f"{path} holds no weights: *.safetensors is missing{hint}")
    _require_all_shards(path)
    if not any((path / name).is_file() for name in _TOKENIZERS):
        raise ConfigError(f"{path} holds no tokenizer: tokenizer.json is missing")
    parameters, sizes = 0, dict[str, int]()
    for file in files:
        for _, info in _tensors(file):
            count = math.prod(info["shape"])
            parameters += count
            sizes[info["dtype"]] = sizes.get(info["dtype"], 0) + count
    text = config.get("text_config")
    text = text if isinstance(text, Mapping) else config
    stored = max(sizes, key=lambda name: sizes[name]) if sizes else "F32"
    names = {"F32": "fp32", "BF16": "bf16", "F16": "fp16"}
    architectures = config.get("architectures") or ["unknown"]
    tokenizer = _json(path / "tokenizer_config.json") or {}
    return ModelFolder(
        path,
        str(architectures[0]),
        parameters,
        sum(file.stat().st_size for file in files),
        names.get(stored, stored),
        "quantization_config" in config,
        _context(text),
        _cache_numbers(text),
        bool(tokenizer.get("chat_template")) or (path / "chat_template.jinja").is_file(),
        "vision_config" in config,
        config,
    )


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name of each weight of a model folder -> its shape.

    Raises:
        ConfigError: a safetensors file that cannot be read or is cut off.
    """
    return {
        name: tuple(info["shape"])
        for file in sorted(path.glob("*.safetensors"))
        for name, info in _tensors(file)
    }


def model_path(config: LocalModelConfig) -> Path | None:
    """The folder of a local model; None for one of the hub that was not downloaded yet."""
    path = Path(config.path).expanduser()
    if path.exists() or not config.allow_download:
        return path
    from huggingface_hub import snapshot_download  # an extra, and only where a download is allowed

    try:
        return Path(snapshot_download(config.path, revision=config.revision, local_files_only=True))
    except Exception:  # not there yet, or no valid name: loading says which
        return None


def weights_of(config: LocalModelConfig) -> str:
    """Hash of all that decides the answers of a local model: weights, tokenizer, settings.

    A model that was trained again in the same folder has another one; a copy of the folder has the
    same. Large files are looked at in pieces (see :data:`PIECE`).

    Raises:
        ConfigError: a folder or file is not there.
    """
    path = model_path(config)
    facts: dict[str, Any] = {**config.answers(), "revision": config.revision}
    if path is None:
        facts["hub"] = config.path
    else:
        facts["model"] = _folder_hash(path)
    if config.adapter is not None:
        facts["adapter"] = _folder_hash(Path(config.adapter).expanduser())
    if config.template is not None:
        facts["template"] = sha256(read_template(config).encode()).hexdigest()
    return fingerprint(facts)


def read_template(config: LocalModelConfig) -> str:
    """The text of the chat template a recipe names: one that is known by name, or a file.

    Raises:
        ConfigError: it cannot be read.
    """
    name = config.template or ""
    if name in CHAT_TEMPLATES:
        return CHAT_TEMPLATES[name]
    path = Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        names = ", ".join(CHAT_TEMPLATES)
        raise ConfigError(
            f"template: {path} cannot be read; give a jinja file, or {names}"
        ) from None


def _folder_hash(path: Path) -> str:
    if not path.is_dir():
        raise ConfigError(f"{path} does not exist; path and adapter take folders of a model")
    files = sorted(
        entry.path
        for entry in os.scandir(path)
        if entry.is_file() and Path(entry.name).suffix in _READ and entry.name not in _DEAF
    )
    stats = [(Path(file).stat(), file) for file in files]
    return _hash_files(tuple((file, one.st_size, one.st_mtime_ns) for one, file in stats))


@lru_cache(maxsize=16)
def _hash_files(files: tuple[tuple[str, int, int], ...]) -> str:
    """Hash over names and contents; sizes and times are there to notice a change."""
    hashes = {}
    for name, size, _ in files:
        path = Path(name)
        whole = size <= WHOLE_FILE or path.suffix != ".safetensors"
        hashes[path.name] = sha256_file(path) if whole else _hash_pieces(path)
    return fingerprint(hashes)


def _hash_pieces(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        file.seek(0)
        digest.update(file.read(min(start, _LONGEST_HEADER)))
        for _, info in _tensors(path):
            begin, end = (start + offset for offset in info["data_offsets"])
            for at in (begin, (begin + end) // 2, max(begin, end - PIECE)):
                file.seek(at)
                digest.update(file.read(min(PIECE, end - at)))
    return digest.hexdigest()


def _tensors(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and description (``dtype``, ``shape``, ``data_offsets``) of the tensors of a file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _LONGEST_HEADER:
                raise ValueError
            header = orjson.loads(file.read(length))
        end = 8 + length
        for name, info in header.items():
            if name != "__metadata__":
                end = max(end, 8 + length + info["data_offsets"][1])
                yield name, info
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path} is no readable safetensors file; copy it again") from None
    if end > path.stat().st_size:
        raise ConfigError(f"{path} is cut off ({path.stat().st_size:,} bytes); copy it again")


def _require_all_shards(path: Path) -> None:
    index = _json(path / "model.safetensors.index.json")
    names = set(index.get("weight_map", {}).values()) if index else set()
    missing = sorted(name for name in names if not (path / str(name)).is_file())
    if missing:
        raise ConfigError(
            f"{path}: {len(missing)} of {len(names)} weight files are missing, such as {missing[0]}"
        )


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None


def _context(text: Mapping[str, Any]) -> int | None:
    for name in ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"):
        value = text.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _cache_numbers(text: Mapping[str, Any]) -> int:
    """Keys and values of one token in all layers."""

    def number(*names: str) -> int:
        return next((text[n] for n in names if isinstance(text.get(n), int) and text[n] > 0), 0)

    layers = number("num_hidden_layers", "n_layer", "num_layers")
    hidden = number("hidden_size", "n_embd", "d_model")
    heads = number("num_attention_heads", "n_head") or 1
    width = number("head_dim") or hidden // heads
    return 2 * layers * (number("num_key_value_heads") or heads) * width
