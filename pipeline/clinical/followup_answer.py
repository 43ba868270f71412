"""Answers to follow-up questions: their schema, how replies are read, and what they change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from pipeline.clinical.evidence import find_evidence
from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.followup import CLEAR, Discrepancy
from pipeline.clinical.keyinfo import (
    ATTRIBUTES,
    CATEGORIES,
    ENTITY,
    FINDING_CATEGORIES,
    NEGATED,
    OPACITY,
    UNCERTAIN,
    instances,
)
from pipeline.clinical.lexicon import load_lexicon, normalise
from pipeline.clinical.reply_clean import answer_part, is_refusal
from pipeline.clinical.reply_locate import mend_value
from pipeline.clinical.reply_repair import read_object

Status: TypeAlias = Literal["present", "uncertain", "absent", "not_mentioned"]

_CATEGORY: Final[Mapping[str, str]] = {
    "present": ENTITY,
    "uncertain": UNCERTAIN,
    "absent": NEGATED,
}
_STATUS_WORDS: Final[Mapping[str, Status]] = {
    "present": "present",
    "positive": "present",
    "yes": "present",
    "uncertain": "uncertain",
    "possible": "uncertain",
    "suspected": "uncertain",
    "absent": "absent",
    "denied": "absent",
    "negative": "absent",
    "negated": "absent",
    "not mentioned": "not_mentioned",
    "not stated": "not_mentioned",
    "unmentioned": "not_mentioned",
    "none": "not_mentioned",
}
_LEAST_WORDS: Final = 2
"""A quotation of one word would be found in nearly every report."""

_LONGEST: Final = 20_000
"""Characters of a reply that are looked at; an answer has a few hundred."""


def _nullable(description: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "description": description}


ANSWER_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["present", "uncertain", "absent", "not_mentioned"]},
        "findings": {
            "type": "array",
            "description": "one entry per instance; empty if absent or not mentioned",
            "items": {
                "type": "object",
                "properties": {
                    "location": _nullable("side and site as written"),
                    "level": _nullable("severity, amount or size as written"),
                    "type": _nullable("kind, shape or age as written"),
                },
                "required": list(ATTRIBUTES),
                "additionalProperties": False,
            },
        },
        "quote": _nullable("the words of the report that say it, copied exactly"),
    },
    "required": ["status", "findings", "quote"],
    "additionalProperties": False,
}
"""JSON schema of an answer, inside the strict subset of structured outputs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered; text is left out of its ``repr``.

    Attributes:
        status: what the report says of the finding.
        findings: its instances, not standardised.
        quote: the words of the report it rests on.
    """

    status: Status
    findings: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    quote: str = field(default="", repr=False)

    def rests_on(self, text: str) -> bool:
        """Whether the quoted words stand in ``text``; an answer without them is a guess."""
        words = normalise(self.quote)
        return words.count(" ") + 1 >= _LEAST_WORDS and f" {words} " in f" {normalise(text)} "


def parse_answer(text: str, finish_reason: str = "stop") -> Answer | None:
    """The answer in a reply, or None where there is none that is whole. Nothing is raised."""
    if finish_reason not in ("stop", ""):
        return None
    answer, _ = answer_part(text[:_LONGEST])
    start = answer.find("{")
    if start < 0 or is_refusal(answer[:start]):
        return None
    value = _object_at(answer, start)
    if value is None:
        return None
    status = _STATUS_WORDS.get(normalise(str(value.get("status") or "")))
    if status is None:
        return None
    quote = value.get("quote")
    return Answer(status, _findings(value), quote if isinstance(quote, str) else "")


def _object_at(text: str, start: int) -> dict[str, Any] | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        reading = read_object(text, start)
        if not reading.closed or reading.lost or reading.too_deep:
            return None
        value = reading.value
    return mend_value(value) if isinstance(value, dict) else None


def _findings(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The instances: a list, a single one, or attributes that stand beside the status."""
    found = value.get("findings")
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        found = [value]
    sets = ({slot: one.get(slot) for slot in ATTRIBUTES} for one in found if isinstance(one, dict))
    return tuple(one for one in sets if any(one.values()))


def merge(record: Mapping[str, Any], asked: Discrepancy, answer: Answer) -> dict[str, Any]:
    """``record``, in standard form, with what an answer says; not standardised.

    An answer about attributes never changes whether a finding is there, and fills only what was
    asked for. ``not_mentioned`` takes away nothing but a finding that no word of the report names.
    """
    merged: dict[str, Any] = {**record, NEGATED: list(record[NEGATED])}
    for category in FINDING_CATEGORIES:
        merged[category] = dict(record[category])
    if asked.kind == "attribute":
        return _fill(merged, asked, answer)
    if answer.status == "not_mentioned":
        if asked.kind == "unsupported":
            _take(merged, asked.name)
        return merged
    sets = _take(merged, asked.name)
    if answer.status == "absent":
        merged[NEGATED].append(asked.name)
        return merged
    category = OPACITY if asked.name == CLEAR else _CATEGORY[answer.status]
    given = sets or [dict(one) for one in answer.findings]
    merged[category][asked.name] = given or None
    return merged


def _fill(merged: dict[str, Any], asked: Discrepancy, answer: Answer) -> dict[str, Any]:
    if answer.status in ("present", "uncertain"):
        for category in FINDING_CATEGORIES:
            if asked.name in merged[category]:
                held = [dict(one) for one in instances(merged[category][asked.name])]
                merged[category][asked.name] = _filled(held, answer.findings, asked.slots)
    return merged


def _filled(
    held: list[dict[str, Any]], said: Sequence[Mapping[str, Any]], slots: Sequence[str]
) -> list[dict[str, Any]]:
    """Instances with the attributes that were asked for, where it is certain which are meant."""
    if len(held) == 1 and len(said) == 1:
        return [_completed(held[0], said[0], slots)]
    if len(held) == 1 and "location" in slots:
        return [*held, *(dict(one) for one in said if one["location"])]
    by_place = {normalise(str(one["location"] or "")): one for one in said}
    return [
        _completed(one, by_place.get(normalise(str(one["location"] or "")), {}), slots)
        for one in held
    ]


def _completed(
    one: Mapping[str, Any], other: Mapping[str, Any], slots: Sequence[str]
) -> dict[str, Any]:
    return {**one, **{slot: one[slot] or other.get(slot) for slot in slots}}


def _take(merged: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Take a finding out of all categories; gives its instances."""
    sets: list[dict[str, Any]] = []
    for category in CATEGORIES:
        if category == NEGATED:
            merged[NEGATED] = [other for other in merged[NEGATED] if other != name]
        elif name in merged[category]:
            sets += [dict(one) for one in instances(merged[category].pop(name))]
    return [one for one in sets if any(one.values())]


def answer_by_rules(text: str, name: str) -> dict[str, Any]:
    """The answer of the rules about ``name``, in the shape of :data:`ANSWER_SCHEMA`."""
    found = extract_keyinfo(text)
    meaning = load_lexicon().canonical(name) or name
    for status, category in (("present", OPACITY), *_CATEGORY.items()):
        if meaning not in found[category]:
            continue
        quotes = find_evidence(text, {category: [meaning]}).get(meaning, [])
        sets = [] if category == NEGATED else instances(found[category][meaning])
        findings = [{slot: one.get(slot) for slot in ATTRIBUTES} for one in sets]
        return {"status": status, "findings": findings, "quote": quotes[0] if quotes else None}
    return {"status": "not_mentioned", "findings": [], "quote": None}
