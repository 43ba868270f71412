"""CSV, JSON Lines and Parquet tables with one report per row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.records import Record
from pipeline.sources.base import Listing, Locator, Source, file_input, make_record
from pipeline.sources.columns import ROW_NUMBER, ColumnMap, cell_text, map_columns
from pipeline.sources.config import SourceConfig
from pipeline.sources.rows import CsvRows, JsonlRows, Row, Rows

CSV_SUFFIXES: Final = frozenset({".csv", ".tsv", ".txt"})
JSONL_SUFFIXES: Final = frozenset({".jsonl", ".ndjson"})
PARQUET_SUFFIXES: Final = frozenset({".parquet", ".pq"})

_PLAIN_FIELDS: Final = ("subject_id", "dicom_id", "view", "split", "study_date", "study_order")


class TableSource(Source):
    """One report per row; columns by name or by ``columns``.

    Fields that are mapped beyond the known ones are carried into the record as text.
    """

    kind: ClassVar[str] = "table"

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self._rows: Rows | None = None
        self._columns: ColumnMap | None = None

    def given_columns(self) -> dict[str, str]:
        """Columns that are mapped explicitly."""
        return dict(self.config.columns)

    def _open(self) -> tuple[Rows, ColumnMap]:
        if self._rows is None or self._columns is None:
            self._rows = self._open_rows()
            self._columns = map_columns(self.path, self._rows.columns(), self.given_columns())
        return self._rows, self._columns

    def _open_rows(self) -> Rows:
        suffix = self.path.suffix.lower()
        if suffix in PARQUET_SUFFIXES:
            from pipeline.sources.rows_parquet import ParquetRows

            return ParquetRows(self.path)
        if suffix in JSONL_SUFFIXES:
            return JsonlRows(self.path)
        if suffix in CSV_SUFFIXES:
            return CsvRows(self.path, self.config.encoding)
        raise ConfigError(
            f"{self.path} is no table; known are .csv, .tsv, .jsonl, .ndjson, .parquet"
        )

    def inputs(self) -> list[dict[str, Any]]:
        """The file."""
        return [file_input(self.path, "reports")]

    def listing(self) -> Listing:
        """List rows in file order; rows that cannot be read have a ``problem``."""
        rows, columns = self._open()

        def locators() -> Iterator[Locator]:
            for at, row in rows.scan(columns.wanted()):
                yield self.locator(at, row, columns)

        return locators

    def locator(self, at: list[int], row: Row | None, columns: ColumnMap) -> Locator:
        """The locator of one row: id, patient and split; the rest is read with the text."""
        number = at[-1]
        if row is None:
            return {"id": f"row-{number}", "at": at, "problem": "bad_row"}
        column = columns.fields["id"]
        name = str(number) if column == ROW_NUMBER else cell_text(row.get(column))
        if not name:
            return {"id": f"row-{number}", "at": at, "problem": "no_id"}
        locator: Locator = {"id": name, "at": at}
        for field in ("subject_id", "split"):
            if field in columns.fields:
                locator[field] = cell_text(row.get(columns.fields[field])) or None
        return locator

    def read_at(self, locator: Locator) -> Record:
        """Read one row."""
        rows, columns = self._open()
        at = locator["at"]
        row, encoding = rows.row(at)
        text = columns.text(row)
        if not text:
            raise DataError("no_text")
        known = dict(locator)
        extra: Record = {}
        for field, column in columns.fields.items():
            if field in ("id", "text", "image_path"):
                continue
            value = cell_text(row.get(column)) or None
            if field in _PLAIN_FIELDS:
                known[field] = value
            else:
                extra[field] = value
        if "images" not in known and (images := _images(known, row, columns)):
            known["images"] = images
        return {**make_record(known, text, at[-1], encoding), **extra}


def _images(known: Record, row: Row, columns: ColumnMap) -> list[Record]:
    """Images of a row: by id, and by their paths where a column has them (``;`` between)."""
    image, view = known.get("dicom_id"), known.get("view")
    cell = row.get(columns.fields.get("image_path", ""))
    given = cell if isinstance(cell, list) else cell_text(cell).split(";")
    paths = [path for one in given if (path := cell_text(one))]
    if paths:
        ids = [image] if image and len(paths) == 1 else [_stem(path) for path in paths]
        return [
            {"dicom_id": name, "view": view, "path": path}
            for name, path in zip(ids, paths, strict=True)
        ]
    return [{"dicom_id": image, "view": view}] if image else []


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
