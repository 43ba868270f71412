"""Precision, recall and F1 from counts: for one set of them, or for thousands of resampled ones.

Arrays of counts end in two axes: ``[..., class, kind]``, kind being true positive, false positive,
false negative. Where nothing can be divided the score is 0, as scikit-learn's ``zero_division=0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.table import Flags

Floats = NDArray[np.float64]

TP, FP, FN = 0, 1, 2
MEASURES = ("precision", "recall", "f1")


def indicators(gold: Flags, predicted: Flags, counts: Flags) -> NDArray[np.bool_]:
    """What each cell is: studies by classes by kind; cells that do not count are nothing."""
    return (
        np.stack([gold & predicted, ~gold & predicted, gold & ~predicted], axis=2)
        & (counts[:, :, None])
    )


def ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, 0 where ``below`` is 0."""
    made: Floats = np.divide(above, below, out=np.zeros_like(above), where=below != 0)
    return made


def precision_recall_f1(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """The three measures from counts ``[..., kind]``."""
    tp, fp, fn = counts[..., TP], counts[..., FP], counts[..., FN]
    return ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(2 * tp, 2 * tp + fp + fn)


@dataclass(frozen=True, slots=True)
class Averages:
    """Measures over all classes, each an array over the leading axes of the counts.

    Attributes:
        micro: of the summed counts.
        macro: mean over classes.
        macro_in_gold: mean over the classes that gold has at least once.
    """

    micro: tuple[Floats, Floats, Floats]
    macro: tuple[Floats, Floats, Floats]
    macro_in_gold: tuple[Floats, Floats, Floats]

    def by_name(self) -> Mapping[str, Floats]:
        """All nine, named ``micro f1``, ``macro precision`` ..."""
        kinds = {
            "micro": self.micro,
            "macro": self.macro,
            "macro, classes in gold": self.macro_in_gold,
        }
        return MappingProxyType(
            {
                f"{kind} {measure}": values
                for kind, three in kinds.items()
                for measure, values in zip(MEASURES, three, strict=True)
            }
        )


def averages(counts: Floats, in_gold: NDArray[np.bool_]) -> Averages:
    """Micro and macro averages of counts ``[..., class, kind]``.

    Args:
        counts: see the module.
        in_gold: the classes that gold has; fixed, so that resampling averages the same classes.
    """
    per_class = precision_recall_f1(counts)
    if in_gold.any():
        seen = tuple(values[..., in_gold].mean(axis=-1) for values in per_class)
    else:
        seen = tuple(np.zeros(counts.shape[:-2]) for _ in per_class)
    return Averages(
        micro=precision_recall_f1(counts.sum(axis=-2)),
        macro=_three(tuple(values.mean(axis=-1) for values in per_class)),
        macro_in_gold=_three(seen),
    )


def _three(values: tuple[Floats, ...]) -> tuple[Floats, Floats, Floats]:
    first, second, third = values
    return first, second, third
