"""How a large model would answer the KeyInfo prompt: well, or in the many ways they break."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.followup_answer import answer_by_rules
from pipeline.clinical.keyinfo import FINDING_CATEGORIES, instances
from tests.support.sentinel import ANSWER_SENTINEL

QUESTION = re.compile(r"\n\nList:\n.*\n\nQuestion: (.*)\Z", re.S)


def good(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """The rules' reading in the shape that the prompt asks for, of a follow-up question too."""
    report = str(messages[-1]["content"]).partition("Report:\n")[2]
    asked = QUESTION.search(report)
    if asked is not None:
        named = re.search(r'"(.+?)"', asked[1])
        answer = answer_by_rules(report[: asked.start()], named[1] if named else "clear")
        return orjson.dumps(answer).decode()
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


def careless(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """A model that overlooks and invents, and answers follow-up questions well, or nearly so.

    It leaves out every third finding and denial and every second attribute, takes some doubts for
    facts, and invents a pneumopericardium now and then. One follow-up answer in ten is no answer,
    one in ten quotes what is not in the report.
    """
    text = mixed(messages, params)
    content = str(messages[-1]["content"])
    kind = hashlib.sha256(content.encode()).digest()[1] % 10
    if QUESTION.search(content):
        if kind == 0:
            return "I would rather not say."
        return text.replace('"quote":"', '"quote":"surely ', 1) if kind == 1 else text
    if not text.startswith("{") or "\n" in text:
        return text
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    for category in ("entity", "uncertain_entity", "no_entity"):
        said[category] = [one for number, one in enumerate(said[category]) if (number + kind) % 3]
    for number, one in enumerate(said["entity"]):
        one["location" if number % 2 else "level"] = None
    if kind > 6:
        said["entity"] += said["uncertain_entity"]
        said["uncertain_entity"] = []
    if kind == 5:
        invented = {"name": "pneumopericardium", "location": None, "level": None, "type": None}
        said["entity"].append(invented)
    return orjson.dumps(said).decode()


def leaky(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """As :func:`mixed`, but with words of the patient's where names of findings and places go."""
    text = mixed(messages, params)
    spot = {"name": ANSWER_SENTINEL, "location": ANSWER_SENTINEL, "level": None, "type": None}
    return text.replace('"entity":[', f'"entity":[{orjson.dumps(spot).decode()},', 1)


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
