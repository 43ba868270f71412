"""Bytes of a report to text: one odd byte is neither the end nor a loss."""

from __future__ import annotations

import codecs
import contextlib
from typing import Final

from pipeline.core.errors import DataError

FALLBACK: Final = "latin-1"
"""What a record's ``encoding`` says where bytes were not UTF-8.

By the WHATWG Encoding Standard this name means Windows-1252 with the five bytes that it leaves open
read as control characters, and so it is here: stray bytes of reports are its quotes, dashes and
degree signs.
"""

_HANDLER: Final = "pipeline-latin-1"
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _read_as_latin1(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are not UTF-8, and only these."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    try:
        return bad.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return bad.decode("latin-1"), error.end


codecs.register_error(_HANDLER, _read_as_latin1)


def decode_text(data: bytes) -> tuple[str, str | None]:
    """Text, and :data:`FALLBACK` where some bytes are not UTF-8; a leading mark is dropped."""
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", _HANDLER), FALLBACK


def decode_report(data: bytes) -> tuple[str, str | None]:
    """Like :func:`decode_text`, for a whole report, which may also be UTF-16 with its mark.

    Raises:
        DataError: ``unreadable``: there are NUL characters in it, so it is no text.
    """
    text, encoding = decode_text(data)
    if data.startswith(_UTF16_MARKS):
        with contextlib.suppress(UnicodeDecodeError):
            text, encoding = data.decode("utf-16"), "utf-16"
    if "\x00" in text:
        raise DataError("unreadable", "not a text file")
    return text, encoding
