"""Record identity.

A record's id is derived, never a row number: the root is the study id, a child is its parent's id,
the stage and its index inside the parent. The same input gives the same ids on every machine, in
every order and after every resumption.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]


def child_id(parent: str, stage: str, index: int) -> str:
    """Id of the ``index``-th record that ``stage`` made of ``parent``: ``50000001/questions/2``."""
    return f"{parent}/{stage}/{index}"


def root_id(record_id: str) -> str:
    """The study a record stems from: the part before the first slash."""
    return record_id.split("/", 1)[0]


IDENTITY = (
    "id",
    "study_id",
    "subject_id",
    "dicom_id",
    "view",
    "split",
    "study_date",
    "study_order",
    "images",
)
"""Fields that say which study a record stems from; every stage hands them on."""


def identity(record: Record) -> Record:
    """The identity fields of ``record``, in their fixed order; those it lacks are left out."""
    return {name: record[name] for name in IDENTITY if name in record}


def parent_id(record_id: str) -> str:
    """The id that :func:`child_id` derived ``record_id`` from."""
    return record_id.rsplit("/", 2)[0]
