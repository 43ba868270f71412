"""How MIMIC-CXR lies on disk: where its tree begins and where its csv.gz files are.

Layout after the PhysioNet pages of MIMIC-CXR 2.1.0 and MIMIC-CXR-JPG 2.1.0 (whose files keep
"2.0.0" in their names): ``files/p10/p10000032/s50414267.txt``; people rename ``files``, unpack it
deeper (``physionet.org/files/mimic-cxr/2.1.0/files``) or keep one part only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipeline.core.errors import ConfigError

REPORTS_ZIP: Final = "mimic-cxr-reports.zip"
MIMIC_ALL: Final = "mimic_all.csv"

STUDY_FILE: Final = re.compile(r"s(\d+)\.txt")
PATIENT_FOLDER: Final = re.compile(r"p(\d{3,})")
_PART_FOLDER: Final = re.compile(r"p\d\d")
_TABLE_FILE: Final = re.compile(r"mimic-cxr-2[\d.]*-(metadata|split|chexpert)\.csv(\.gz)?")

_MAX_DEPTH: Final = 6
"""Levels searched for the beginning of the tree; ``wget -r`` makes four."""

_MAX_FOLDERS: Final = 2000
"""Folders looked into before giving up, so that a wrong path does not walk a whole disk."""

_TRIED_FOLDERS: Final = 200
"""Parts and patients looked into before a tree is taken to hold images only."""

_PARENTS: Final = 2
"""Levels above the tree or zip in which metadata is looked for."""


@dataclass(frozen=True, slots=True)
class MetadataFiles:
    """Files with what is known of a study beside its text; None where there is none."""

    metadata: Path | None = None
    split: Path | None = None
    chexpert: Path | None = None
    mimic_all: Path | None = None
    found: tuple[Path, ...] = field(default=(), compare=False)


def find_tree(path: Path) -> Path | None:
    """The first folder at or below ``path`` that holds parts, patients or study files.

    Breadth first in name order, within fixed bounds; None if there is no such folder. A tree of
    images alone, as the images of MIMIC-CXR are without their reports, does not count.
    """
    level = [path]
    looked = 0
    for _ in range(_MAX_DEPTH):
        below: list[Path] = []
        for folder in level:
            looked += 1
            if looked > _MAX_FOLDERS:
                return None
            try:
                folders, studies = _entries(str(folder))
            except OSError:
                continue
            if studies or any(_is_patient_level(name) for name in folders):
                if _has_notes(str(folder)):
                    return folder
                continue
            below.extend(folder / name for name in folders if not name.startswith("."))
        level = below
    return None


def _has_notes(root: str) -> bool:
    """Whether one of the first patients has a note."""
    waiting = [root]
    for _ in range(_TRIED_FOLDERS):
        if not waiting:
            return False
        folder = waiting.pop()
        try:
            folders, studies = _entries(folder)
        except OSError:
            continue
        if studies:
            return True
        waiting.extend(f"{folder}/{name}" for name in reversed(folders) if _is_patient_level(name))
    return False


def walk_tree(root: str) -> Iterator[str]:
    """Study files below ``root``, in name order of folders and files.

    Folders of images (``s50414267/``) are not entered. Plain strings, since there are hundreds of
    thousands of them.

    Raises:
        ConfigError: a folder cannot be read, so that its studies would be missing unnoticed.
    """
    try:
        folders, studies = _entries(root)
    except OSError as error:
        raise ConfigError(f"{root} cannot be read: {error.strerror}; mend its permissions") from (
            None
        )
    for name in studies:
        yield f"{root}/{name}"
    for name in folders:
        if _is_patient_level(name):
            yield from walk_tree(f"{root}/{name}")


def study_number(file: str) -> str:
    """``s50414267.txt`` -> ``50414267``."""
    return file[1:-4]


def _is_patient_level(name: str) -> bool:
    return bool(_PART_FOLDER.fullmatch(name) or PATIENT_FOLDER.fullmatch(name))


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """Names of sub-folders and of study files, each sorted."""
    folders, studies = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if STUDY_FILE.fullmatch(entry.name):
                studies.append(entry.name)
            elif entry.is_dir():
                folders.append(entry.name)
    return sorted(folders), sorted(studies)


def dataset_folders(start: Path) -> list[Path]:
    """Folders in which metadata may lie: above patient folders, then up to two parents."""
    base = start.resolve()
    while _is_patient_level(base.name) and base.parent != base:
        base = base.parent
    return [base, *list(base.parents)[:_PARENTS]]


def find_metadata(given: str | None, folders: list[Path]) -> MetadataFiles:
    """The metadata files: those of ``given``, else the first of each kind in ``folders``.

    A ``mimic_all.csv`` is taken only where no csv.gz file is found, since it is made of them.

    Raises:
        ConfigError: ``given`` does not exist or holds none of the files.
    """
    if given is not None:
        path = Path(given).expanduser()
        if path.is_file():
            return MetadataFiles(mimic_all=path, found=(path,))
        if not path.is_dir():
            raise ConfigError(f"metadata: {path} does not exist; give a folder or a {MIMIC_ALL}")
        folders = [path]
    tables: dict[str, Path] = {}
    for folder in folders:
        for kind, path in _tables_in(folder).items():
            tables.setdefault(kind, path)
    if tables:
        return MetadataFiles(**tables, found=tuple(tables[kind] for kind in sorted(tables)))
    for folder in folders:
        path = folder / MIMIC_ALL
        if path.is_file():
            return MetadataFiles(mimic_all=path, found=(path,))
    if given is not None:
        raise ConfigError(
            f"metadata: {given} holds neither mimic-cxr-2.0.0-metadata.csv.gz, -split, -chexpert "
            f"nor {MIMIC_ALL}"
        )
    return MetadataFiles()


def _tables_in(folder: Path) -> dict[str, Path]:
    """The newest table of each kind in a folder, packed before unpacked."""
    found: dict[str, Path] = {}
    try:
        names = sorted((entry.name for entry in folder.iterdir()), reverse=True)
    except OSError:
        return found
    for name in names:
        match = _TABLE_FILE.fullmatch(name)
        if match:
            found.setdefault(match.group(1), folder / name)
    return found
