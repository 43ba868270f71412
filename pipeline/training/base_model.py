"""The base model of a training: its folder, its size, its hash, the class of what it has seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import fingerprint, sha256_file
from pipeline.llm.model_folder import ModelFolder, read_model_folder, weight_shapes

MANIFEST = "train.json"
"""What ``finetune`` and ``merge`` write into every folder they make."""

_HASHED = (".safetensors", ".json", ".model", ".jinja", ".txt")
_FETCHED = ("*.safetensors", "*.json", "*.model", "*.jinja", "*.txt")


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A folder with a causal language model.

    Attributes:
        folder: what is in it.
        shapes: name of each weight -> shape.
        sha256: hash over names and content of weights, configuration and tokenizer.
        manifest: what ``finetune`` or ``merge`` recorded there, {} for a model from elsewhere.
    """

    folder: ModelFolder
    shapes: dict[str, tuple[int, ...]]
    sha256: str
    manifest: dict[str, Any]

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder.path

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
        text = self.folder.config.get("text_config") or {}
        for name in names:
            value = self.folder.config.get(name, text.get(name))
            if isinstance(value, int):
                return value
        return 0


def find_model(name: str, *, allow_download: bool = False) -> Path:
    """The folder of a model: a path, or, where that is allowed, an id that is fetched once.

    Raises:
        ConfigError: no such folder, or a hub id that may not be, or could not be, fetched.
    """
    path = Path(name).expanduser()
    if path.exists():
        return path.absolute()
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
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        raise ConfigError(f"{path} is an adapter, no model; merge it first: cxr-pipeline merge")
    folder = read_model_folder(path)
    if folder.quantised:
        raise ConfigError(f"{path} is quantised; training and merging need the unquantised model")
    return BaseModel(folder, weight_shapes(path), folder_hash(path), read_manifest(path) or {})


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest of a folder that ``finetune`` or ``merge`` made, None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    file = path / MANIFEST
    try:
        value = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__})") from None
    return value if isinstance(value, dict) else None


def folder_hash(path: Path) -> str:
    """Hash over what a model or adapter is made of; not over manifests, logs and plots."""
    files = (file for file in sorted(path.iterdir()) if file.suffix in _HASHED)
    return fingerprint({file.name: sha256_file(file) for file in files if file.name != MANIFEST})
