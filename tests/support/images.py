"""Small images drawn for tests; nothing here was ever a patient."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def drawn(width: int = 64, height: int = 80, *, seed: int = 0) -> np.ndarray[Any, Any]:
    """A grey picture, 0 to 1: a slope from left to right with two dark ovals."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = columns / width * 0.8 + 0.1 + (seed % 7) * 0.01
    for centre in (0.3, 0.7):
        oval = ((columns / width - centre) / 0.15) ** 2 + ((rows / height - 0.5) / 0.3) ** 2
        picture = np.where(oval < 1, picture * 0.3, picture)
    return picture


def grey(width: int = 64, height: int = 80, *, seed: int = 0) -> Image.Image:
    """:func:`drawn` as an 8-bit image."""
    return Image.fromarray((drawn(width, height, seed=seed) * 255).astype(np.uint8))


def deep(width: int = 64, height: int = 80, most: int = 4095) -> Image.Image:
    """:func:`drawn` as a 16-bit image whose values end at ``most``."""
    return Image.fromarray((drawn(width, height) * most).astype(np.uint16))


def save(path: Path, image: Image.Image | None = None, **options: Any) -> Path:
    """Write an image file; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (grey() if image is None else image).save(path, **options)
    return path


def huge_png(path: Path, side: int = 30_000) -> Path:
    """A valid PNG of a few kilobytes that unpacks to ``side`` x ``side`` pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(9)
    line = bytes(side // 8 + 2)
    pixels = b"".join([*(packer.compress(line) for _ in range(side)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
    return path
