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
