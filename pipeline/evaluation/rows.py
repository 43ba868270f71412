"""Rows of a file of labels: CSV, CSV.GZ, JSONL or a JSON list, with the line each stands on."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.sources.encoding import UTF8, find_encoding


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file being read: its header and its rows as lists, with their lines."""

    path: Path
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


def no_file(path: Path) -> ConfigError:
    """The error for what is not there, or is a folder where a file is read."""
    if path.is_dir():
        return ConfigError(f"{path} is a folder; name a file in it")
    return ConfigError(f"{path} does not exist")


def is_csv(path: Path) -> bool:
    """Whether the name says that it is CSV, compressed or not."""
    return path.name.lower().endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz"))


@contextmanager
def open_sheet(path: Path) -> Iterator[Sheet]:
    """A CSV file, with the number of cells of every row checked against the header.

    Raises:
        ConfigError: it cannot be read, has no header, a column twice, or a row of another length.
    """
    with _text(path) as file:
        delimiter = "\t" if ".tsv" in path.name.lower() else ","
        reader = csv.reader(file, delimiter=delimiter)
        with _readable(path):
            header = [name.strip() for name in next(reader, [])]
        if not any(header):
            raise ConfigError(f"{path} is empty: it needs a header line")
        twice = sorted({name for name in header if header.count(name) > 1})
        if "" in twice:
            raise ConfigError(f"{path}: columns without a name; is the first line the header?")
        if twice:
            raise ConfigError(f"{path}: column {twice[0]!r} stands twice in the header")

        def rows() -> Iterator[tuple[int, list[str]]]:
            with _readable(path):
                for row in reader:
                    if len(row) != len(header):
                        if not row:
                            continue
                        raise ConfigError(
                            f"{path}, line {reader.line_num}: {len(row)} cells, "
                            f"the header has {len(header)}"
                        )
                    yield reader.line_num, row

        yield Sheet(path, header, rows())


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a JSONL file (or of one JSON list), with their line (or number).

    Raises:
        ConfigError: it cannot be read, or a line is no JSON object.
    """
    with _readable(path), _binary(path) as file:
        if path.name.lower().removesuffix(".gz").endswith(".json"):
            try:
                value = orjson.loads(file.read())
            except orjson.JSONDecodeError:
                raise ConfigError(f"{path} is not JSON; one object a line is .jsonl") from None
            items = value if isinstance(value, list) else [value]
            for number, item in enumerate(items, start=1):
                yield number, _object(item, path, f"entry {number}")
            return
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                item = orjson.loads(line)
            except orjson.JSONDecodeError:
                raise ConfigError(f"{path}, line {number} is not JSON") from None
            yield number, _object(item, path, f"line {number}")


def _object(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}, {where} is no JSON object")
    return value


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    with _readable(path), _binary(path) as file:
        found = None if path.suffix.lower() == ".gz" else find_encoding(path)
        encoding = "utf-16" if found in ("utf-16-le", "utf-16-be") else found or UTF8
        if encoding == UTF8:
            encoding = "utf-8-sig"
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
        try:
            yield text
        finally:
            text.detach()


@contextmanager
def _binary(path: Path) -> Iterator[Any]:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        yield file


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (csv.Error, UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
