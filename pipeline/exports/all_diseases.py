"""The published KeyInfo file ``all_diseases.json``: one JSON list of records, read as a stream.

The file of a full set has hundreds of megabytes. Records are decoded one by one, so that memory
stays flat, and a record that is broken costs itself alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.clinical.keyinfo import CATEGORIES, to_published
from pipeline.core.atomic import atomic_writer
from pipeline.core.errors import DataError

_IDENTITY = ("study_id", "subject_id", "dicom_id", "view", "split", "study_date", "study_order")
_CHUNK = 1 << 20
# No record is as long (measured: 660 bytes on average); what is has lost its end.
_LONGEST = 16 << 20
_BETWEEN = re.compile(r"[\s,]*")
_OPENING = re.compile(r"\s*\[")
_KEY = re.compile(r'\s*\{\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Reject:
    """An element of the list that is no record: its index and a short reason."""

    index: int
    reason: str


def write(records: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Stream ``records`` to ``path`` as a JSON list, a line each. Returns their number."""
    count = 0
    with atomic_writer(path) as file:
        file.write(b"[")
        for record in records:
            file.write(b",\n" if count else b"\n")
            file.write(json.dumps(record, separators=(",", ": ")).encode("ascii"))
            count += 1
        file.write(b"\n]\n")
    return count


def write_records(records: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write the KeyInfo of ``records`` in the published layout, with the study's identity.

    What the pipeline keeps besides (evidence, changes) stays out.
    """
    kept = [*_IDENTITY, *CATEGORIES]
    return write(
        (to_published({name: r[name] for name in kept if name in r}) for r in records), path
    )


def read(path: Path) -> Iterator[dict[str, Any] | Reject]:
    """The records of a KeyInfo file in order, with a :class:`Reject` for each broken one.

    A broken element ends where the next record starts, known by its first key.

    Raises:
        DataError: ``not_a_list``: the file does not hold a JSON list.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        yield from _Elements(file, path.name)


class _Elements:
    """Elements of a JSON list in a text file, through a buffer of a few records."""

    def __init__(self, file: IO[str], name: str) -> None:
        self._file = file
        self._name = name
        self._buffer = ""
        self._position = 0
        self._is_end = False
        self._decoder = json.JSONDecoder()
        self._start_of_record = re.compile(r'\{\s*"study_id"\s*:')
        self._knows_key = False

    def __iter__(self) -> Iterator[dict[str, Any] | Reject]:
        self._open()
        index = 0
        while not self._is_done():
            yield self._next(index)
            index += 1

    def _open(self) -> None:
        while not self._buffer.strip() and not self._is_end:
            self._read_more()
        opening = _OPENING.match(self._buffer)
        if opening is None:
            raise DataError("not_a_list", f"{self._name} does not hold a JSON list")
        self._position = opening.end()

    def _is_done(self) -> bool:
        while True:
            between = _BETWEEN.match(self._buffer, self._position)
            self._position = between.end() if between else self._position
            if self._position < len(self._buffer):
                return self._buffer[self._position] == "]" and self._is_closed()
            if self._is_end:
                return True
            self._read_more()

    def _is_closed(self) -> bool:
        """Whether nothing but white space follows; a stray bracket amid records is no end."""
        while not self._is_end and not self._buffer[self._position + 1 :].strip():
            self._read_more()
        return not self._buffer[self._position + 1 :].strip()

    def _next(self, index: int) -> dict[str, Any] | Reject:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._position)
            except RecursionError:
                return self._skip(index, "too_deep")
            except ValueError:
                is_whole = self._is_end or self._find_next_record() is not None
                if is_whole or len(self._buffer) - self._position > _LONGEST:
                    return self._skip(index, "bad_json")
            else:
                if end < len(self._buffer) or self._is_end:
                    return self._accept(index, value, end)
            self._read_more()

    def _accept(self, index: int, value: Any, end: int) -> dict[str, Any] | Reject:
        start, self._position = self._position, end
        if not isinstance(value, dict):
            return Reject(index, "not_an_object")
        if not self._knows_key and (first := _KEY.match(self._buffer, start)):
            self._start_of_record = re.compile(r"\{\s*" + re.escape(first[1]) + r"\s*:")
            self._knows_key = True
        return value

    def _skip(self, index: int, reason: str) -> Reject:
        """Move behind a broken element: to the next record, or the end of the file."""
        while (found := self._find_next_record()) is None and not self._is_end:
            # The element is lost: all but a tail that may hold the start of the next record goes.
            self._position = max(self._position, len(self._buffer) - 256)
            self._read_more()
        if found is None:
            found = len(self._buffer)
        self._position = found
        return Reject(index, reason)

    def _find_next_record(self) -> int | None:
        found = self._start_of_record.search(self._buffer, self._position + 1)
        return found.start() if found else None

    def _read_more(self) -> None:
        chunk = self._file.read(_CHUNK)
        self._is_end = not chunk
        self._buffer = self._buffer[self._position :] + chunk
        self._position = 0
