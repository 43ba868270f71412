"""Rows of a table file: listed in one pass, read again one by one by position."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import orjson

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources.decode import decode_text
from pipeline.sources.encoding import UTF8, find_encoding, known_encoding
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
    """A CSV file: delimiter found in its header, quoted newlines, encoding found.

    UTF-8 (with stray Windows-1252 bytes), UTF-16 with its mark and GB18030 are told apart, unless
    ``encoding`` says what it is. A position is ``[offset, size, row number]`` in bytes of the file.

    Args:
        path: the file.
        encoding: its encoding, or ``auto``.
    """

    def __init__(self, path: Path, encoding: str = "auto") -> None:
        self.path = path
        self._file = PositionedFile(path)
        self._header: list[str] | None = None
        self._delimiter = ","
        self._given = encoding
        self._encoding: str | None = None
        self._looked = False

    @property
    def encoding(self) -> str | None:
        """The encoding; None where it is UTF-8 but for some bytes.

        Raises:
            ConfigError: the file cannot be read, or is not in the encoding it is said to be in.
        """
        if not self._looked:
            self._encoding = find_encoding(self.path)
            if self._given != "auto":
                self._encoding = known_encoding(self._given)
            self._looked = True
        return self._encoding

    @property
    def delimiter(self) -> str:
        """What separates cells."""
        self.columns()
        return self._delimiter

    def records(self) -> Iterator[tuple[bytes, list[str] | None]]:
        """Every record as it stands in the file, the header and blank lines too, and its cells.

        The bytes of all records together are the file. Cells are empty for a blank line, None where
        they cannot be told.
        """
        self.columns()
        for (offset, size), cells in self._records(self._delimiter):
            yield self._file.read(offset, size), cells

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

            def lines() -> Iterator[str]:
                nonlocal end
                for line in self._lines(file):
                    end += len(line)
                    yield self._decode(line)[0]

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

    def _lines(self, file: Any) -> Iterator[bytes]:
        """Lines of the file; in UTF-16 a newline has two bytes, of which one may be of others."""
        if self.encoding not in ("utf-16-le", "utf-16-be"):
            for line in file:  # not "yield from": that would close the file with the generator
                yield line
            return
        newline = "\n".encode(self.encoding)
        held = b""
        for line in file:
            held += line
            while self.encoding == "utf-16-le" and held.endswith(b"\n"):
                held += file.read(1)
            if len(held) % 2 == 0 and held.endswith(newline):
                yield held
                held = b""
        if held:
            yield held

    def _decode(self, data: bytes) -> tuple[str, str | None]:
        """Text, and the encoding where it is not UTF-8.

        Raises:
            ConfigError: bytes that the given encoding does not have.
        """
        if self.encoding in (None, UTF8):
            return decode_text(data)
        assert self.encoding is not None
        try:
            return data.decode(self.encoding).removeprefix("\ufeff"), self.encoding
        except UnicodeDecodeError:
            raise ConfigError(
                f"{self.path} is not all {self.encoding}; name its encoding"
            ) from None

    def _sniff(self) -> str:
        """The delimiter that makes most columns of the first record; a comma where it is one."""
        with _opened(self.path) as file:
            sample = self._decode(next(self._lines(file), b""))[0]
            if sample.count('"') % 2:  # a newline in a name
                sample += self._decode(b"".join(islice(self._lines(file), 64)))[0]
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
        text, encoding = self._decode(self._file.read(offset, size))
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
