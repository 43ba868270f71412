"""Bytes of a report to text: one odd byte is neither the end nor a loss."""

from __future__ import annotations

import codecs
from typing import Final

from pipeline.core.errors import DataError

_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_text(data: bytes) -> tuple[str, str | None]:
    """Text, and the name of the encoding where it is not UTF-8.

    UTF-8 with or without a mark first; else Windows-1252, whose quotes and dashes are what stray
    bytes in reports usually are; else Latin-1, which reads every byte.
    """
    if data.startswith(_UTF16_MARKS):
        try:
            return data.decode("utf-16"), "utf-16"
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def decode_report(data: bytes) -> tuple[str, str | None]:
    """Like :func:`decode_text`, for a whole report.

    Raises:
        DataError: ``unreadable``: there are NUL characters in it, so it is no text.
    """
    text, encoding = decode_text(data)
    if "\x00" in text:
        raise DataError("unreadable", "not a text file")
    return text, encoding
