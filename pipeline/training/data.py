"""Training sets: folders that ``export`` wrote, and loose files of the same shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.hashing import sha256_file
from pipeline.exports.split import PARTS
from pipeline.sources.base import stated_class
from pipeline.sources.config import DataClass, SourceConfig
from pipeline.sources.rows import CsvRows, JsonlRows, Rows
from pipeline.sources.rows_parquet import ParquetRows
from pipeline.training.dialogues import Dialogue, read_dialogue

StatedClass = Literal["auto", "credentialed", "public", "synthetic"]

FORMATS = ("alpaca", "sharegpt", "llama-factory", "trl", "parquet")
"""Formats of ``export`` that hold samples of text."""

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
_PART_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "validate", "valid", "val", "dev", "eval"),
    "test": ("test",),
}
_STRICTEST: tuple[DataClass, ...] = ("credentialed", "public", "synthetic")


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A set to train on.

    Attributes:
        path: what the user named.
        name: name of the data set.
        format: a format of ``export``, or ``files``.
        data_class: ``credentialed``, ``public`` or ``synthetic``.
        parts: part (``train``, ``validation``, ``test``) -> file.
        hashes: part -> SHA-256 of the file as it is now.
        manifest: the manifest of the export; None for loose files.
        changed: parts whose file is no longer what the manifest says.
    """

    path: Path
    name: str
    format: str
    data_class: DataClass
    parts: Mapping[str, Path]
    hashes: Mapping[str, str]
    manifest: Path | None = None
    changed: tuple[str, ...] = ()

    def dialogues(self, part: str, skipped: Counter[str]) -> Iterator[Dialogue]:
        """The samples of a part in order; ``skipped`` counts by reason what is none.

        Raises:
            ConfigError: the file cannot be read.
        """
        for row in _rows(self.parts[part]):
            if row is None:
                skipped["bad_row"] += 1
                continue
            try:
                yield read_dialogue(row)
            except DataError as error:
                skipped[error.reason] += 1

    def facts(self) -> dict[str, Any]:
        """What a manifest says of the set; names and hashes, no text."""
        return {
            "name": self.name,
            "format": self.format,
            "data_class": self.data_class,
            "manifest": sha256_file(self.manifest) if self.manifest else None,
            "changed_since_export": list(self.changed),
            "files": {
                part: {"name": path.name, "sha256": self.hashes[part]}
                for part, path in self.parts.items()
            },
        }


def open_set(
    path: Path, *, validation: Path | None = None, data_class: StatedClass = "auto"
) -> TrainingSet:
    """The set at ``path``: a folder of an export, its manifest, or loose files.

    Args:
        path: what to train on.
        validation: a file of samples to evaluate on, in place of the set's own part.
        data_class: what loose files are; a ``DATA_CLASS`` file beside them or a manifest that is
            stricter holds. Loose files that say nothing are credentialed.

    Raises:
        ConfigError: nothing there that can be trained on.
    """
    if not path.exists():
        raise ConfigError(f"{path} does not exist; give a folder that export wrote, or a file")
    known: DataClass | None = None
    name, format_, listed = path.stem, "files", dict[str, str]()
    manifest = _manifest(path)
    if manifest is not None:
        name, format_, known, parts, listed = _read_manifest(manifest)
    else:
        parts = _loose_folder(path) if path.is_dir() else {"train": path}
    if validation is not None:
        if not validation.is_file():
            raise ConfigError(f"{validation} is no file")
        parts["validation"] = validation
    if "train" not in parts:
        raise ConfigError(f"{path} has no training part: its samples are all in {', '.join(parts)}")
    for file in parts.values():
        if file.suffix not in SUFFIXES:
            raise ConfigError(f"{file.name} is none of {', '.join(SUFFIXES)}")
    hashes = {part: _hash(file) for part, file in parts.items()}
    folder = path if path.is_dir() else path.parent
    stated = stated_class(SourceConfig(path=str(path), data_class=data_class), (folder,))
    classes = [one for one in (known, stated) if one is not None] or ["credentialed"]
    return TrainingSet(
        path,
        name,
        format_,
        min(classes, key=_STRICTEST.index),
        parts,
        hashes,
        manifest,
        tuple(part for part, sha in hashes.items() if listed.get(part, sha) != sha),
    )


def _manifest(path: Path) -> Path | None:
    """The manifest of an export, where ``path`` is one or its folder."""
    if path.is_file():
        return path if path.name.endswith("manifest.json") else None
    if (path / "manifest.json").is_file():
        return path / "manifest.json"
    several = sorted(path.glob("*_manifest.json"))
    if len(several) > 1:
        names = ", ".join(one.name for one in several)
        raise ConfigError(f"{path} holds several data sets; name the manifest of one: {names}")
    return several[0] if several else None


def _read_manifest(
    path: Path,
) -> tuple[str, str, DataClass, dict[str, Path], dict[str, str]]:
    try:
        value = orjson.loads(path.read_bytes())
        format_, data_class = str(value["format"]), value["data_class"]
        files = {part: str(about["file"]) for part, about in value["parts"].items()}
        hashes = {part: str(value["files"][file]["sha256"]) for part, file in files.items()}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path} is no manifest of an export of samples") from None
    if format_ not in FORMATS:
        raise ConfigError(
            f"{path.parent} is an export for {format_}; text is trained on {', '.join(FORMATS)}"
        )
    if data_class not in _STRICTEST:
        raise ConfigError(f"{path} states no known data class")
    parts = {part: path.parent / file for part, file in files.items() if part in PARTS}
    return str(value.get("name") or path.parent.name), format_, data_class, parts, hashes


def _loose_folder(path: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for part, names in _PART_NAMES.items():
        for file in sorted(path.iterdir()):
            if file.stem.lower() in names and file.suffix in SUFFIXES:
                if part in found:
                    raise ConfigError(
                        f"{path} has both {found[part].name} and {file.name}; name one file"
                    )
                found[part] = file
    if "train" not in found:
        raise ConfigError(
            f"{path} has no manifest of an export and no train file ({', '.join(SUFFIXES)})"
        )
    return found


def _rows(path: Path) -> Iterator[Mapping[str, Any] | None]:
    if path.suffix == ".json":
        yield from _json_list(path)
        return
    readers: dict[str, Callable[[Path], Rows]] = {
        ".csv": CsvRows,
        ".jsonl": JsonlRows,
        ".parquet": ParquetRows,
    }
    rows = readers[path.suffix](path)
    for _, row in rows.scan(rows.columns()):
        yield row


def _json_list(path: Path) -> Iterator[Mapping[str, Any] | None]:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise ConfigError(f"{path} is no JSON") from None
    if not isinstance(value, list):
        raise ConfigError(f"{path} is no JSON list of samples")
    for row in value:
        yield row if isinstance(row, dict) else None


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
