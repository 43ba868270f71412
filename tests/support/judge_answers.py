"""How a model would judge answers: as the rules do, wrapped in the ways replies come in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipeline.clinical.judge_rules import compare_answers, judge_answer


def judge(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """A verdict on one answer or on two; some are fenced, some are lines, one in ten is chatter."""
    prompt = str(messages[-1]["content"])
    parts = {name: _part(prompt, name) for name in ("instruction", "report", "expected")}
    asked = (parts["instruction"], parts["report"])
    found: Mapping[str, Any]
    if "<answer-1>" in prompt:
        two = [_part(prompt, "answer-1"), _part(prompt, "answer-2")]
        found = compare_answers(*asked, two, parts["expected"])
    else:
        found = judge_answer(*asked, _part(prompt, "answer"), parts["expected"])
    text = orjson.dumps(found).decode()
    kind = hashlib.sha256(prompt.encode()).digest()[0] % 10
    if kind == 0:
        return "Both read well, and I would not say more."
    if kind == 1:
        return f"```json\n{text}\n```"
    if kind == 2:
        return "\n".join(f"- {name}: {value}" for name, value in found.items())
    return text


def _part(prompt: str, name: str) -> str:
    found = re.search(rf"<{name}>\n(.*?)\n</{name}>", prompt, re.S)
    return found[1] if found else ""
