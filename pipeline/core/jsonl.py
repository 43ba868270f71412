"""JSONL as bytes: one object per line, lines appended whole, a torn last line cut off.

The stores of a run need byte offsets and torn-tail repair, which user-facing readers do not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.errors import DataError

_BLOCK = 1 << 16


def dump_line(value: Any) -> bytes:
    """One JSON line with its newline; keys stay in the order given."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def load_line(line: bytes, path: Path | None = None, number: int = 0) -> Any:
    """Parse one line.

    Raises:
        DataError: reason ``bad_json``; names the file and line, never the text.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        where = f"{path}, line {number}" if path else "line"
        raise DataError("bad_json", f"{where} is not JSON") from None


def iter_lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """Complete lines from byte ``offset`` on; a last line without newline is not yielded."""
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if line.endswith(b"\n"):
                yield line


def iter_objects(path: Path) -> Iterator[Any]:
    """Parsed lines of a file that may not exist yet."""
    if not path.exists():
        return
    for number, line in enumerate(iter_lines(path), start=1):
        yield load_line(line, path, number)


def count_lines(path: Path) -> int:
    """Number of complete lines; 0 if there is no file."""
    if not path.exists():
        return 0
    lines = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    return lines


def repair_tail(path: Path) -> int:
    """Cut a last line that was not written whole. Returns the number of bytes removed."""
    size = path.stat().st_size
    end = size
    with path.open("rb+") as file:
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
    return size - end
