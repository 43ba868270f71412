"""Label samples: labelled reports become fine-tuning data for both tasks, split by patient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator

from pipeline.clinical.balance import Balance, make_balance
from pipeline.clinical.label_samples import AnswerForm, label_sample, phrase_sample
from pipeline.clinical.questions.split import patient_split
from pipeline.core.records import Record, identity
from pipeline.stages.base import Reject, Result, Rows, SetStage, StageParams


class LabelSampleParams(StageParams):
    """Parameters of the samples.

    Attributes:
        tasks: which tasks to make samples for.
        answer: ``list``: names or lines, what a light model learns best; ``json``: with status and
            evidence.
        split: ``record`` keeps the split of the records and draws where there is none; ``patient``
            draws for all.
        shares: shares of train, validation and test among the patients that are drawn.
        normal_share: leave out normal reports of the training part until this share of its reports
            is normal; None keeps all.
        rare_below: repeat reports of the training part that have a class rarer than this share;
            None repeats none.
        disputed: whether reports on which the readers differ give samples for the 13 classes.
        seed: seed of all draws.
    """

    tasks: tuple[Literal["labels", "icd10"], ...] = ("labels", "icd10")
    answer: AnswerForm = "list"
    split: Literal["record", "patient"] = "record"
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    normal_share: float | None = Field(default=None, gt=0, lt=1)
    rare_below: float | None = Field(default=None, gt=0, lt=1)
    disputed: bool = True
    seed: int = 0

    @field_validator("shares")
    @classmethod
    def _adds_up(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) < 0 or abs(sum(value) - 1) > 1e-9:
            raise ValueError("must be three shares of 0 or more that add up to 1")
        return value


class LabelSamples(SetStage[LabelSampleParams]):
    """Makes samples (``pipeline.exports.samples``); holds one entry per patient.

    Only the training part is balanced: validation and test keep the mix of the source.
    """

    name = "label-samples"
    params_type = LabelSampleParams
    fans_out = True

    def process(self, rows: Rows) -> Iterator[Result]:
        """Make the samples of all reports."""
        splits = self._splits(rows)
        balance = make_balance(
            (row["labels"] for row in rows if splits[_patient(row)] == "train"),
            self.params.normal_share,
            self.params.rare_below,
            self.params.seed,
        )
        for row in rows:
            yield self._answer(row, splits[_patient(row)], balance)

    def _splits(self, rows: Rows) -> dict[str, str]:
        """Patient -> split; a recorded split of one study counts for the patient's others."""
        splits: dict[str, str] = {}
        for row in rows:
            recorded = row.get("split") if self.params.split == "record" else None
            if recorded or _patient(row) not in splits:
                splits[_patient(row)] = str(recorded or "")
        for patient, split in splits.items():
            if not split:
                splits[patient] = patient_split(patient, self.params.shares, self.params.seed)
        return splits

    def _answer(self, row: Record, split: str, balance: Balance) -> Result:
        times = balance.times(row["id"], row["labels"]) if split == "train" else 1
        if not times:
            return Reject("balanced_out", "normal reports of the training part", failed=False)
        samples = []
        if "labels" in self.params.tasks and (self.params.disputed or not row.get("disputed")):
            samples.append(label_sample(row, self.params.answer))
        if "icd10" in self.params.tasks and "phrases" in row:
            samples.append(phrase_sample(row, self.params.answer))
        if not samples:
            return Reject("no_sample", "no task has an answer to learn", failed=False)
        facts = {**identity(row), "split": split}
        del facts["id"]
        return [{**facts, **sample} for sample in samples * times]


def _patient(row: Record) -> str:
    """Whose samples stay together: the patient, or the study where no patient is known."""
    subject = row.get("subject_id")
    return f"patient {subject}" if subject else f"study {row.get('study_id') or row['id']}"
