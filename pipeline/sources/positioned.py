"""Reading a file by position: many short reads anywhere, safe to share after a fork."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from pipeline.core.errors import DataError


class PositionedFile:
    """A file opened at the first read and closed with the object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes at ``offset``; fewer at the end of the file.

        Raises:
            DataError: ``unreadable``.
        """
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDONLY)
                weakref.finalize(self, os.close, self._descriptor)
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise DataError("unreadable", error.strerror or "") from None
