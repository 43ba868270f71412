"""Reads ``opacity_vs_clear``: which statement is about clear lungs, which about opaque ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.clinical.standardise.kinds import Kinds
from pipeline.clinical.standardise.names import NameReader, clean_name
from pipeline.clinical.standardise.peel import Part
from pipeline.clinical.standardise.shapes import raw_findings

_STATES: Final = {
    **dict.fromkeys(
        ("clear", "clear lungs", "lungs clear", "lungs are clear", "clear lung", "is clear"),
        "clear",
    ),
    **dict.fromkeys(
        ("opacity", "opacities", "opacification", "opacified", "opaque", "lung opacity"), "opacity"
    ),
}
_STATE_KEYS: Final = (
    "status",
    "state",
    "value",
    "result",
    "assessment",
    "opacity_vs_clear",
    "type",
)


@dataclass(frozen=True, slots=True)
class LungStatement:
    """One entry of the category.

    Attributes:
        name: as written.
        state: ``clear``, ``opacity``, or empty where it is neither.
        part: what the name says beside the state.
        value: its raw attributes.
        is_finding: it is another finding that belongs to ``entity``.
    """

    name: str
    state: str
    part: Part
    value: Any
    is_finding: bool = False


def lung_statements(value: Any, kinds: Kinds, names: NameReader) -> Iterator[LungStatement]:
    """The statements of the category; an explicit null or false says nothing."""
    if isinstance(value, dict):
        for key in _STATE_KEYS:
            said = value.get(key)
            state = _STATES.get(clean_name(said)) if isinstance(said, str) else None
            if state is not None:
                attributes = {name: item for name, item in value.items() if name != key}
                yield LungStatement(state, state, Part(state), attributes)
                return
    for name, item in raw_findings(value, kinds):
        yield _statement(name, item, kinds, names)


def _statement(name: str, item: Any, kinds: Kinds, names: NameReader) -> LungStatement:
    text = clean_name(name)
    nothing = LungStatement(name, "", Part(name), item)
    if item is None or item is False:
        return nothing
    state = _STATES.get(text)
    if state is not None:
        return LungStatement(name, state, Part(state), item)
    if isinstance(item, str) and "location" in kinds.slots(text):
        state = _STATES.get(clean_name(item))
        if state is not None:  # {"right lung": "clear"}
            return LungStatement(name, state, Part(state, location=text), {})
        return nothing
    for part in names.read(name).parts:
        state = _STATES.get(part.name)
        if state is not None and part.status != "denied":
            return LungStatement(name, state, part, item)
        if kinds.identity(part.name) is not None and not kinds.slots(text):
            return LungStatement(name, "", part, item, is_finding=True)
    return nothing
