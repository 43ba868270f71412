"""Collects the rows of a label file and checks what only the whole file shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.core.errors import ConfigError
from pipeline.evaluation.columns import Columns
from pipeline.evaluation.table import LabelTable

_FLOAT_ID = re.compile(r"(\d+)\.0")
_STUDY_ID = re.compile(r"s(\d{8})")
_MIMIC_STUDY = re.compile(r"5\d{7}")
_MIMIC_PATIENT = re.compile(r"1\d{7}")


def clean_id(text: str) -> str:
    """A study's id as everybody writes it: ``50000001``, not ``50000001.0`` or ``s50000001``."""
    text = text.strip()
    if text.isdigit():
        return text
    match = _FLOAT_ID.fullmatch(text) or _STUDY_ID.fullmatch(text)
    return match[1] if match else text


@dataclass(slots=True)
class _Reader:
    """The rows of one annotator."""

    lines: dict[str, int] = field(default_factory=dict)
    cells: list[Sequence[int]] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """Rows by annotator.

    Attributes:
        where: the file, for messages.
        columns: what its columns are.
        classes: the class of each cell of a row.
        not_scorable: rows that said they must not be scored.
    """

    where: str
    columns: Columns
    classes: tuple[str, ...]
    not_scorable: int = 0
    _readers: dict[str, _Reader] = field(default_factory=dict)

    def add(
        self, line: int, study: str, cells: Sequence[int], patient: str, annotator: str
    ) -> None:
        """Take one row.

        Raises:
            ConfigError: it has no id, or the id was there before.
        """
        study = clean_id(study)
        if not study:
            raise ConfigError(f"{self.where}, line {line}: column {self.columns.study!r} is empty")
        reader = self._readers.setdefault(annotator, _Reader())
        first = reader.lines.setdefault(study, line)
        if first != line:
            self._refuse_swapped([study], [clean_id(patient)])
            twice = f"{self.columns.study} stands twice, in lines {first} and {line}"
            hint = "label each study once" if not annotator else "label each study once each"
            raise ConfigError(
                f"{self.where}: the same {twice}; {hint}, or tell two annotators apart by a "
                "column 'annotator'. If the ids look wrong, name their column: --id COLUMN"
            )
        reader.cells.append(cells)
        reader.patients.append(clean_id(patient))

    def tables(self) -> list[LabelTable]:
        """The table of each annotator, in the order of the file.

        Raises:
            ConfigError: no rows, more than two annotators, or swapped id columns.
        """
        if not self._readers:
            raise ConfigError(f"{self.where} has no row that can be scored")
        if len(self._readers) > 2:
            raise ConfigError(
                f"{self.where} has {len(self._readers)} annotators; one or two can be compared"
            )
        notes = []
        if self.not_scorable:
            rows = "row is" if self.not_scorable == 1 else "rows are"
            notes.append(f"{self.where}: {self.not_scorable:,} {rows} marked not scorable")
        tables = []
        for annotator, reader in self._readers.items():
            ids = list(reader.lines)
            self._refuse_swapped(ids, reader.patients)
            tables.append(
                LabelTable(
                    annotator,
                    ids,
                    self.classes,
                    np.array(reader.cells, dtype=np.int8).reshape(len(ids), len(self.classes)),
                    reader.patients if any(reader.patients) else (),
                    tuple(notes),
                )
            )
        return tables

    def _refuse_swapped(self, ids: Sequence[str], patients: Sequence[str]) -> None:
        """MIMIC's study ids begin with 5, its patients' with 1: the other way round is a slip."""
        if all(_MIMIC_PATIENT.fullmatch(study) for study in ids) and all(
            _MIMIC_STUDY.fullmatch(patient) for patient in patients
        ):
            raise ConfigError(
                f"{self.where}: columns {self.columns.study!r} and {self.columns.patient!r} are "
                "swapped: MIMIC-CXR's study ids begin with 5, its patients' ids with 1"
            )
