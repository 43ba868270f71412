"""Cohen's kappa and its relatives, from counts."""

from __future__ import annotations

from dataclasses import dataclass


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
