"""Two prediction files on the same studies: is one better, or is it chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.labels import LabelOptions, LabelScore
from pipeline.evaluation.resample import Interval, interval, swapped
from pipeline.evaluation.scores import FN, TP, Floats, averages

COMPARED = ("micro f1", "macro f1", "macro, classes in gold f1")


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure of the second file minus that of the first.

    Attributes:
        difference: with the bootstrap interval.
        p: two-sided, by swapping the files' labels for random patients (approximate randomisation).
    """

    difference: Interval
    p: float | None


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """Cells of one class on which exactly one file is right.

    Attributes:
        only_first: the first alone is right.
        only_second: the second alone is right.
        p: McNemar's exact test, two-sided.
        p_holm: the same, corrected for the number of classes after Holm.
    """

    only_first: int
    only_second: int
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it, for one pair of files."""

    first: str
    second: str
    overall: Mapping[str, Difference]
    classes: Mapping[str, ClassDifference]

    def as_json(self) -> dict[str, Any]:
        """The form of the JSON report."""
        return {
            "first": self.first,
            "second": self.second,
            "overall": {
                name: {**one.difference.as_json(), "p": one.p} for name, one in self.overall.items()
            },
            "classes": {
                name: {
                    "only_first_right": one.only_first,
                    "only_second_right": one.only_second,
                    "p": one.p,
                    "p_holm": one.p_holm,
                }
                for name, one in self.classes.items()
            },
        }


def compare(first: LabelScore, second: LabelScore, options: LabelOptions) -> Comparison:
    """Compare two files that were scored against the same gold with the same options."""
    totals_a, totals_b = first.sums.sum(axis=0), second.sums.sum(axis=0)
    in_gold = (totals_a[:, TP] + totals_a[:, FN]) > 0
    observed = _differences(totals_a, totals_b, in_gold)
    drawn = _differences(first.draws, second.draws, in_gold)
    change = swapped(second.sums - first.sums, options.replicates, options.seed + 1)
    null = _differences(totals_a + change, totals_b - change, in_gold)
    return Comparison(
        first.name,
        second.name,
        {
            name: Difference(
                interval(float(observed[name]), drawn[name], options.level),
                _p_value(float(observed[name]), null[name]),
            )
            for name in COMPARED
        },
        _class_differences(first, second),
    )


def _differences(a: Floats, b: Floats, in_gold: Any) -> dict[str, Floats]:
    of_a, of_b = averages(a, in_gold).by_name(), averages(b, in_gold).by_name()
    return {name: of_b[name] - of_a[name] for name in COMPARED}


def _p_value(observed: float, null: Floats) -> float | None:
    """Share of swaps at least as far from 0; the observed one counts as a swap itself."""
    if not len(null):
        return None
    as_far = np.abs(null) >= abs(observed) - 1e-12
    return float((1 + as_far.sum()) / (1 + len(null)))


def _class_differences(first: LabelScore, second: LabelScore) -> dict[str, ClassDifference]:
    counts = first.counted & second.counted
    only_first = (first.right & ~second.right & counts).sum(axis=0)
    only_second = (~first.right & second.right & counts).sum(axis=0)
    pairs = [(int(a), int(b)) for a, b in zip(only_first, only_second, strict=True)]
    ps = [mcnemar(a, b) for a, b in pairs]
    return {
        name: ClassDifference(a, b, p, holm)
        for name, (a, b), p, holm in zip(first.classes, pairs, ps, holm_corrected(ps), strict=True)
    }


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test: two-sided binomial probability of so uneven a division."""
    total, smaller = only_first + only_second, min(only_first, only_second)
    if not total:
        return 1.0
    steps = np.arange(1, smaller + 1, dtype=np.float64)
    # Logarithms of the binomial coefficients C(total, 0..smaller), by their ratios.
    logs = np.concatenate([[0.0], np.cumsum(np.log((total + 1 - steps) / steps))])
    tail = float(np.exp(np.logaddexp.reduce(logs) - total * np.log(2.0)))
    return min(1.0, 2 * tail)


def holm_corrected(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction for the number of tests, in the order given."""
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    corrected = [0.0] * len(ps)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = highest
    return corrected
