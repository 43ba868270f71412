"""What can be known of a model folder before it is loaded: shapes, size, hash, data class."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import fingerprint, sha256_file

MANIFEST = "train.json"
"""What ``finetune`` and ``merge`` write into every folder they make."""

_HASHED = (".safetensors", ".json", ".model", ".jinja", ".txt")
_FETCHED = ("*.safetensors", "*.json", "*.model", "*.jinja", "*.txt")
_MAX_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A folder with a causal language model.

    Attributes:
        path: the folder.
        config: its ``config.json``.
        shapes: name of each weight -> shape.
        sha256: hash over names and content of weights, configuration and tokenizer.
        manifest: what ``finetune`` or ``merge`` recorded there, {} for a model from elsewhere.
    """

    path: Path
    config: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    sha256: str
    manifest: dict[str, Any]

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def data_class(self) -> str | None:
        """The class of the data it was fine-tuned on, where that is recorded."""
        return self.manifest.get("data_class")

    def size(self, *names: str) -> int:
        """A number of the configuration under one of its usual names; 0 where it is not said."""
        text = self.config.get("text_config") or {}
        for name in names:
            value = self.config.get(name, text.get(name))
            if isinstance(value, int):
                return value
        return 0

    @property
    def positions(self) -> int:
        """Most tokens the model can read; 0 where the configuration does not say."""
        return self.size("max_position_embeddings", "n_positions", "seq_length", "n_ctx")


def find_model(name: str, *, allow_download: bool = False) -> Path:
    """The folder of a model: a path, or, where that is allowed, an id that is fetched once.

    Raises:
        ConfigError: no such folder, or a hub id that may not be, or could not be, fetched.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ConfigError(f"{name} is a file; --model takes the folder of a model")
    if not allow_download:
        raise ConfigError(
            f"no folder {name}; if this is the id of a model on a hub, fetch it yourself or allow "
            "it with --allow-download"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(_FETCHED)))
    except Exception as error:  # the hub client raises of many kinds
        raise ConfigError(f"{name} could not be fetched ({type(error).__name__})") from None


def read_model(path: Path) -> BaseModel:
    """Look at a model folder without loading it.

    Raises:
        ConfigError: no model, an adapter, pickled weights, or a quantised model.
    """
    if not path.is_dir():
        raise ConfigError(f"{path} is no folder of a model")
    if not (path / "config.json").is_file():
        if (path / "adapter_config.json").is_file():
            raise ConfigError(f"{path} is an adapter, no model; merge it first: cxr-pipeline merge")
        raise ConfigError(f"{path} is no model: it has no config.json")
    config = _json(path / "config.json")
    if config.get("quantization_config"):
        raise ConfigError(f"{path} is quantised; training and merging need the unquantised model")
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        pickled = any(path.glob("*.bin")) or any(path.glob("*.pt"))
        what = "only pickled weights" if pickled else "no weights"
        raise ConfigError(f"{path} has {what}; a model in safetensors is needed")
    shapes: dict[str, tuple[int, ...]] = {}
    for file in weights:
        shapes.update(_shapes(file))
    manifest = path / MANIFEST
    return BaseModel(
        path,
        config,
        shapes,
        folder_hash(path),
        _json(manifest) if manifest.is_file() else {},
    )


def folder_hash(path: Path) -> str:
    """Hash over what a model is made of; not over manifests, logs and plots."""
    files = (file for file in sorted(path.iterdir()) if file.suffix in _HASHED)
    return fingerprint({file.name: sha256_file(file) for file in files if file.name != MANIFEST})


def _json(path: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path} is no JSON object")
    return value


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes in the header of a safetensors file: 8 bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MAX_HEADER:
                raise ValueError
            header = orjson.loads(file.read(length))
        return {
            name: tuple(about["shape"]) for name, about in header.items() if name != "__metadata__"
        }
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path} is no whole safetensors file") from None
