"""The rows of a set stage's input, read from its file as often as needed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.jsonl import iter_lines, load_line
from pipeline.core.records import Record


class FileRows:
    """Rows of a JSONL file; 8 bytes of memory per row for random access."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._offsets = array("q")

    def __enter__(self) -> FileRows:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Record]:
        return (load_line(line) for line in iter_lines(self._path))

    def at(self, position: int) -> Record:
        """The row with this number, counted from 0.

        Raises:
            IndexError: there is no such row.
        """
        if not self._offsets:
            self._offsets.append(0)
            for line in iter_lines(self._path):
                self._offsets.append(self._offsets[-1] + len(line))
        if not 0 <= position < len(self._offsets) - 1:
            raise IndexError(position)
        self._file.seek(self._offsets[position])
        record: Record = load_line(self._file.readline())
        return record
