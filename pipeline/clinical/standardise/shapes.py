"""Reads a category of a record in whatever shape it came: names with their raw attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from pipeline.clinical.keyinfo import ATTRIBUTES, CATEGORIES
from pipeline.clinical.standardise.kinds import Kinds
from pipeline.clinical.standardise.values import KEYS, MAX_DEPTH, NAME_KEYS, key_of

_NAMES: Final = frozenset(NAME_KEYS)
_CATEGORIES: Final = frozenset(CATEGORIES)
_ENUMERATION = re.compile(r"\s*(?:[,;\n|]|(?:^|\s)(?:\d{1,2}[.)]|[-*•])\s)\s*")
_AND = re.compile(r"^(?:and|or)\s+")

ATTRIBUTE_KEYS: Final = frozenset((*ATTRIBUTES, *KEYS, "status", "presence", "certainty"))
"""Keys beside which a name key is a name key."""

RawFinding = tuple[str, Any]
"""A name as written and the value that holds its attributes."""


def category_key(key: str) -> str:
    """``No-Entity`` and ``no entity`` as ``no_entity``; any other key as it is."""
    if key in _CATEGORIES:
        return key
    name = key_of(key)
    return name if name in _CATEGORIES else key


def raw_findings(value: Any, kinds: Kinds, depth: int = 0) -> Iterator[RawFinding]:
    """The findings of a category; what holds no name has an empty one."""
    if depth > MAX_DEPTH:
        yield "", None
        return
    if isinstance(value, str):
        decoded = _decoded(value)
        if decoded is not None:
            yield from raw_findings(decoded, kinds, depth + 1)
        else:
            yield from _listed_names(value, kinds)
    elif isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and _is_attributes(value[1]):
            yield value[0], value[1]
            return
        for item in value:
            if isinstance(item, str | list | dict):
                yield from raw_findings(item, kinds, depth + 1)
            else:
                yield "", item
    elif isinstance(value, dict):
        yield from _from_object(value, kinds, depth)


def _is_attributes(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(key_of(key) in KEYS for key in value)


def _decoded(text: str) -> Any:
    """A container written as a JSON string, or None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _listed_names(text: str, kinds: Kinds) -> Iterator[RawFinding]:
    """An enumeration: ``pneumonia, pleural effusion``; an attribute after a comma stays there."""
    pieces = [_AND.sub("", piece) for piece in _ENUMERATION.split(text) if piece.strip()]
    if any(kinds.slots(piece.strip().lower()) for piece in pieces[1:]):
        yield text, {}  # "opacity, right lower lobe"
        return
    for piece in pieces:
        yield piece, {}


def _from_object(value: dict[str, Any], kinds: Kinds, depth: int) -> Iterator[RawFinding]:
    keys = {key_of(key): key for key in value}
    name_key = None
    if not _NAMES.isdisjoint(keys):
        name_key = next((key for key in NAME_KEYS if _holds_name(value, keys, key)), None)
    if name_key is not None:
        yield from _named(value, keys[name_key], kinds, depth)
        return
    if _is_attributes(value):
        kind = value.get(keys.get("type", ""))
        if isinstance(kind, str) and kinds.identity(kind.strip().lower()) is not None:
            yield kind, {key: item for key, item in value.items() if key != keys["type"]}
        return
    yield from value.items()


def _holds_name(value: dict[str, Any], keys: dict[str, str], key: str) -> bool:
    """Whether ``key`` holds a finding's name and the other keys describe it."""
    if key not in keys or not isinstance(value[keys[key]], str | list):
        return False
    others = (item for own, item in value.items() if own != keys[key])
    return not ATTRIBUTE_KEYS.isdisjoint(keys) or not any(isinstance(item, dict) for item in others)


def _named(value: dict[str, Any], name_key: str, kinds: Kinds, depth: int) -> Iterator[RawFinding]:
    attributes = {key: item for key, item in value.items() if key != name_key}
    for name, inner in raw_findings(value[name_key], kinds, depth + 1):
        yield name, inner or attributes
