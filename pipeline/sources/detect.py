"""Which kind of source a path is, by looking at it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from pipeline.core.errors import ConfigError
from pipeline.sources.config import KINDS, SourceConfig
from pipeline.sources.mimic_files import REPORTS_ZIP, STUDY_FILE, find_tree
from pipeline.sources.openi import REPORTS_NAMES, XML_FILE, XML_FOLDER, is_openi_header
from pipeline.sources.table import CSV_SUFFIXES, JSONL_SUFFIXES, PARQUET_SUFFIXES

_TAR_SUFFIXES: Final = (".tgz", ".tar.gz", ".tar")


def resolve(config: SourceConfig) -> SourceConfig:
    """The configuration with its kind decided and its path pointing at what is read.

    Raises:
        ConfigError: the path does not exist, holds nothing known, or is not of the kind named.
    """
    path = Path(config.path).expanduser()
    if not path.exists():
        raise ConfigError(f"{path} does not exist; give the folder or file with the reports")
    kind: str = config.kind
    if kind == "auto":
        kind = _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)
    path = _point_at_file(kind, path)
    return config.model_copy(update={"kind": kind, "path": str(path)})


def _kind_of_folder(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    if XML_FOLDER in names or any(XML_FILE.fullmatch(name) for name in names):
        return "openi-xml"
    reports = [name for name in REPORTS_NAMES if name in names]
    if reports and is_openi_header(folder / reports[0]):
        return "openi-csv"
    if find_tree(folder) is not None:
        return "mimic-tree"
    if _zip_in(folder) is not None:
        return "mimic-zip"
    if _archive_in(folder) is not None:
        return "openi-xml"
    tables = [name for name in names if Path(name).suffix.lower() in _table_suffixes()]
    if tables:
        raise ConfigError(f"{folder} holds tables; point path at one, such as {tables[0]}")
    what = "is empty" if not names else "holds no reports of a known kind"
    raise ConfigError(f"{folder} {what}; known kinds are {', '.join(KINDS)}")


def _kind_of_file(path: Path) -> str:
    name = path.name.lower()
    if STUDY_FILE.fullmatch(path.name):
        return "mimic-tree"
    if name.endswith(".zip"):
        return "mimic-zip"
    if name.endswith(_TAR_SUFFIXES) or name.endswith(".xml"):
        return "openi-xml"
    if name.endswith(".json"):
        return "keyinfo-json"
    if path.suffix.lower() in _table_suffixes():
        is_openi = path.suffix.lower() == ".csv" and is_openi_header(path)
        return "openi-csv" if is_openi else "table"
    if zipfile.is_zipfile(path):
        return "mimic-zip"
    raise ConfigError(
        f"{path} is of no known kind; read are folders, .zip, .tgz, .xml, .csv, .tsv, .jsonl, "
        ".parquet and KeyInfo in .json"
    )


def _point_at_file(kind: str, path: Path) -> Path:
    """The file inside a folder that a kind reads; the path itself for trees and files."""
    found: Path | None = path
    if kind == "mimic-zip":
        if path.is_dir():
            found = _zip_in(path)
        if found is not None and not zipfile.is_zipfile(found):
            raise ConfigError(
                f"{found} is not a whole zip file; fetch it again and compare its SHA-256"
            )
    elif kind == "openi-csv" and path.is_dir():
        found = next((path / name for name in REPORTS_NAMES if (path / name).is_file()), None)
    elif kind == "openi-xml" and path.is_dir() and not _has_xml(path):
        found = _archive_in(path)
    misplaced = (
        path.is_dir()
        if kind in ("table", "keyinfo-json")
        else path.is_file() and not STUDY_FILE.fullmatch(path.name)
    )
    if found is None or (kind in ("table", "mimic-tree", "keyinfo-json") and misplaced):
        raise ConfigError(f"{path} is no {kind}; leave kind out, or point path at the right place")
    return found


def _has_xml(folder: Path) -> bool:
    if (folder / XML_FOLDER).is_dir():
        return True
    return any(XML_FILE.fullmatch(entry.name) for entry in folder.iterdir())


def _zip_in(folder: Path) -> Path | None:
    named = folder / REPORTS_ZIP
    if named.is_file():
        return named
    others = sorted(folder.glob("*.zip"))
    return others[0] if len(others) == 1 else None


def _archive_in(folder: Path) -> Path | None:
    found = sorted(x for x in folder.iterdir() if x.name.lower().endswith(_TAR_SUFFIXES))
    return found[0] if len(found) == 1 else None


def _table_suffixes() -> frozenset[str]:
    # .txt is read as a table where that kind is named, never by itself.
    return (CSV_SUFFIXES | JSONL_SUFFIXES | PARQUET_SUFFIXES) - {".txt"}
