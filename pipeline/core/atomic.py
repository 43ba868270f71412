"""Files that are whole or absent, readable by their owner alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import orjson

OWNER_FILE = 0o600
OWNER_DIR = 0o700


def make_private_dir(path: Path) -> Path:
    """Create ``path`` and its missing parents; those created are for the owner alone (0700)."""
    missing = []
    current = path
    while not current.exists():
        missing.append(current)
        current = current.parent
    for folder in reversed(missing):
        folder.mkdir(mode=OWNER_DIR, exist_ok=True)
    return path


def open_private(path: Path, flags: int) -> int:
    """``os.open`` with mode 0600, whatever the umask is. Returns the file descriptor."""
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), OWNER_FILE)


def sync_dir(path: Path) -> None:
    """Make a rename inside ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """Write ``path`` through a temporary file in its folder; it appears whole or not at all.

    The data is flushed to disk before the rename, so that a crash leaves the old file or the new
    one, never a part.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_dir(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` with ``data`` in one step."""
    with atomic_writer(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` with indented JSON, keys in the order given."""
    write_bytes(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
