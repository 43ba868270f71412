"""Counts of the studies that went in, and of the pairs made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.clinical.questions.view import parse_view
from pipeline.core.records import Record
from pipeline.run.counts.remembered import most

_PARTS = frozenset({"train", "validate", "validation", "test"})


def count_studies(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Studies, patients, images, views and splits of the source.

    ``patients`` counts patients that are known, ``unknown_patient`` studies without one,
    ``in_two_splits`` by how much the patients of the splits are more than those of the set. Holds
    the ids of the patients while it counts.
    """
    studies = images = unknown = 0
    views: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    patients: dict[str, set[str]] = {}
    for record in records:
        studies += 1
        images += len(record.get("images") or ())
        views[parse_view(str(record.get("view") or "")).value] += 1
        part = part_of(record)
        parts[part] += 1
        patient = record.get("subject_id")
        if patient is None or patient == "":
            unknown += 1
        else:
            patients.setdefault(part, set()).add(str(patient))
    return {
        "studies": studies,
        "patients": len(set().union(*patients.values())),
        "in_two_splits": in_two(patients),
        "unknown_patient": unknown,
        "images": images,
        "views": most(views),
        "splits": {
            part: {"studies": count, "patients": len(patients.get(part, ()))}
            for part, count in parts.items()
        },
    }


def count_pairs(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Studies that have an earlier one to be compared with."""
    studies = paired = 0
    for record in records:
        studies += 1
        paired += record.get("reference") is not None
    return {"studies": studies, "paired": paired}


def in_two(patients: Mapping[str, set[str]]) -> int:
    """Patients that are in more than one split, of split -> patients; "" is none."""
    named = [found for part, found in patients.items() if part]
    return sum(map(len, named)) - len(set().union(*named))


def part_of(record: Record) -> str:
    """The split of a record; "" without one, ``other`` for a name that is none of the usual."""
    part = str(record.get("split") or "")
    return part if part in _PARTS or not part else "other"
