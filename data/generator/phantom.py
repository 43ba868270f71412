"""Drawn chests: small pictures that look a little like X-rays and are of nobody.

64 x 80 pixels in 16 greys, from ellipses and arcs. Labels change them as they change a film: a wide
heart, white bases, grey patches, a dark rim, a bright line.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Mapping

WIDTH, HEIGHT = 64, 80
GREYS = 16
NOTE = b"Description\x00Drawn for tests by cxr-pipeline; shows nobody."


def phantom(labels: Mapping[str, float], rng: random.Random) -> bytes:
    """A PNG file for the labels of a study; the same for the same state of ``rng``."""
    positive = {name for name, value in labels.items() if value == 1}
    shape = _Shape(positive, rng)
    rows = []
    for y in range(HEIGHT):
        line = [shape.grey(x, y) for x in range(WIDTH)]
        packed = bytes(line[x] << 4 | line[x + 1] for x in range(0, WIDTH, 2))
        rows.append(b"\x00" + packed)
    return _png(b"".join(rows))


class _Shape:
    def __init__(self, positive: set[str], rng: random.Random) -> None:
        wide = "Cardiomegaly" in positive
        self.middle = WIDTH / 2 + rng.uniform(-1.5, 1.5)
        self.heart = (13 if wide else 8) + rng.uniform(-1, 1)
        self.base = 66 + rng.uniform(-2, 2)
        self.fluid = 12 + rng.uniform(0, 6) if "Pleural Effusion" in positive else 0.0
        self.side = rng.choice((-1, 1))
        patchy = {"Pneumonia", "Consolidation", "Lung Opacity", "Lung Lesion", "Edema"} & positive
        self.patches = [
            (
                self.middle + self.side * rng.uniform(10, 18),
                rng.uniform(32, 56),
                3.0 if "Lung Lesion" in positive else rng.uniform(5, 9),
            )
            for _ in range(2 if patchy else 0)
        ]
        self.rim = "Pneumothorax" in positive
        self.line = "Support Devices" in positive
        self.ribs = rng.uniform(0, 2)

    def grey(self, x: int, y: int) -> int:
        """Grey of a pixel, 0 (black) to 15."""
        return max(0, min(GREYS - 1, round(self._value(x, y))))

    def _value(self, x: float, y: float) -> float:
        if _ellipse(x, y, WIDTH / 2, 48, 31, 46) > 1:
            return 0.0
        value = 8.0 + 2.0 * (y / HEIGHT)
        for side in (-1, 1):
            centre = self.middle + side * 14
            inside = _ellipse(x, y, centre, 42, 11.5, 29)
            if inside < 1 and y < self.base:
                value = 3.0
                if math.sin((y + abs(x - centre) * 0.35 + self.ribs) * 0.9) > 0.75:
                    value += 1.5
                if self.rim and side == self.side and inside > 0.62:
                    value = 1.0
                if side == self.side and y > self.base - self.fluid:
                    value = 11.0
                for px, py, size in self.patches:
                    value += 5.0 * math.exp(-_ellipse(x, y, px, py, size, size))
        if _ellipse(x, y, self.middle + 3, 54, self.heart, 13) < 1:
            value = 11.5
        if abs(x - self.middle) < 3:
            value = max(value, 10.5 - (1.5 if y < 30 else 0))
        if self.line and abs(x - self.middle - 2 - (60 - y) * 0.08) < 0.7 and 8 < y < 46:
            value = 15.0
        return value


def _ellipse(x: float, y: float, cx: float, cy: float, rx: float, ry: float) -> float:
    """Below 1 inside the ellipse."""
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2


def _png(rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 4, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"tEXt", NOTE), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
