"""Splits by patient: all studies of a patient fall into one part, so that none leaks."""

from __future__ import annotations

from pipeline.core.hashing import stable_seed

SPLITS = ("train", "validate", "test")


def patient_split(patient: str, shares: tuple[float, float, float], seed: int = 0) -> str:
    """``train``, ``validate`` or ``test`` (MIMIC-CXR's names), by a hash of the patient's id.

    ``shares`` add up to 1 and hold in expectation; a patient keeps the split in every subset.
    """
    point = stable_seed(seed, "split", patient) / 2**64
    for name, share in zip(SPLITS, shares, strict=True):
        if point < share:
            return name
        point -= share
    return SPLITS[max(range(3), key=shares.__getitem__)]
