"""Which image files lie below a folder, by the names under which records know them.

Records name an image by its id (``dicom_id``) or by a path. Files carry the id in their name:
MIMIC-CXR-JPG ``files/p10/p10000032/s50414267/<dicom_id>.jpg``, Open-i ``1_IM-0001-4001.dcm.png``
(with the CSV) and ``CXR1_1_IM-0001-4001.png`` (with the XML). So one pass over the folders, or over
a list of the files (MIMIC-CXR-JPG's ``IMAGE_FILENAMES``), serves every layout. No file is opened.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeAlias

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources.pause import collector_paused

IMAGE_SUFFIXES: Final = (
    ".png", ".dcm.png", ".jpg", ".jpeg", ".dcm.jpg", ".tif", ".tiff", ".bmp", ".webp", ".gif",
    ".pgm", ".jp2", ".dcm", ".dicom",
)  # fmt: skip
"""Of two files with the same id, the one whose suffix stands first is taken."""

_ENDINGS: Final = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix.count(".") == 1)
_OPENI_CSV: Final = re.compile(r"(\d+)_IM-")
_OPENI_XML: Final = re.compile(r"CXR\d+_(?=\d+_IM-)")
_MOST_PLACES: Final = 16
"""An id that lies in more places than this is no id."""

_TRIED_ENTRIES: Final = 20_000
_WIDE, _THREADS = 64, 4

Place: TypeAlias = tuple[str, str]
"""Folder relative to the root ("" for the root itself) and file name."""


class ImageIndex:
    """The image files below ``root``; about 400 bytes of memory for each.

    Args:
        root: folder that relative names refer to.
        listing: file with one relative path per line, instead of looking through the folders.

    Raises:
        ConfigError: the folder or the list cannot be read, or no image file is there.
    """

    def __init__(self, root: Path, listing: Path | None = None) -> None:
        self.root = root
        self._folders: dict[str, str] = {}
        self._again: dict[str, set[str]] = {}
        self._endings: set[str] = set()
        self._count = 0
        with collector_paused():
            for folder, name in _listed(listing) if listing else _walked(str(root)):
                self._add(folder, name)
        if not self._count:
            raise ConfigError(f"{listing or root} holds no image files ({', '.join(_ENDINGS)})")
        self._suffixes = [one for one in IMAGE_SUFFIXES if one.rpartition(".")[2] in self._endings]
        self._used: set[Place] = set()

    def __len__(self) -> int:
        return self._count

    def find(self, image: dict[str, Any], study: str = "") -> str | None:
        """The file of an image of a record, relative to the root; None if there is none.

        Args:
            image: ``dicom_id`` and, where the record knows it, ``path``.
            study: id of the study, which tells files of the same name apart by their folder.

        Raises:
            DataError: ``ambiguous_image``: several files have the name.
        """
        if image.get("path"):
            place = self._at_path(str(image["path"]))
        else:
            place = self._by_id(str(image.get("dicom_id") or ""), study)
        if place is None:
            return None
        self._used.add(place)
        return _joined(place)

    def unused(self) -> Iterator[str]:
        """Files that :meth:`find` has not given, sorted."""
        places = (
            (folder, name)
            for name, first in self._folders.items()
            for folder in self._again.get(name, (first,))
        )
        yield from sorted(_joined(place) for place in places if place not in self._used)

    def _add(self, folder: str, name: str) -> None:
        self._count += 1
        self._endings.add(name.rpartition(".")[2].lower())
        first = self._folders.setdefault(name, folder)
        if first != folder:
            self._again.setdefault(name, {first}).add(folder)

    def _at_path(self, path: str) -> Place | None:
        if path.startswith("/"):
            path = os.path.relpath(path, self.root)
        path = os.path.normpath(path).replace("\\", "/")
        folder, _, name = path.rpartition("/")
        is_known = folder in self._again.get(name, ()) or self._folders.get(name) == folder
        return (folder, name) if is_known else None

    def _by_id(self, image: str, study: str) -> Place | None:
        if not image:
            return None
        for name in _names(image):
            for suffix in ("", *self._suffixes):
                file = name + suffix
                folder = self._folders.get(file)
                if folder is None:
                    file = name + suffix.upper()
                    folder = self._folders.get(file)
                if folder is not None:
                    return self._chosen(file, study)
        return None

    def _chosen(self, file: str, study: str) -> Place:
        folders = self._again.get(file)
        if folders is None:
            return self._folders[file], file
        if len(folders) <= _MOST_PLACES and study:
            fitting = [one for one in folders if {study, f"s{study}"} & {*one.split("/")}]
            if len(fitting) == 1:
                return fitting[0], file
        raise DataError("ambiguous_image", f"{file} lies in {len(folders)} folders")


def has_image(folder: Path) -> bool:
    """Whether an image file is found among the first 20,000 entries below ``folder``."""
    waiting = [str(folder)]
    looked = 0
    while waiting and looked < _TRIED_ENTRIES:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    looked += 1
                    if entry.name.startswith("."):
                        continue
                    if entry.name.lower().endswith(_ENDINGS):
                        return True
                    if entry.is_dir():
                        waiting.append(entry.path)
        except OSError:
            continue
    return False


def _names(image: str) -> Iterator[str]:
    """Names under which a file may have the id: both spellings of Open-i."""
    yield image
    if match := _OPENI_CSV.match(image):
        yield f"CXR{match[1]}_{image}"
    elif match := _OPENI_XML.match(image):
        yield image[match.end() :]


def _joined(place: Place) -> str:
    folder, name = place
    return f"{folder}/{name}" if folder else name


def _walked(root: str) -> Iterator[Place]:
    """Image files below ``root``; links to folders are followed, each folder once.

    A few folders wide, the rest is left to threads: most of the time is the system's.
    """
    linked = {os.path.realpath(root): ""}
    waiting = deque([""])
    while waiting and len(waiting) < _WIDE:
        yield from _entries(root, waiting.popleft(), waiting, linked)

    def below(start: str) -> list[Place]:
        found: list[Place] = []
        inner = deque([start])
        while inner:
            found += _entries(root, inner.pop(), inner, linked)
        return found

    with ThreadPoolExecutor(_THREADS) as threads:
        for found in threads.map(below, waiting):
            yield from found


def _entries(
    root: str, folder: str, waiting: deque[str], linked: dict[str, str]
) -> Iterator[Place]:
    """Image files in one folder; the folders in it are put into ``waiting``."""
    try:
        with os.scandir(f"{root}/{folder}" if folder else root) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if name.lower().endswith(_ENDINGS):
                    yield folder, name
                elif entry.is_dir():
                    below = f"{folder}/{name}" if folder else name
                    # setdefault is one step, so that of two threads one follows a link.
                    if entry.is_symlink() and below != linked.setdefault(
                        os.path.realpath(entry.path), below
                    ):
                        continue
                    waiting.append(below)
    except OSError as error:
        where = f"{root}/{folder}" if folder else root
        raise ConfigError(f"{where} cannot be read: {error.strerror}") from None


def _listed(path: Path) -> Iterator[Place]:
    """Image files of a list."""
    folders: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in lines:
                name = line.strip().removeprefix("./").replace("\\", "/")
                if name.lower().endswith(_ENDINGS):
                    folder, _, file = name.rpartition("/")
                    yield folders.setdefault(folder, folder), file
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read as a text file of image paths") from None
