"""Which encoding a table is in: UTF-8, UTF-16, or GB18030 as Chinese spreadsheets write it."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

from pipeline.core.errors import ConfigError

UTF8: Final = "utf-8"
GB18030: Final = "gb18030"
"""Contains GBK and GB2312."""

_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BLOCK: Final = 1 << 20
_ENOUGH: Final = 0.8
"""Share of the bytes beyond ASCII that must be pairs of the GB2312 plane.

In Chinese text nearly all are; of stray Windows-1252 bytes, which mostly stand alone, hardly any.
"""


def find_encoding(path: Path) -> str | None:
    """The encoding of a text file; None where it is none of the known ones.

    ``utf-8`` may have a byte order mark in front; ``utf-16-le`` and ``utf-16-be`` are told by
    theirs. The whole file is looked at, a block at a time.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mark = _MARKS.get(file.read(2))
        if mark is not None:
            return mark
        if _decodes(path, UTF8):
            return UTF8
        return GB18030 if _is_chinese(path) and _decodes(path, GB18030) else None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def known_encoding(name: str) -> str:
    """The name Python knows an encoding by.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"no encoding is called {name!r}") from None
    return GB18030 if found in ("gbk", "gb2312") else found


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _is_chinese(path: Path) -> bool:
    with path.open("rb") as file:
        sample = file.read(_BLOCK)
    high = paired = at = 0
    while at < len(sample):
        if sample[at] < 0x80:
            at += 1
        elif sample[at] >= 0xA1 and at + 1 < len(sample) and sample[at + 1] >= 0xA1:
            high, paired, at = high + 2, paired + 2, at + 2
        else:
            high, at = high + 1, at + 1
    return paired >= _ENOUGH * high
