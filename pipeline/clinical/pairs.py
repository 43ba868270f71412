"""Which earlier study of a patient a study is compared with."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.clinical.questions.draw import Draw


class PatientStudy(NamedTuple):
    """What the choice needs to know of a study.

    ``order`` is ``study_order`` (rank of the study date within the patient; studies of one day
    are equal); None if unknown. ``is_usable``: whether it may serve as a reference, that is, its
    image is frontal.
    """

    study_id: str
    order: float | None
    is_usable: bool = True


def read_order(value: object) -> float | None:
    """``study_order`` as metadata holds it (``1``, ``"1"``, ``"1.0"``); None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        order = float(value)
    except (ValueError, OverflowError):
        return None
    return order if order == order else None


def choose_references(studies: Sequence[PatientStudy], *, seed: int = 0) -> dict[str, str]:
    """For the studies of one patient: study id -> id of a random earlier usable study.

    Every study with at least one usable study strictly before it gets one, so patients with two
    studies are included. The choice depends on ``seed`` and the ids, not on the order given. It
    costs one sort per patient and one look-up per study.
    """
    usable = sorted(
        (study.order, study.study_id)
        for study in studies
        if study.is_usable and study.order is not None
    )
    chosen: dict[str, str] = {}
    for study in studies:
        if study.order is None:
            continue
        earlier = bisect_left(usable, (study.order, ""))
        if earlier:
            draw = Draw(seed, study.study_id, "reference")
            chosen[study.study_id] = usable[draw.below(earlier)][1]
    return chosen
