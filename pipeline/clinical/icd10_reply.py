"""Phrases with an ICD-10-CM code as a model answers them: schema, reading, checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipeline.clinical.icd10 import load_code_book
from pipeline.clinical.lexicon import normalise
from pipeline.clinical.reply_json import read_list_reply

PHRASES_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "phrases": {
            "type": "array",
            "description": "what the patient has, one entry per disease or finding; may be empty",
            "items": {
                "type": "object",
                "properties": {
                    "phrase": {"type": "string", "description": "words of the report"},
                    "code": {"type": "string", "description": "ICD-10-CM code"},
                    "certain": {"type": "boolean"},
                    "reason": {"type": "string", "description": "sentence of the report, or why"},
                },
                "required": ["phrase", "code", "certain", "reason"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["phrases"],
    "additionalProperties": False,
}
"""JSON schema of an answer, inside the strict subset of structured outputs."""


@dataclass(frozen=True, slots=True)
class PhraseReply:
    """What a reply says.

    Attributes:
        status: ``ok``, ``repaired`` or ``none``.
        phrases: each ``{"phrase", "code", "title", "exists", "certain", "reason", "in_text"}``, in
            the order of the reply, each phrase and code once; None exactly when ``status`` is
            ``none``.
        reason: reason of the reject: ``unknown_code``, ``wrong_shape``, or one of `reply_json`.
        detail: counts, never text of the reply.
    """

    status: Literal["ok", "repaired", "none"]
    phrases: tuple[dict[str, Any], ...] | None
    reason: str = ""
    detail: str = ""


def parse_phrases_reply(text: str, finish_reason: str = "stop", report: str = "") -> PhraseReply:
    """Read the phrases in ``text``; a code that does not exist makes the whole reply unusable.

    An empty list is an answer: the patient has nothing. ``exists`` is what the packaged lists know
    of the code (see `icd10`), ``in_text`` whether the report holds the phrase's words in a row.
    """
    reply = read_list_reply(text, "phrases", finish_reason)
    if reply.items is None or reply.status == "none":
        return PhraseReply("none", None, reply.reason)
    book = load_code_book()
    words = f" {normalise(report)} "
    found: dict[tuple[str, str], dict[str, Any]] = {}
    unknown = 0
    for item in reply.items:
        if not _is_entry(item):
            return PhraseReply("none", None, "wrong_shape")
        phrase = " ".join(item["phrase"].split())
        check = book.check(item["code"])
        unknown += check.exists == "unknown"
        reason = item.get("reason")
        found.setdefault(
            (normalise(phrase), check.code),
            {
                "phrase": phrase,
                "code": check.code,
                "title": check.title,
                "exists": check.exists,
                "certain": item.get("certain", True),
                "reason": " ".join(reason.split()) if isinstance(reason, str) else "",
                "in_text": f" {normalise(phrase)} " in words,
            },
        )
    if unknown:
        return PhraseReply("none", None, "unknown_code", f"{unknown} not in ICD-10-CM")
    return PhraseReply(reply.status, tuple(found.values()))


def _is_entry(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("phrase"), str)
        and normalise(item["phrase"]) != ""
        and isinstance(item.get("code"), str)
        and isinstance(item.get("certain", True), bool)
    )
