"""Train, validation and test by patient: no patient stands in two of them.

The split that a record carries (MIMIC-CXR's own, or one that a stage drew) is kept. Patients
without one are drawn with a seed, by a hash of their id, so that a patient's part never depends on
who else is in the set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.clinical.questions.split import patient_split
from pipeline.core.errors import DataError
from pipeline.exports.samples import Sample

PARTS = ("train", "validation", "test")
"""Parts of an export, by the names that ``datasets`` knows."""

_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "validate": "validation",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


class SplitOptions(BaseModel):
    """How samples are split.

    Attributes:
        by: ``record`` keeps the split of the records and draws where there is none; ``patient``
            draws for all; ``none`` makes one part, ``train``.
        shares: shares of train, validation and test among the patients that are drawn.
        seed: seed of the draw.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    by: Literal["record", "patient", "none"] = "record"
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = Field(default=0, ge=0)

    @field_validator("shares")
    @classmethod
    def _adds_up(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) < 0 or abs(sum(value) - 1) > 1e-9:
            raise ValueError("must be three shares of 0 or more that add up to 1")
        return value


class Splitter:
    """Knows every patient's part once it has seen all samples.

    Call :meth:`see` for each sample, then :meth:`close`, then ask :meth:`part`. Holds one entry per
    patient.
    """

    def __init__(self, options: SplitOptions) -> None:
        self._options = options
        self._parts: dict[str, str] = {}
        self._leaking: set[str] = set()
        self._unknown: dict[str, int] = {}

    def see(self, sample: Sample) -> None:
        """Take note of a sample's patient and recorded split."""
        recorded = ""
        if self._options.by == "record" and sample.split:
            recorded = _NAMES.get(sample.split.strip().lower(), "")
            if not recorded:
                self._unknown[sample.split] = self._unknown.get(sample.split, 0) + 1
        known = self._parts.setdefault(sample.patient, recorded)
        if recorded and known != recorded:
            if known:
                self._leaking.add(sample.patient)
            self._parts[sample.patient] = recorded

    def close(self) -> None:
        """Draw for the patients without a recorded split.

        Raises:
            DataError: ``unknown_split``, or ``leakage``: a patient is recorded in two splits.
        """
        if self._unknown:
            raise DataError(
                "unknown_split",
                f"{sum(self._unknown.values()):,} samples carry {len(self._unknown)} splits that "
                "are not train, validation or test; split by patient instead (--split patient)",
            )
        if self._leaking:
            raise DataError(
                "leakage",
                f"{len(self._leaking):,} patients stand in more than one split; correct the "
                "splits of the input, or split by patient instead (--split patient)",
            )
        for patient, part in self._parts.items():
            if not part:
                self._parts[patient] = self._draw(patient)

    def part(self, sample: Sample) -> str:
        """The part a sample belongs to: one of :data:`PARTS`."""
        return self._parts[sample.patient]

    def patients(self) -> dict[str, int]:
        """Number of patients per part."""
        counts = dict.fromkeys(PARTS, 0)
        for part in self._parts.values():
            counts[part] += 1
        return counts

    def _draw(self, patient: str) -> str:
        if self._options.by == "none":
            return "train"
        return _NAMES[patient_split(patient, self._options.shares, self._options.seed)]
