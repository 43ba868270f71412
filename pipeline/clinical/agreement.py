"""Cohen's kappa and its relatives, from counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(slots=True)
class PairCounts:
    """How often two readers say yes to the same thing.

    Attributes:
        both: both say yes.
        only_a: the first alone.
        only_b: the second alone.
        neither: both say no.
    """

    both: int = 0
    only_a: int = 0
    only_b: int = 0
    neither: int = 0

    def add(self, a: bool, b: bool) -> None:
        """Count one case."""
        if a:
            self.both += b
            self.only_a += not b
        else:
            self.only_b += b
            self.neither += not b

    @property
    def total(self) -> int:
        """Number of cases."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def observed(self) -> float | None:
        """Share of cases in which they agree; None without cases."""
        return (self.both + self.neither) / self.total if self.total else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: agreement beyond chance.

        None where chance alone gives full agreement (both always say the same), where kappa is
        not defined.
        """
        total = self.total
        if not total:
            return None
        yes_a, yes_b = self.both + self.only_a, self.both + self.only_b
        # Whole numbers up to here, so that "chance is 1" is seen exactly.
        chance = yes_a * yes_b + (total - yes_a) * (total - yes_b)
        if chance == total * total:
            return None
        agreed = (self.both + self.neither) * total
        return (agreed - chance) / (total * total - chance)


class ReaderPairs:
    """How far every two readers of the same reports agree on each class.

    Args:
        classes: the classes.
        status: the status that means yes; any other, and silence, is no.

    Attributes:
        counts: (first reader, second reader, class) -> counts.
    """

    def __init__(self, classes: Sequence[str], status: str) -> None:
        self._classes = classes
        self._status = status
        self.counts: dict[tuple[str, str, str], PairCounts] = {}

    def add(self, states: Mapping[str, Mapping[str, str]]) -> None:
        """Count one report: reader -> class -> status."""
        for (a, of_a), (b, of_b) in combinations(states.items(), 2):
            for name in self._classes:
                pair = self.counts.setdefault((a, b, name), PairCounts())
                pair.add(of_a.get(name) == self._status, of_b.get(name) == self._status)
