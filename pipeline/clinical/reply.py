"""Reads a model's reply to the KeyInfo prompt, and never takes a failure for a normal study.

The order matters: how the reply ended and whether it declines come first, then strict JSON, then
repair, then shape. What is returned is as parsed; ``pipeline.clinical.standardise`` brings it into
standard form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipeline.clinical.keyinfo import CATEGORIES
from pipeline.clinical.reply_clean import answer_part, is_refusal
from pipeline.clinical.reply_locate import Found, find_records, mend_value
from pipeline.clinical.reply_text import merge_values, normal_key

Status = Literal["ok", "repaired", "truncated", "none"]

_FILTERED: Final = frozenset(
    {"content_filter", "safety", "blocked", "recitation", "prohibited_content"}
)
_CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens", "incomplete", "model_length"})
_FAILED: Final = frozenset({"error", "failed", "cancelled", "abort", "timeout"})
_EXAMPLE = re.compile(r"\b(?:example|for instance|e\.g\.|format|template|schema|structure)\b", re.I)
_CORRECTION = re.compile(
    r"\b(?:correct(?:ed|ion)|revis\w+|updat\w+|final|actually|wait|mistake|instead|improved|fixed)\b",
    re.I,
)
_NEXT_INPUT = re.compile(
    r"(?:^|\n)\W*(?:next |another |new )?(?:report|input|instruction|user|human|question|study|note"
    r"|example|query|prompt)\b[^\n]{0,40}?(?::|\d|\n)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply holds.

    Attributes:
        status: ``ok`` strict JSON once located; ``repaired`` syntax mended, nothing lost;
            ``truncated`` cut short, ``value`` holds what is certain and must not pass for the whole
            record; ``none`` no usable record.
        value: the object as parsed, not standardised; None exactly when ``status`` is ``none``.
        reason: class word for logs and rejects, never text of the reply: empty for ``ok``, else
            ``syntax``, ``length``, ``cut``, ``empty``, ``refusal``, ``content_filter``, ``failed``,
            ``no_json``, ``wrong_shape``.
    """

    status: Status
    value: dict[str, Any] | None
    reason: str = ""


def parse_keyinfo_reply(text: str, finish_reason: str = "stop") -> ParsedReply:
    """Read the KeyInfo record in ``text``. Any text gives a result, nothing is raised.

    Args:
        text: the reply as the model wrote it.
        finish_reason: as the service said it (``stop``, ``length``, ``content_filter``, ...).

    Returns:
        The parsed reply; its value is None unless a category of a record was found.
    """
    ending = str(finish_reason or "stop").lower()
    if ending in _FILTERED:
        return ParsedReply("none", None, "content_filter")
    if ending == "refusal":
        return ParsedReply("none", None, "refusal")
    if ending in _FAILED:
        return ParsedReply("none", None, "failed")
    if not isinstance(text, str) or not text.strip("\ufeff\u200b \t\r\n"):
        return ParsedReply("none", None, "length" if ending in _CUT else "empty")
    answer, ended = answer_part(text.replace("\ufeff", ""))
    found = find_records(answer, ended=ended)
    if not found:
        return ParsedReply("none", None, _why_nothing(answer, ending))
    record = _choose(answer, found)
    if _is_empty(record.value) and is_refusal(answer[: record.start] + answer[record.end :]):
        return ParsedReply("none", None, "refusal")
    value = mend_value(record.value)
    if ending in _CUT:
        return ParsedReply("truncated", value, "length")
    if record.lost or record.cut:
        return ParsedReply("truncated", value, "cut")
    return ParsedReply("ok", value) if record.strict else ParsedReply("repaired", value, "syntax")


def _why_nothing(answer: str, ending: str) -> str:
    if is_refusal(answer):
        return "refusal"
    if ending in _CUT:
        return "length"
    if not answer.strip():
        return "empty"
    return "wrong_shape" if "{" in answer or "[" in answer else "no_json"


def _is_empty(value: dict[str, Any]) -> bool:
    return all(not item for key, item in value.items() if normal_key(key) in CATEGORIES)


def _choose(text: str, found: list[Found]) -> Found:
    """The record that is the answer, where a reply holds several.

    Parts with different categories are united. An example before the answer is passed over; a
    record for a further, invented input is not the answer; a correction replaces what it corrects.
    """
    if len(found) == 1:
        return found[0]
    filled = [one for one in found if not _is_empty(one.value)] or found
    whole = [one for one in filled if not (one.lost or one.cut)] or filled
    if all(one.value == whole[0].value for one in whole):
        return whole[0]
    if _are_parts(found):
        return _united(found)
    chosen = whole[0]
    for one in whole[1:]:
        between = text[chosen.end : one.start]
        if _CORRECTION.search(between):
            chosen = one
        elif _NEXT_INPUT.search(between) and not _EXAMPLE.search(text[: chosen.start]):
            break
        else:
            chosen = one
    return chosen


def _are_parts(found: list[Found]) -> bool:
    """Whether no category is in two of the records."""
    keys = [normal_key(key) for one in found for key in one.value]
    categories = [key for key in keys if key in CATEGORIES]
    return len(set(categories)) == len(categories)


def _united(found: list[Found]) -> Found:
    value: dict[str, Any] = {}
    for one in found:
        for key, item in one.value.items():
            value[key] = merge_values(value[key], item) if key in value else item
    return Found(
        value,
        found[0].start,
        found[-1].end,
        strict=False,
        lost=any(one.lost for one in found),
        cut=found[-1].cut,
    )
