"""Rows of a Parquet file; needs the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources.rows import Row, Scanned

INSTALL = 'pip install "cxr-pipeline[parquet]"'


class ParquetRows:
    """A Parquet file; a position is ``[row group, index in it, row number]``.

    One row group is held in memory while rows are read, so files with the usual groups of some ten
    thousand rows read flat.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow.lib
            import pyarrow.parquet
        except ImportError:
            raise ConfigError(f"{path.name} is Parquet; install its reader: {INSTALL}") from None
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (OSError, pyarrow.lib.ArrowException) as error:
            raise ConfigError(f"{path} is no whole Parquet file ({type(error).__name__})") from None
        self._error: type[Exception] = pyarrow.lib.ArrowException
        self._group: int | None = None
        self._table: Any = None

    def columns(self) -> list[str]:
        """Names of the schema."""
        return [str(name) for name in self._file.schema_arrow.names]

    def scan(self, wanted: list[str]) -> Iterator[Scanned]:
        """All rows, with the wanted columns only."""
        number = 0
        for group in range(self._file.num_row_groups):
            try:
                table = self._file.read_row_group(group, columns=wanted)
            except (OSError, self._error) as error:
                raise ConfigError(f"Parquet row group {group}: {type(error).__name__}") from None
            columns = [table.column(name) for name in wanted]
            for index in range(table.num_rows):
                number += 1
                row = {
                    name: column[index].as_py()
                    for name, column in zip(wanted, columns, strict=True)
                }
                yield [group, index, number], row

    def row(self, at: list[int]) -> tuple[Row, str | None]:
        """Read one row; its group is read once."""
        group, index, _ = at
        try:
            if group != self._group:
                self._table = self._file.read_row_group(group)
                self._group = group
            names = self._table.column_names
            return {name: self._table.column(name)[index].as_py() for name in names}, None
        except (OSError, IndexError, self._error) as error:
            raise DataError("unreadable", type(error).__name__) from None
