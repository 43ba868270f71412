"""Resampling by patient: bootstrap intervals and paired randomisation tests.

Studies of one patient are not independent, so patients are drawn, with all their studies. Where no
patient is known, studies are drawn. Only sums per patient are needed, which makes a draw one row of
a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.scores import Floats

_CHUNK_BYTES = 32 << 20


def cluster_sums(cells: NDArray[np.bool_] | Floats, clusters: Sequence[str]) -> Floats:
    """Sums of ``cells`` (studies first) over the studies of each cluster."""
    flat = cells.reshape(len(cells), -1)
    _, number = np.unique(np.asarray(clusters), return_inverse=True)
    total = int(number.max(initial=-1)) + 1
    sums = np.zeros((total, flat.shape[1]))
    for column in range(flat.shape[1]):
        sums[:, column] = np.bincount(number, weights=flat[:, column], minlength=total)
    return sums.reshape(total, *cells.shape[1:])


def bootstrap(sums: Floats, replicates: int, seed: int) -> Floats:
    """Total counts of ``replicates`` samples of clusters, drawn with replacement.

    Args:
        sums: clusters first, as of :func:`cluster_sums`.
        replicates: number of samples.
        seed: the same seed draws the same clusters, whatever is counted.
    """
    rng = np.random.default_rng(seed)
    total = len(sums)

    def weights(rows: int) -> Floats:
        drawn = np.empty((rows, total))
        for row in drawn:
            row[:] = np.bincount(rng.integers(0, total, total), minlength=total)
        return drawn

    return _totals(sums, replicates, weights)


def swapped(sums: Floats, replicates: int, seed: int) -> Floats:
    """Total counts when each cluster takes part with probability one half.

    With ``sums`` of the difference between two predictions this is what changes when their labels
    are swapped for random clusters.
    """
    rng = np.random.default_rng(seed)
    total = len(sums)

    def weights(rows: int) -> Floats:
        bits = np.frombuffer(rng.bytes(rows * ((total + 7) // 8)), dtype=np.uint8)
        flags = np.unpackbits(bits.reshape(rows, -1), axis=1, count=total)
        return flags.astype(np.float64)

    return _totals(sums, replicates, weights)


def _totals(sums: Floats, replicates: int, weights: Callable[[int], Floats]) -> Floats:
    flat = sums.reshape(len(sums), -1)
    made = np.empty((replicates, flat.shape[1]))
    step = max(1, _CHUNK_BYTES // (8 * max(1, len(sums))))
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        made[start : start + rows] = weights(rows) @ flat
    return made.reshape(replicates, *sums.shape[1:])


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its percentile bootstrap interval; ``low`` and ``high`` are None without one."""

    value: float
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, float | None]:
        """The form of the JSON report."""
        return {"value": self.value, "low": self.low, "high": self.high}


def interval(value: float, replicates: Floats, level: float) -> Interval:
    """The middle ``level`` of ``replicates`` around ``value``."""
    if not len(replicates):
        return Interval(float(value))
    tail = (1 - level) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))
