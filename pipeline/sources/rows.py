"""Rows of a table file: listed in one pass, read again one by one by position."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import orjson

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources.decode import decode_text
from pipeline.sources.positioned import PositionedFile

Row: TypeAlias = Mapping[str, Any]
"""Column name -> value."""

Scanned: TypeAlias = tuple[list[int], Row | None]
"""Position and row; None where the row cannot be read."""

_DELIMITERS: Final = ",\t;|"
_HEADER_ROWS: Final = 100
"""JSONL objects looked at for the names of columns."""


class Rows(Protocol):
    """A table file."""

    def columns(self) -> list[str]:
        """Names of its columns."""
        ...

    def scan(self, wanted: list[str]) -> Iterator[Scanned]:
        """All rows with at least the columns ``wanted``.

        The last number of a position counts rows from 1.
        """
        ...

    def row(self, at: list[int]) -> tuple[Row, str | None]:
        """One row, and its encoding where it is not UTF-8.

        Raises:
            DataError: ``bad_row`` or ``unreadable``.
        """
        ...


class CsvRows:
    """A CSV file: delimiter found in its header, quoted newlines, UTF-8 or Windows-1252.

    A position is ``[offset, size, row number]`` in bytes of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = PositionedFile(path)
        self._header: list[str] | None = None
        self._delimiter = ","

    def columns(self) -> list[str]:
        """The header.

        Raises:
            ConfigError: the file is empty or not readable.
        """
        if self._header is None:
            for _, header in self._records(""):
                self._header = [name.strip() for name in header or []]
                break
            else:
                raise ConfigError(f"{self.path} is empty; a table needs a line of column names")
        return self._header

    def _records(self, delimiter: str) -> Iterator[tuple[list[int], list[str] | None]]:
        """Offset, size and cells of each record, the header being the first; None if malformed."""
        offset = end = 0
        with _opened(self.path) as file:
            if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise ConfigError(f"{self.path} is UTF-16; save it as UTF-8")
            file.seek(0)

            def lines() -> Iterator[str]:
                nonlocal end
                for line in file:
                    end += len(line)
                    yield decode_text(line)[0]

            text = lines()
            if not delimiter:
                delimiter = self._delimiter = self._sniff()
            reader = csv.reader(text, delimiter=delimiter)
            while True:
                cells: list[str] | None
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    cells = None
                yield [offset, end - offset], cells
                offset = end

    def _sniff(self) -> str:
        """The delimiter that makes most columns of the first record; a comma where it is one."""
        with _opened(self.path) as file:
            sample = decode_text(file.read(1 << 16))[0]
        widths: dict[str, int] = {}
        for delimiter in _DELIMITERS:
            try:
                first = next(csv.reader(sample.splitlines(keepends=True), delimiter=delimiter), [])
            except csv.Error:
                first = []
            widths[delimiter] = len(first)
        return max(_DELIMITERS, key=lambda delimiter: widths[delimiter])

    def scan(self, wanted: list[str]) -> Iterator[Scanned]:
        """All rows below the header; blank lines are no rows."""
        header = self.columns()
        records = self._records(self._delimiter)
        next(records, None)
        number = 0
        for at, cells in records:
            if cells is not None and not cells:
                continue
            number += 1
            yield [*at, number], None if cells is None else _fit(header, cells)

    def row(self, at: list[int]) -> tuple[Row, str | None]:
        """Read one record again."""
        offset, size, _ = at
        header = self.columns()
        text, encoding = decode_text(self._file.read(offset, size))
        try:
            row = _fit(header, next(csv.reader([text], delimiter=self._delimiter), []))
        except csv.Error:
            row = None
        if row is None:
            raise DataError("bad_row")
        return row, encoding


def _fit(header: list[str], cells: list[str]) -> Row | None:
    """Cells by name; None where their number is not that of the columns: then they may be shifted.

    Empty cells beyond the last column are what spreadsheets leave behind.
    """
    if len(cells) < len(header) or any(cells[len(header) :]):
        return None
    return dict(zip(header, cells, strict=False))


class JsonlRows:
    """JSON Lines; a position is ``[offset, size, line number]``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = PositionedFile(path)
        self._names: list[str] | None = None

    def columns(self) -> list[str]:
        """Keys of the first hundred objects.

        Raises:
            ConfigError: there is no JSON object among them.
        """
        if self._names is None:
            names: dict[str, None] = {}
            for number, (_, row) in enumerate(self.scan([])):
                names.update(dict.fromkeys(row or ()))
                if number >= _HEADER_ROWS:
                    break
            if not names:
                raise ConfigError(f"{self.path} holds no JSON objects, one per line")
            self._names = list(names)
        return self._names

    def scan(self, wanted: list[str]) -> Iterator[Scanned]:
        """All lines; blank ones are no rows."""
        offset = 0
        with _opened(self.path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield [offset, len(line), number], _parse(line)
                offset += len(line)

    def row(self, at: list[int]) -> tuple[Row, str | None]:
        """Read one line again."""
        offset, size, _ = at
        row = _parse(self._file.read(offset, size))
        if row is None:
            raise DataError("bad_row")
        return row, None


def _parse(line: bytes) -> Row | None:
    try:
        value = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
