"""Finds the one JSON answer in a model's reply, for tasks whose answer is an object with one list.

The order is that of the KeyInfo reader: how the reply ended, strict JSON, repair. An answer that is
cut, or that stands there twice with different content, is not read: asking again is cheap, a wrong
label is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipeline.clinical.reply_clean import answer_part, is_refusal
from pipeline.clinical.reply_locate import mend_value
from pipeline.clinical.reply_repair import read_object

_ENDINGS: Final = {
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "refusal",
    "length": "length",
    "max_tokens": "length",
    "incomplete": "length",
}
_MAX_STARTS: Final = 50


@dataclass(frozen=True, slots=True)
class JsonReply:
    """The list found in a reply.

    Attributes:
        status: ``ok`` strict JSON, ``repaired`` syntax mended and nothing lost, ``none``.
        items: the list; None exactly when ``status`` is ``none``.
        reason: why there is none: ``length``, ``content_filter``, ``refusal``, ``empty``,
            ``ambiguous`` or ``no_json``; never text of the reply.
    """

    status: Literal["ok", "repaired", "none"]
    items: list[Any] | None
    reason: str = ""


def read_list_reply(text: str, key: str, finish_reason: str = "stop") -> JsonReply:
    """The list under ``key`` in ``text``. Any text gives a result, nothing is raised."""
    ending = _ENDINGS.get(finish_reason.lower())
    if ending is not None:
        return JsonReply("none", None, ending)
    if not text.strip():
        return JsonReply("none", None, "empty")
    answer, _ = answer_part(text.replace("\ufeff", ""))
    strict = list(_strict_lists(answer, key))
    found = strict or list(_repaired_lists(answer, key))
    if not found:
        return JsonReply("none", None, "refusal" if is_refusal(answer) else "no_json")
    if any(items != found[0] for items in found[1:]):
        return JsonReply("none", None, "ambiguous")
    items: list[Any] = mend_value(found[0])
    return JsonReply("ok" if strict else "repaired", items)


def _strict_lists(text: str, key: str) -> Iterator[list[Any]]:
    decoder = json.JSONDecoder()
    position = text.find("{")
    for _ in range(_MAX_STARTS):
        if position < 0:
            return
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            items = _list_of(value, key)
            if items is not None:
                yield items
        position = text.find("{", end)


def _repaired_lists(text: str, key: str) -> Iterator[list[Any]]:
    position = text.find("{")
    for _ in range(_MAX_STARTS):
        if position < 0:
            return
        reading = read_object(text, position)
        items = None if reading.too_deep else _list_of(reading.value, key)
        if items is None:
            position = text.find("{", position + 1)
            continue
        if reading.closed and not reading.lost and not reading.open_levels:
            yield items
        position = text.find("{", max(reading.end, position + 1))


def _list_of(value: Any, key: str) -> list[Any] | None:
    """The list under ``key``, also inside one wrapper such as ``{"answer": {...}}``."""
    if not isinstance(value, dict):
        return None
    for holder in (value, *value.values()):
        if isinstance(holder, dict):
            for name, items in holder.items():
                if isinstance(name, str) and name.strip().lower() == key:
                    return items if isinstance(items, list) else None
    return None
