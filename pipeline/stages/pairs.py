"""Pairs: each study gets an earlier study of the same patient to be compared with."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clinical.pairs import PatientStudy, choose_references, read_order
from pipeline.clinical.questions import QuestionGenerator, QuestionOptions
from pipeline.core.records import Record
from pipeline.stages.base import Result, Rows, SetStage, StageParams

NOT_COMPARED = ("changes", "flags", "images", "second_reading")
"""Fields of a reference that no question needs."""


class PairParams(StageParams):
    """Parameters of the pairing stage.

    Attributes:
        seed: seed of the choice among a patient's earlier studies.
    """

    seed: int = 0


class Pairs(SetStage[PairParams]):
    """Adds ``reference``: the KeyInfo of a random earlier frontal study, or None.

    Holds one small entry per study with a known patient and order.
    """

    name = "pairs"
    params_type = PairParams

    def process(self, rows: Rows) -> Iterator[Result]:
        """Pair all studies."""
        accepts = QuestionGenerator(QuestionOptions()).accepts
        patients: dict[str, list[PatientStudy]] = {}
        positions: dict[str, int] = {}
        for position, row in enumerate(rows):
            positions[row["id"]] = position
            if row.get("subject_id") is not None:
                study = PatientStudy(
                    row["id"],
                    read_order(row.get("study_order")),
                    accepts(row),
                )
                patients.setdefault(row["subject_id"], []).append(study)
        references: dict[str, str] = {}
        for studies in patients.values():
            if len(studies) > 1:
                references.update(choose_references(studies, seed=self.params.seed))
        for row in rows:
            chosen = references.get(row["id"])
            reference = None if chosen is None else _compared(rows.at(positions[chosen]))
            yield [{**row, "reference": reference}]


def _compared(row: Record) -> Record:
    return {name: value for name, value in row.items() if name not in NOT_COMPARED}
