"""Balancing of label data for training: fewer normal reports, rare classes repeated.

Choices are drawn by record id, so that a record's fate does not depend on order or shards.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.clinical.labels import NORMAL
from pipeline.core.hashing import stable_seed


@dataclass(frozen=True, slots=True)
class Balance:
    """How often each report of a training set is taken.

    Attributes:
        keep_normal: probability that a normal report stays.
        repeats: class -> how often a report that has it is taken on average, at least 1.
        seed: seed of the draws.
    """

    keep_normal: float
    repeats: dict[str, float]
    seed: int = 0

    def times(self, record_id: str, labels: Sequence[str]) -> int:
        """How often a report is taken: 0 leaves it out."""
        if list(labels) == [NORMAL]:
            return int(self._point(record_id, "normal") < self.keep_normal)
        wanted = max((self.repeats.get(name, 1.0) for name in labels), default=1.0)
        whole = math.floor(wanted)
        return whole + (self._point(record_id, "repeat") < wanted - whole)

    def _point(self, record_id: str, what: str) -> float:
        return stable_seed(self.seed, "balance", what, record_id) / 2**64


def make_balance(
    label_sets: Iterable[Sequence[str]],
    normal_share: float | None,
    rare_below: float | None,
    seed: int = 0,
) -> Balance:
    """The balance that brings a set to what is wanted, on average.

    Args:
        label_sets: the labels of each report of the training part.
        normal_share: share of normal reports after leaving some out, above 0 and below 1; None
            keeps all. The reports with a finding are counted as they are, before any repetition.
        rare_below: classes rarer than this share of the reports are repeated by the square root of
            ``rare_below`` over their share (the repeat factor of the LVIS data set, arXiv
            1908.03195); None repeats none.
        seed: seed of the draws.
    """
    counts: Counter[str] = Counter()
    total = 0
    for labels in label_sets:
        counts.update(set(labels))
        total += 1
    normal = counts.pop(NORMAL, 0)
    keep = 1.0
    if normal_share is not None and normal:
        keep = min(1.0, normal_share / (1 - normal_share) * (total - normal) / normal)
    repeats = {}
    if rare_below is not None:
        for name, count in counts.items():
            repeats[name] = max(1.0, math.sqrt(rare_below * total / count))
    return Balance(keep, repeats, seed)
