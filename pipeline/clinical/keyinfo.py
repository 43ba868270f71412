"""KeyInfo: what a report says, as names with a place, a grade and a kind.

A record has four categories. ``opacity_vs_clear`` says whether the lungs are clear or opaque,
``entity`` what is seen, ``uncertain_entity`` what may be there, ``no_entity`` what is said to be
absent. This file holds the shape alone; ``pipeline.clinical.standardise`` brings records into it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypedDict

OPACITY: Final = "opacity_vs_clear"
ENTITY: Final = "entity"
UNCERTAIN: Final = "uncertain_entity"
NEGATED: Final = "no_entity"

FINDING_CATEGORIES: Final = (OPACITY, ENTITY, UNCERTAIN)
"""Categories that map a name to its attributes."""

CATEGORIES: Final = (OPACITY, ENTITY, UNCERTAIN, NEGATED)
"""All categories, in the order records and model replies have them."""

ATTRIBUTES: Final = ("location", "level", "type")
"""Keys of an attribute set, in order."""

IDENTITY_KEYS: Final = ("study_id", "subject_id", "dicom_id", "view", "study_order")
"""Keys that say which study and image a record is about; never changed by the rules."""


class Attributes(TypedDict):
    """Where, how much, of what kind. Several values of one key are joined with ``", "``."""

    location: str | None
    level: str | None
    type: str | None


Instances: TypeAlias = Attributes | list[Attributes]
"""One attribute set, or one for each instance that differs by side or site."""


class KeyInfo(TypedDict):
    """A record in standard form (identity keys may stand before these)."""

    opacity_vs_clear: dict[str, Instances]
    entity: dict[str, Instances]
    uncertain_entity: dict[str, Instances]
    no_entity: list[str]


def empty_attributes() -> Attributes:
    """An attribute set that says nothing."""
    return {"location": None, "level": None, "type": None}


def empty_keyinfo() -> KeyInfo:
    """A record of a report that mentions no finding at all."""
    return {OPACITY: {}, ENTITY: {}, UNCERTAIN: {}, NEGATED: []}


def instances(value: Instances) -> list[Attributes]:
    """The attribute sets of a finding of a standard record, always as a list."""
    return value if isinstance(value, list) else [value]


def split_values(value: str | None) -> list[str]:
    """The single values of an attribute of a standard record: ``"left, base"`` is two."""
    return value.split(", ") if value else []


def to_published(record: Mapping[str, Any]) -> dict[str, Any]:
    """A standard record in the layout of the published ``all_diseases.json``.

    The published tools know one attribute set for a finding, with lists inside it, so instances
    become parallel lists: the pairing stays readable by position.
    """
    published = dict(record)
    for category in FINDING_CATEGORIES:
        published[category] = {
            name: _parallel(value) for name, value in record.get(category, {}).items()
        }
    published[NEGATED] = list(record.get(NEGATED, []))
    return published


def from_published(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the published layout as ours: parallel lists become instances again.

    ``uncertain_entity`` as a list of names is accepted. Everything else that is not in standard
    form is left as it is, for ``standardise``.
    """
    converted = dict(record)
    for category in FINDING_CATEGORIES:
        value = record.get(category)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = {name: dict(empty_attributes()) for name in value}
        if isinstance(value, Mapping):
            value = {name: _instances_of_parallel(item) for name, item in value.items()}
        converted[category] = {} if value is None else value
    return converted


def _parallel(value: Instances) -> dict[str, Any]:
    sets = instances(value)
    if len(sets) == 1:
        return dict(sets[0])
    return {key: [one.get(key) for one in sets] for key in ATTRIBUTES}


def _instances_of_parallel(value: Any) -> Any:
    if not isinstance(value, Mapping) or set(value) != set(ATTRIBUTES):
        return value
    columns = [value[key] for key in ATTRIBUTES]
    if not all(isinstance(column, list) for column in columns):
        return value
    if len({len(column) for column in columns}) != 1 or len(columns[0]) < 2:
        return value
    return [dict(zip(ATTRIBUTES, row, strict=True)) for row in zip(*columns, strict=True)]


def reply_of(record: Mapping[str, Any]) -> str:
    """A standard record as a model should reply it: JSON in the shape of :data:`KEYINFO_SCHEMA`."""
    reply: dict[str, Any] = {
        category: [
            {"name": name, **one}
            for name, value in record[category].items()
            for one in instances(value)
        ]
        for category in FINDING_CATEGORIES
    }
    return json.dumps({**reply, NEGATED: list(record[NEGATED])}, ensure_ascii=False)


def _nullable_text(description: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "description": description}


def _findings(description: str) -> dict[str, Any]:
    return {
        "type": "array",
        "description": description,
        "items": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "the finding alone, singular"},
                "location": _nullable_text("side and site as written"),
                "level": _nullable_text("severity, amount or size as written"),
                "type": _nullable_text("kind, shape or age as written"),
            },
            "required": ["name", *ATTRIBUTES],
            "additionalProperties": False,
        },
    }


KEYINFO_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        OPACITY: _findings("'clear' or 'opacity' of the lungs, only if the report says it"),
        ENTITY: _findings("findings that the report states as present, one entry per instance"),
        UNCERTAIN: _findings("findings that the report calls possible"),
        NEGATED: {
            "type": "array",
            "description": "findings that the report states as absent",
            "items": {"type": "string"},
        },
    },
    "required": list(CATEGORIES),
    "additionalProperties": False,
}
"""JSON schema of a model's answer, inside the strict subset of structured outputs.

Names cannot be keys there (``additionalProperties`` must be false), so a category is a list of
objects with a ``name``; ``parse_keyinfo_reply`` and ``standardise`` accept that shape.
"""
