"""Labels of many studies as one array, and what a cell counts as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

PRESENT, ABSENT, UNCERTAIN, BLANK, MASKED = 1, 0, -1, 2, 3
"""Values of a cell. ``BLANK``: the report does not speak of the class; ``MASKED``: gold says that
the cell must not be scored."""

Cells: TypeAlias = NDArray[np.int8]
Flags: TypeAlias = NDArray[np.bool_]

UncertainPolicy = Literal["absent", "present", "exclude"]
BlankPolicy = Literal["absent", "exclude"]


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labels of studies by one reader.

    Attributes:
        name: how messages and tables call it.
        ids: study ids, each once.
        classes: columns of ``cells``.
        cells: int8 array, studies by classes.
        patients: patient of each study, where the file says it; else empty.
        notes: what was noticed while reading, as sentences.
    """

    name: str
    ids: Sequence[str]
    classes: tuple[str, ...]
    cells: Cells = field(repr=False)
    patients: Sequence[str] = ()
    notes: tuple[str, ...] = ()

    def columns(self, classes: Sequence[str]) -> LabelTable:
        """The same studies with these classes only, in this order."""
        wanted = [self.classes.index(name) for name in classes]
        cells = self.cells[:, wanted]
        return LabelTable(self.name, self.ids, tuple(classes), cells, self.patients, self.notes)


def read_cells(
    cells: Cells, uncertain: UncertainPolicy, blank: BlankPolicy = "absent"
) -> tuple[Flags, Flags]:
    """Which cells say yes, and which count at all.

    Args:
        cells: values as in :class:`LabelTable`.
        uncertain: what an uncertain cell counts as.
        blank: what a cell counts as whose class the report does not speak of.
    """
    says_yes = cells == PRESENT
    counts = cells != MASKED
    if uncertain == "present":
        says_yes |= cells == UNCERTAIN
    elif uncertain == "exclude":
        counts &= cells != UNCERTAIN
    if blank == "exclude":
        counts &= cells != BLANK
    return says_yes, counts


def aligned(table: LabelTable, ids: Sequence[str]) -> tuple[Cells, Flags]:
    """The cells of the studies ``ids``, in that order, and which of those the table has.

    A study it lacks has blank cells.
    """
    place = {study: row for row, study in enumerate(table.ids)}
    rows = np.fromiter((place.get(study, -1) for study in ids), dtype=np.int64, count=len(ids))
    has = rows >= 0
    cells = np.full((len(ids), len(table.classes)), BLANK, dtype=np.int8)
    cells[has] = table.cells[rows[has]]
    return cells, has
