"""Attribute values in any JSON shape: their keys, their texts, and which places they pair with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from pipeline.clinical.standardise.caches import remember
from pipeline.clinical.standardise.kinds import Kinds
from pipeline.clinical.standardise.peel import EDGES

Values: TypeAlias = dict[str, list[str]]
"""The values of one instance by attribute; an attribute without values is absent."""

MAX_DEPTH: Final = 12
"""Nesting that is still read; what lies deeper is no attribute."""

MAX_VALUES: Final = 200
"""Values of one attribute; what is beyond them is dropped, and recorded."""


KEYS: Final = {
    **dict.fromkeys(
        (
            "location",
            "locations",
            "loc",
            "site",
            "sites",
            "position",
            "side",
            "laterality",
            "region",
            "area",
            "where",
            "anatomy",
            "place",
            "zone",
            "lobe",
            "anatomical_location",
            "anatomic_location",
            "body_part",
        ),
        "location",
    ),
    **dict.fromkeys(
        (
            "level",
            "levels",
            "severity",
            "size",
            "degree",
            "extent",
            "grade",
            "amount",
            "quantity",
            "magnitude",
        ),
        "level",
    ),
    **dict.fromkeys(
        (
            "type",
            "types",
            "kind",
            "kinds",
            "character",
            "morphology",
            "pattern",
            "quality",
            "descriptor",
            "descriptors",
            "subtype",
            "characteristics",
            "shape",
        ),
        "type",
    ),
}
"""Attribute keys and the words models use for them."""

NAME_KEYS: Final = (
    "name",
    "entity",
    "finding",
    "description",
    "disease",
    "abnormality",
    "term",
    "label",
    "condition",
    "diagnosis",
    "observation",
    "entity_name",
)
"""Keys that hold the name of a finding in a list of findings, the most telling first."""

STATUS_KEYS: Final = frozenset(
    (
        "status",
        "presence",
        "present",
        "certainty",
        "certain",
        "uncertainty",
        "uncertain",
        "confidence",
        "existence",
        "assertion",
        "negated",
        "negation",
    ),
)
IGNORED_KEYS: Final = frozenset(("number", "count", "id", "index"))


@remember
def key_of(key: str) -> str:
    """A key as the tables have it: ``Body part`` is ``body_part``."""
    return "_".join(key.lower().replace("-", " ").replace("_", " ").split())


def texts(item: Any, depth: int) -> Iterator[str]:
    """The texts in a value: nested lists are flattened, numbers written out, nulls left out."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, bool) or item is None or depth > MAX_DEPTH:
        return
    elif isinstance(item, int | float):
        yield str(item)
    elif isinstance(item, list):
        for entry in item:
            yield from texts(entry, depth + 1)
    elif isinstance(item, dict):
        for key, entry in item.items():
            inner = list(texts(entry, depth + 1))
            if KEYS.get(key_of(key)) is None and key_of(key) not in NAME_KEYS:
                yield " ".join([key, *inner[:1]])
                inner = inner[1:]
            yield from inner


def clean_value(text: str) -> str:
    """A value in lower case with single blanks, without punctuation around it."""
    return " ".join(text.lower().split()).strip(EDGES)


def colon_pairs(text: str) -> dict[str, Any] | None:
    """``left: small, right: large`` as an object."""
    if ":" not in text:
        return None
    pairs: dict[str, Any] = {}
    key = ""
    for piece in re.split(r"[,;\n]", text.strip(" {}")):
        before, colon, after = piece.partition(":")
        if colon:
            key = before.strip(EDGES)
            pairs[key] = after.strip(EDGES)
        elif key:
            pairs[key] = f"{pairs[key]}, {piece.strip(EDGES)}"
        else:
            return None
    return {key: value for key, value in pairs.items() if key} or None


def parallel_lists(value: dict[str, Any], kinds: Kinds) -> list[dict[str, Any]] | None:
    """Lists of equal length that pair places with other values, as one object for each place."""
    columns = {KEYS.get(key_of(key), ""): item for key, item in value.items()}
    lists = {slot: item for slot, item in columns.items() if isinstance(item, list)}
    places = lists.get("location", [])
    if len(lists) < 2 or len(places) < 2 or len({len(item) for item in lists.values()}) != 1:
        return None
    sided = [
        isinstance(place, str) and "location" in kinds.slots(clean_value(place)) for place in places
    ]
    if not all(sided) or (
        len({_side(place) for place in places}) != len(places)
        and not all(len(place.split()) > 1 for place in places)
    ):
        return None
    return [
        {
            slot: item[index] if isinstance(item, list) else item
            for slot, item in columns.items()
            if slot
        }
        for index in range(len(places))
    ]


def _side(place: str) -> str:
    words = place.lower().replace("-", " ").split()
    return next((side for side in ("left", "right", "bilateral") if side in words), "")


def joined_place(first: list[str], second: list[str]) -> list[str]:
    """A place and what was said inside it: ``left`` and ``base`` are one place."""
    if not second or first == second:
        return first
    if len(first) == 1 and len(second) == 1:
        return first if second[0] in first[0] else [f"{first[0]} {second[0]}"]
    return [*first, *second]


def beside_location(one: Values) -> Values:
    """What an instance says apart from its place."""
    return {slot: values for slot, values in one.items() if slot != "location" and values}
