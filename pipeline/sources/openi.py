"""Open-i (Indiana University chest X-rays): XML reports and the reports/projections CSV pair.

Public data. Ids are the numbers of the collection: ``CXR1``, ``1.xml`` and ``uid`` 1 are study
``1``. There are no patients and no dates. ``XXXX``, the collection's mark for removed words, stays.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.records import Record
from pipeline.sources.base import (
    MAX_REPORT_BYTES,
    Listing,
    Locator,
    Source,
    file_input,
    make_record,
    read_report,
    tree_input,
)
from pipeline.sources.columns import ColumnMap
from pipeline.sources.config import DataClass, SourceConfig
from pipeline.sources.decode import decode_report
from pipeline.sources.openi_xml import parse_report
from pipeline.sources.rows import CsvRows, Row
from pipeline.sources.table import TableSource

REPORTS_NAMES: Final = ("reports.csv", "indiana_reports.csv")
XML_FOLDER: Final = "ecgen-radiology"
XML_FILE: Final = re.compile(r"(?:CXR)?(\d+)\.xml")

_COLUMNS: Final = {
    "id": "uid",
    "indication": "indication",
    "comparison": "comparison",
    "findings": "findings",
    "impression": "impression",
}
_IMAGE_SUFFIX: Final = re.compile(r"(\.dcm)?\.(png|jpg)$")
_MAX_ARCHIVE: Final = 256 << 20
"""Bytes of reports held in memory from one archive; the collection has some 10 MB."""

ViewTable: TypeAlias = dict[str, list[dict[str, str | None]]]
"""study id -> images with their projection as view, in file order."""


def projections_beside(reports: Path) -> Path | None:
    """``projections.csv`` or ``indiana_projections.csv`` that belongs to a reports file."""
    name = reports.name.replace("reports", "projections")
    for candidate in (name, "projections.csv", "indiana_projections.csv"):
        path = reports.parent / candidate
        if candidate != reports.name and path.is_file():
            return path
    return None


def load_projections(path: Path) -> ViewTable:
    """Images of each study with their views (``frontal``, ``lateral``).

    Raises:
        ConfigError: a column is missing.
    """
    rows = CsvRows(path)
    missing = {"uid", "filename", "projection"} - set(rows.columns())
    if missing:
        raise ConfigError(f"{path} has no column {', '.join(sorted(missing))}")
    views: ViewTable = {}
    for _, row in rows.scan([]):
        if row is not None:
            image = _IMAGE_SUFFIX.sub("", row["filename"].strip())
            view = row["projection"].strip().lower() or None
            views.setdefault(row["uid"].strip(), []).append({"dicom_id": image, "view": view})
    return views


def image_fields(images: list[dict[str, str | None]]) -> dict[str, Any]:
    """Joined fields of a study: the first frontal image stands for it, else its first."""
    if not images:
        return {}
    chosen = next((image for image in images if image["view"] == "frontal"), images[0])
    return {"dicom_id": chosen["dicom_id"], "view": chosen["view"], "images": images}


class OpeniCsv(TableSource):
    """The reports CSV with its projections joined where they lie beside it."""

    kind: ClassVar[str] = "openi-csv"
    default_class: ClassVar[DataClass] = "public"

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self._views: ViewTable = {}

    def given_columns(self) -> dict[str, str]:
        """The collection's own columns, unless they are mapped."""
        return {**_COLUMNS, **self.config.columns}

    def inputs(self) -> list[dict[str, Any]]:
        """Reports, and projections where they are."""
        projections = projections_beside(self.path)
        beside = [] if projections is None else [file_input(projections, "metadata")]
        return [*super().inputs(), *beside]

    def listing(self) -> Listing:
        """Load the projections, then list the rows."""
        projections = projections_beside(self.path)
        self._views = {} if projections is None else load_projections(projections)
        return super().listing()

    def locator(self, at: list[int], row: Row | None, columns: ColumnMap) -> Locator:
        """The locator of a row with its images."""
        locator = super().locator(at, row, columns)
        locator.update(image_fields(self._views.get(locator["id"], [])))
        return locator


