"""How a large model would answer the KeyInfo prompt: well, or in the many ways they break."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.keyinfo import FINDING_CATEGORIES, instances


def good(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """The rules' reading in the shape that the prompt asks for."""
    report = str(messages[-1]["content"]).partition("Report:\n")[2]
    found = extract_keyinfo(report)
    answer: dict[str, Any] = {
        category: [
            {"name": name, **one}
            for name, sets in found[category].items()
            for one in instances(sets)
        ]
        for category in FINDING_CATEGORIES
    }
    return orjson.dumps({**answer, "no_entity": found["no_entity"]}).decode()


def mixed(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Good answers, fenced ones, ones with slips, and some that cannot be read."""
    text = good(messages, params)
    kind = hashlib.sha256(text.encode() + str(messages[-1]["content"]).encode()).digest()[0] % 10
    if kind == 0:
        return f"Here is the JSON you asked for:\n```json\n{text}\n```"
    if kind == 1:
        return text.replace(": null", ": None").replace("true", "True")
    if kind == 2:
        return text[:-1] + ",}"
    if kind == 3 and len(text) % 3 == 0:
        return "I cannot find a report here."
    return text
