"""Two annotators of the same studies: how far they agree is what a prediction can reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.clinical.agreement import PairCounts
from pipeline.core.errors import ConfigError
from pipeline.evaluation.table import (
    ABSENT,
    BLANK,
    MASKED,
    BlankPolicy,
    Cells,
    Flags,
    LabelTable,
    UncertainPolicy,
    aligned,
    read_cells,
)


def common_classes(gold: LabelTable, predictions: Sequence[LabelTable]) -> tuple[str, ...]:
    """The classes of gold that every prediction file has, in gold's order.

    Raises:
        ConfigError: there is none.
    """
    classes = tuple(c for c in gold.classes if all(c in p.classes for p in predictions))
    if not classes:
        raise ConfigError(f"{gold.name} and the predictions have no class in common")
    return classes


def pair_counts(a: Flags, b: Flags, counts: Flags) -> PairCounts:
    """Cells that count, by who says yes."""
    return PairCounts(
        both=int((a & b & counts).sum()),
        only_a=int((a & ~b & counts).sum()),
        only_b=int((~a & b & counts).sum()),
        neither=int((~a & ~b & counts).sum()),
    )


def annotator_agreement(
    first: LabelTable, second: LabelTable, uncertain: UncertainPolicy, blank: BlankPolicy
) -> dict[str, PairCounts]:
    """How often two annotators say that a class is present, on the studies both labelled.

    Raises:
        ConfigError: they share no study or class.
    """
    classes = common_classes(first, [second])
    cells, has = aligned(second.columns(classes), first.ids)
    if not has.any():
        raise ConfigError(f"{first.name} and {second.name} share no study")
    yes_a, counts_a = read_cells(first.columns(classes).cells, uncertain, blank)
    yes_b, counts_b = read_cells(cells, uncertain, blank)
    counts = counts_a & counts_b & has[:, None]
    return {
        name: pair_counts(yes_a[:, k], yes_b[:, k], counts[:, k]) for k, name in enumerate(classes)
    }


def agreed(first: LabelTable, second: LabelTable) -> LabelTable:
    """The first annotator's labels, masked where the second says otherwise or nothing at all.

    Silence on a class and its denial are the same here.
    """
    classes = common_classes(first, [second])
    ours = first.columns(classes)
    theirs, has = aligned(second.columns(classes), first.ids)
    same = (_heard(ours.cells) == _heard(theirs)) & has[:, None]
    return replace(ours, cells=np.where(same, ours.cells, np.int8(MASKED)))


def _heard(cells: Cells) -> Cells:
    return np.where(cells == BLANK, np.int8(ABSENT), cells)
