"""What a source is: where records come from.

The main process lists a source (``locators``), worker processes read it (``read``). So a locator is
small JSON that says where a text is and holds what was joined to it, and building a source costs
next to nothing: no listing and no metadata before ``locators`` is asked for.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.hashing import sha256_file
from pipeline.core.records import Record
from pipeline.sources.config import DataClass, SourceConfig
from pipeline.sources.decode import decode_report
from pipeline.sources.selection import select, unique_ids

Locator: TypeAlias = dict[str, Any]
"""``{"id": ..., "at": ..., ...}``: JSON that ``read`` makes a record of, plus joined metadata.

``problem`` holds a reject's reason where the listing already knows that there is no record.
"""

Listing: TypeAlias = Callable[[], Iterator[Locator]]

DATA_CLASS_FILE: Final = "DATA_CLASS"
"""A file of this name in the input folder says what class the data has."""

MAX_REPORT_BYTES: Final = 1 << 20
"""A single report beyond 1 MiB is no report; the longest of MIMIC-CXR has some 10 kB."""

_STRICTEST_FIRST: Final[tuple[DataClass, ...]] = ("credentialed", "public", "synthetic")


class Source(ABC):
    """Reports in a deterministic order.

    Attributes:
        kind: ``mimic-tree``, ``mimic-zip``, ``openi-xml``, ``openi-csv`` or ``table``.
        data_class: ``credentialed``, ``public`` or ``synthetic``.
        config: what it was made of.
    """

    kind: ClassVar[str]
    default_class: ClassVar[DataClass] = "credentialed"

    def __init__(self, config: SourceConfig) -> None:
        self.config = config
        self.path = Path(config.path).expanduser()
        self.data_class: DataClass = stated_class(config, self.class_folders()) or (
            self.default_class
        )

    @property
    def folder(self) -> Path:
        """The folder that relative names in records refer to."""
        return self.path if self.path.is_dir() else self.path.parent

    def class_folders(self) -> Iterable[Path]:
        """Folders whose ``DATA_CLASS`` file counts, nearest first."""
        return (self.folder,)

    @abstractmethod
    def inputs(self) -> list[dict[str, Any]]:
        """Files read: ``name``, ``role``, ``size``, ``sha256``, for the fingerprint of a run.

        A tree is one entry: the number of files, their total size and a hash over the relative
        names and sizes.

        Raises:
            ConfigError: there is nothing to read.
        """

    def locators(self) -> Iterator[Locator]:
        """What ``ids``, ``exclude``, ``split``, ``sample`` and ``limit`` leave, in a fixed order.

        Ids are unique: the second locator of a study is ``<id>#2`` and reads as ``duplicate_id``.

        Raises:
            ConfigError: nothing to read, or a selection that cannot be met.
        """
        listing = self.listing()
        return select(self.config, lambda: unique_ids(listing()))

    @abstractmethod
    def listing(self) -> Listing:
        """List everything there is.

        What it returns is called once or twice, each time for all locators in the same order.

        Raises:
            ConfigError: there is nothing to list.
        """

    def read(self, locator: Locator) -> Record:
        """The record of one locator.

        Raises:
            DataError: the record cannot be made; ``reason`` says why (``unreadable``, ``empty``,
                ``not_found``, ``no_text``, ``bad_row``, ``too_large``, ``duplicate_id``, ...).
        """
        problem = locator.get("problem")
        if problem is not None:
            raise DataError(str(problem))
        return self.read_at(locator)

    @abstractmethod
    def read_at(self, locator: Locator) -> Record:
        """Read one locator that has no known problem."""


def stated_class(config: SourceConfig, folders: Iterable[Path]) -> DataClass | None:
    """The data class that the configuration or a ``DATA_CLASS`` file states.

    Where both do, the stricter one holds: a recipe cannot loosen what lies with the data.

    Raises:
        ConfigError: the file holds another word.
    """
    stated: list[DataClass] = []
    if config.data_class != "auto":
        stated.append(config.data_class)
    for folder in folders:
        file = folder / DATA_CLASS_FILE
        if file.is_file():
            stated.append(_read_class(file))
            break
    return min(stated, key=_STRICTEST_FIRST.index) if stated else None


def _read_class(file: Path) -> DataClass:
    word = file.read_bytes()[:100].decode("utf-8-sig", "replace").strip().lower()
    for known in _STRICTEST_FIRST:
        if word == known:
            return known
    raise ConfigError(f"{file} must hold one word: {', '.join(_STRICTEST_FIRST)}")


def file_input(path: Path, role: str) -> dict[str, Any]:
    """The entry of one file for :meth:`Source.inputs`.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return {
            "name": path.name,
            "role": role,
            "size": path.stat().st_size,
            "sha256": sha256_file(path),
        }
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def tree_input(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """One entry of :meth:`Source.inputs` for many small files.

    The hash is over relative names and sizes: reading all contents would cost as much as the run.
    """
    digest = hashlib.sha256()
    count = total = 0
    for name in names:
        try:
            size = (folder / name).stat().st_size
        except OSError:
            size = 0
        digest.update(f"{name}\0{size}\n".encode())
        count += 1
        total += size
    return {
        "name": folder.resolve().name,
        "role": "reports",
        "files": count,
        "size": total,
        "sha256": digest.hexdigest(),
    }


def read_report(path: str) -> bytes:
    """At most one byte more than a report may have.

    Raises:
        DataError: ``not_found`` or ``unreadable``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise DataError("not_found") from None
    except OSError as error:
        raise DataError("unreadable", error.strerror or "") from None
    try:
        return os.read(descriptor, MAX_REPORT_BYTES + 1)
    except OSError as error:
        raise DataError("unreadable", error.strerror or "") from None
    finally:
        os.close(descriptor)


def report_record(locator: Locator, data: bytes, source: str) -> Record:
    """A record of the bytes of one report file and what was joined to its locator.

    Raises:
        DataError: ``empty``, ``too_large`` or ``unreadable``.
    """
    if len(data) > MAX_REPORT_BYTES:
        raise DataError("too_large", f"{len(data)} bytes")
    text, encoding = decode_report(data)
    if not text.strip():
        raise DataError("empty")
    return make_record(locator, text, source, encoding)


def make_record(
    locator: Locator, text: str, source: str | int, encoding: str | None = None
) -> Record:
    """The record of a text: every key present, None where nothing is known."""
    study_id = locator["id"]
    record: Record = {
        "id": study_id,
        "study_id": study_id,
        "subject_id": locator.get("subject_id"),
        "text": text,
        "dicom_id": locator.get("dicom_id"),
        "view": locator.get("view"),
        "split": locator.get("split"),
        "study_date": locator.get("study_date"),
        "study_order": locator.get("study_order"),
        "images": locator.get("images", []),
        "source": source,
    }
    if "labels" in locator:
        record["labels"] = locator["labels"]
    if encoding is not None:
        record["encoding"] = encoding
    return record
