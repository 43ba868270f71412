"""Contradictions between the categories of a record: what is kept, and that it is said.

A hedge beats a firm statement, because a doubt must not become a fact. Both beat a denial:
denials lose their qualifiers in standard form (*no large effusion*, *no other nodule*), so the
statement that still has its own is the more certain one.
"""

from __future__ import annotations

from pipeline.clinical.keyinfo import ENTITY, NEGATED, OPACITY, UNCERTAIN
from pipeline.clinical.standardise.changes import Change, Conflict
from pipeline.clinical.standardise.draft import Draft
from pipeline.clinical.standardise.instances import filled, same_place
from pipeline.clinical.standardise.kinds import Kinds


def resolve(draft: Draft, kinds: Kinds) -> list[Conflict]:
    """Leave every finding of ``draft`` in one category, except at places that differ."""
    conflicts: list[Conflict] = []
    _clear_and_opaque(draft, conflicts)
    _firm_and_hedged(draft, conflicts)
    if draft.negated:
        _stated_and_denied(draft, kinds, conflicts)
    return conflicts


def _clear_and_opaque(draft: Draft, conflicts: list[Conflict]) -> None:
    lungs = draft.findings[OPACITY]
    if "clear" not in lungs or "opacity" not in lungs:
        return
    clear = [one.get("location", []) for one in lungs["clear"]]
    opaque = [one.get("location", []) for one in lungs["opacity"]]
    if clear == opaque:
        del lungs["clear"]
        conflicts.append(Conflict("clear", (OPACITY, OPACITY), "opacity"))
        draft.changes.append(Change("contradiction", OPACITY, "clear"))


def _firm_and_hedged(draft: Draft, conflicts: list[Conflict]) -> None:
    firm, hedged = draft.findings[ENTITY], draft.findings[UNCERTAIN]
    for name in [name for name in firm if name in hedged]:
        if not same_place(firm[name], hedged[name]):
            continue
        hedged[name] = filled(hedged[name], firm.pop(name))
        conflicts.append(Conflict(name, (ENTITY, UNCERTAIN), UNCERTAIN))
        draft.changes.append(Change("contradiction", ENTITY, name, after=UNCERTAIN))


def _stated_and_denied(draft: Draft, kinds: Kinds, conflicts: list[Conflict]) -> None:
    stated = {
        name: category
        for category in (OPACITY, UNCERTAIN, ENTITY)
        for name in draft.findings[category]
        if name != "clear"
    }
    identities: dict[str, list[str]] = {}
    for name in stated:
        identity = kinds.identity(name)
        if identity is not None:
            identities.setdefault(identity, []).append(name)
    for denied in list(draft.negated):
        same = identities.get(kinds.identity(denied) or "", ())
        alike = [denied] if denied in stated else [one for one in same if _nested(one, denied)]
        if not alike:
            continue
        name = alike[0]
        del draft.negated[denied]
        conflicts.append(Conflict(denied, (stated[name], NEGATED), stated[name]))
        draft.changes.append(Change("contradiction", NEGATED, denied, after=stated[name]))


def _nested(first: str, second: str) -> bool:
    """Whether one name is the other with more words: ``effusion``, ``pleural effusion``."""
    words, others = set(first.split()), set(second.split())
    return words <= others or others <= words
