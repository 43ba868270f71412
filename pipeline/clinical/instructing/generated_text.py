"""Cleaning what a model wrote: labels, numbers, quotes, fences around the text that was meant."""

from __future__ import annotations

import csv
import json
import re
from functools import cache

from pipeline.core.resources import resource_path

_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\s*\Z", re.DOTALL)
_NUMBER = re.compile(r"\A(?:\(?\d{1,2}[.):]\s+|[-*•·]\s+|#+\s+)")
_QUOTES = (("“", "”"), ('"', '"'), ("'", "'"), ("「", "」"), ("**", "**"), ("`", "`"), ("«", "»"))
_FIELDS = (
    "instruction", "question", "answer", "response", "output", "caption", "translation",
)  # fmt: skip
_ROUNDS = 6  # how many layers of decoration are taken off


@cache
def phrases(role: str) -> tuple[str, ...]:
    """The phrases of a role (``refusal``, ``label``, ``opening``) in ``generation_phrases.csv``."""
    path = resource_path("libs", "generation_phrases.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(row["phrase"] for row in csv.DictReader(file) if row["role"] == role)


@cache
def _label() -> re.Pattern[str]:
    words = "|".join(sorted(map(re.escape, phrases("label")), key=len, reverse=True))
    return re.compile(rf"\A(?:\*\*)?(?:{words})(?:\*\*)?\s*\d*\s*[:：](?:\*\*)?\s*", re.IGNORECASE)


@cache
def _opening() -> re.Pattern[str]:
    words = "|".join(map(re.escape, phrases("opening")))
    return re.compile(rf"\A(?:{words})[^\n:：]{{0,80}}[:：]\s*", re.IGNORECASE)


def clean_text(raw: str) -> str:
    """The text that was meant: one paragraph or more, without decoration around it.

    A reply that is a JSON string, or an object with one of the usual fields, is that text.
    """
    text = _unwrapped(raw.strip())
    for _ in range(_ROUNDS):
        before = text
        if fence := _FENCE.match(text):
            text = _unwrapped(fence[1].strip())
        text = _opening().sub("", text, count=1)
        text = _label().sub("", text, count=1)
        text = _NUMBER.sub("", text, count=1) if not _is_list(text) else text
        for left, right in _QUOTES:
            inside = text[len(left) : -len(right)]
            if (
                len(text) > len(left) + len(right)
                and text.startswith(left)
                and text.endswith(right)
                and left not in inside
                and right not in inside
            ):
                text = inside
        text = text.strip()
        if text == before:
            break
    return "\n".join(line for part in text.splitlines() if (line := " ".join(part.split())))


def is_refusal(text: str) -> bool:
    """Whether a text begins with, or soon comes to, the words by which models decline."""
    lowered = text.lower().lstrip(" \"'*").replace("’", "'")
    refusals = phrases("refusal")
    return lowered.startswith(refusals) or any(
        f". {phrase}" in lowered[:200] for phrase in refusals if phrase[0] in "ai" and " " in phrase
    )


def _unwrapped(text: str) -> str:
    if text[:1] not in ('"', "{"):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict):
        value = next((value[name] for name in _FIELDS if name in value), None)
    return value.strip() if isinstance(value, str) else text


def _is_list(text: str) -> bool:
    return sum(1 for line in text.splitlines() if _NUMBER.match(line)) > 1
