"""How a model would answer the prompts of instruction data: well, or in the ways they break."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.clinical.instructing.by_rules import make_answer, make_instruction


def _field(prompt: str, title: str) -> str:
    """The words after ``title`` up to the end of the line."""
    return prompt.partition(title)[2].partition("\n")[0].strip()


def good(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Instructions and answers as the rules make them, in the language that is asked for."""
    prompt = str(messages[-1]["content"])
    report = prompt.partition("Report:\n")[2]
    family = _field(prompt, "Task family:").replace(" ", "_")
    if "\nInstruction:\n" in prompt:
        instruction = prompt.partition("\nInstruction:\n")[2].partition("\n\nReport:")[0]
        system = str(messages[0]["content"])
        language = system.rpartition(" words, in ")[2].strip(" .")
        return make_answer(report, instruction, family, language)
    language = _field(prompt, "Language of the instruction:")
    seed = hashlib.sha256(prompt.encode()).hexdigest()
    return make_instruction(report, family, language, seed) or "I cannot ask anything."


def mixed(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Good texts, decorated ones, refusals, cut ones, and answers that turn the report round."""
    text = good(messages, params)
    prompt = str(messages[-1]["content"])
    kind = hashlib.sha256(prompt.encode()).digest()[0] % 16
    if kind == 0:
        return "I'm sorry, but I cannot help with that."
    if kind == 1:
        return f'1. Question: "{text}"'
    if kind == 2:
        return f"{text} What else is there to say?"
    if kind == 3 and "\nInstruction:\n" in prompt:
        return text[: len(text) * 2 // 3]
    if kind == 4 and "\nInstruction:\n" in prompt:
        return text.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
    if kind == 5:
        return "請問報告寫了什麼"
    return text
