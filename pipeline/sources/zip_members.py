"""Members of a large zip, listed once and read by position.

``zipfile`` builds an object for each member before the first can be read: seconds and hundreds of
megabytes in every worker for the 227,827 notes of MIMIC-CXR. So the directory is read once, by the
process that lists, and a member's place travels with its locator.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources.positioned import PositionedFile

MemberPlace: TypeAlias = tuple[int, int, int, int, int]
"""Offset of the local header, packed size, size, CRC-32, method (-1: encrypted)."""

_HEADER: Final = struct.Struct("<4s22xHH")
_SIGNATURE: Final = b"PK\x03\x04"
_SLACK: Final = 512
"""Bytes read beyond header and data: name and extra field of the local header, as a rule."""

_ENCRYPTED: Final = 0x1


def list_members(path: Path) -> Iterator[tuple[str, MemberPlace]]:
    """Names and places of all files in a zip, in the order of its directory.

    Raises:
        ConfigError: it is not there, or no whole zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    method = -1 if info.flag_bits & _ENCRYPTED else info.compress_type
                    yield (
                        info.filename,
                        (
                            info.header_offset,
                            info.compress_size,
                            info.file_size,
                            info.CRC,
                            method,
                        ),
                    )
    except (zipfile.BadZipFile, EOFError, struct.error, NotImplementedError):
        raise ConfigError(
            f"{path} is not a whole zip file; fetch it again and compare its SHA-256"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


class ZipMembers:
    """A zip opened for reading members by place; one per process, closed with the object."""

    def __init__(self, path: Path) -> None:
        self._file = PositionedFile(path)

    def read(self, place: MemberPlace, max_size: int) -> bytes:
        """The content of one member, checked against its size and CRC-32.

        Raises:
            DataError: ``too_large`` or ``unreadable``.
        """
        offset, packed_size, size, crc, method = place
        if size > max_size or packed_size > max_size:
            raise DataError("too_large", f"{size} bytes")
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError("unreadable", "encrypted" if method < 0 else f"zip method {method}")
        data = _unpack(self._packed(offset, packed_size), size, method)
        if len(data) != size or zlib.crc32(data) != crc:
            raise DataError("unreadable", "damaged in the zip")
        return data

    def _packed(self, offset: int, packed_size: int) -> bytes:
        block = self._file.read(offset, _HEADER.size + packed_size + _SLACK)
        if len(block) < _HEADER.size:
            raise DataError("unreadable", "cut short in the zip")
        signature, name_size, extra_size = _HEADER.unpack_from(block)
        if signature != _SIGNATURE:
            raise DataError("unreadable", "damaged in the zip")
        start = _HEADER.size + name_size + extra_size
        if start + packed_size > len(block):
            return self._file.read(offset + start, packed_size)
        return block[start : start + packed_size]


def _unpack(packed: bytes, size: int, method: int) -> bytes:
    if method == zipfile.ZIP_STORED:
        return packed
    try:
        # Bounded, so that a forged size cannot make a small member fill the memory.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    except zlib.error:
        raise DataError("unreadable", "damaged in the zip") from None