class OpeniXml(Source):
    """XML reports in a folder, a single file, or the archive they are published in."""

    kind: ClassVar[str] = "openi-xml"
    default_class: ClassVar[DataClass] = "public"

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self._archive: dict[str, bytes] | None = None

    def _xml_folder(self) -> Path:
        below = self.path / XML_FOLDER
        return below if below.is_dir() else self.path

    def _names(self) -> list[str]:
        """Names of the report files, relative to the folder or inside the archive, by number."""
        if self.path.is_dir():
            folder = self._xml_folder()
            prefix = "" if folder == self.path else f"{XML_FOLDER}/"
            names = [prefix + entry.name for entry in folder.iterdir()]
        elif self.path.suffix.lower() == ".xml":
            names = [self.path.name]
        else:
            names = list(self._members())
        found = [name for name in names if XML_FILE.fullmatch(name.rpartition("/")[2])]
        if not found:
            raise ConfigError(f"{self.path} holds no Open-i reports ({XML_FOLDER}/1.xml, ...)")
        return sorted(found, key=lambda name: (int(_number(name)), name))

    def _members(self) -> dict[str, bytes]:
        """All reports of the archive; packed archives cannot be read by position."""
        if self._archive is None:
            self._archive = read_archive(self.path)
        return self._archive

    def inputs(self) -> list[dict[str, Any]]:
        """The archive or file, or one entry for the folder."""
        if self.path.is_file():
            return [file_input(self.path, "reports")]
        return [tree_input(self.path, self._names())]

    def listing(self) -> Listing:
        """List the files by their number, with projections joined where they lie beside them."""
        names = self._names()
        table = projections_beside(self.folder / REPORTS_NAMES[0])
        views = {} if table is None else load_projections(table)

        def locators() -> Iterator[Locator]:
            for name in names:
                study = _number(name)
                yield {"id": study, "at": name, **image_fields(views.get(study, []))}

        return locators

    def read_at(self, locator: Locator) -> Record:
        """Read one report."""
        name = str(locator["at"])
        if self.path.is_file() and self.path.suffix.lower() != ".xml":
            data = self._members().get(name)
            if data is None:
                raise DataError("not_found")
        else:
            data = read_report(f"{self.folder}/{name}")
        if len(data) > MAX_REPORT_BYTES:
            raise DataError("too_large")
        text, encoding = decode_report(data)
        report = parse_report(text)
        if not report.text:
            raise DataError("no_text")
        known = dict(locator)
        if "images" not in known:
            images: list[dict[str, str | None]] = [
                {"dicom_id": image, "view": None} for image in report.images
            ]
            known.update(image_fields(images))
        return make_record(known, report.text, name, encoding)


def _number(name: str) -> str:
    match = XML_FILE.fullmatch(name.rpartition("/")[2])
    return str(int(match.group(1))) if match else ""


def read_archive(path: Path) -> dict[str, bytes]:
    """Report files of a tar archive, packed or not, by name; oversized ones cut one byte above.

    Raises:
        ConfigError: it is damaged, no archive, or far larger than the collection.
    """
    members: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.isfile() or not XML_FILE.fullmatch(member.name.rpartition("/")[2]):
                    continue
                file = archive.extractfile(member)
                data = b"" if file is None else file.read(MAX_REPORT_BYTES + 1)
                total += len(data)
                if total > _MAX_ARCHIVE:
                    raise ConfigError(f"{path} is too large to be read in place; unpack it")
                members[member.name] = data
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ConfigError(
            f"{path} is not a whole tar archive ({type(error).__name__}); fetch it again"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or 'damaged'}") from None
    return members


def is_openi_header(path: Path) -> bool:
    """Whether a CSV is the collection's reports file rather than any table with its columns.

    Since Open-i is public and tables are credentialed unless said otherwise, columns alone do not
    decide: the projections file must lie beside it, or the index terms be in it.
    """
    try:
        columns = set(CsvRows(path).columns())
    except ConfigError:
        return False
    if not set(_COLUMNS.values()) <= columns:
        return False
    return {"MeSH", "Problems"} <= columns or projections_beside(path) is not None
