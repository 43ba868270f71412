"""Asks for a text until it passes its check: once more with the reasons, then it is a reject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.clinical.instructing.generated_text import clean_text
from pipeline.clinical.text_check import TextCheck
from pipeline.clinical.translation_check import issue_text
from pipeline.llm.types import Ask, Message, Outcome, Reply, Request
from pipeline.stages.base import Reject

RULES = "rules"
"""The model name under which the rules answer."""


def text_schema(field: str) -> Mapping[str, Any]:
    """JSON schema of an answer that is one text."""
    return {
        "type": "object",
        "properties": {field: {"type": "string"}},
        "required": [field],
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class Passed:
    """A text that passed, its check, and the model that wrote it."""

    text: str
    check: TextCheck
    by: str
    attempts: int


async def ask_until_it_passes(
    ask: Ask, request: Request, attempts: int, check: Callable[[str, str], TextCheck]
) -> Passed | Reject:
    """Ask up to ``attempts`` times; each time the model sees its text and what is wrong with it.

    Args:
        ask: the engine.
        request: the first question.
        attempts: how often to ask.
        check: from the cleaned text and the finish reason to a verdict.
    """
    verdict = TextCheck()
    for attempt in range(1, attempts + 1):
        reply = await ask(request)
        if reply.outcome in (Outcome.CONTENT_FILTER, Outcome.FAILED):
            return Reject(str(reply.outcome), reply.detail, attempts=attempt)
        text = _text_of(reply)
        verdict = check(text, _finish(reply))
        if verdict.ok:
            return Passed(text, verdict, reply.model or "model", attempt)
        if reply.model == RULES:  # they would say the same again
            break
        request = _once_more(request, text, verdict)
    named = sorted({issue.finding for issue in verdict.rejects if issue.finding})
    others = ", ".join(verdict.reasons[1:])
    detail = "; ".join(filter(None, (others and f"also {others}", ", ".join(named))))
    return Reject(verdict.reason, detail, attempts=attempt)


def _text_of(reply: Reply) -> str:
    return "" if reply.outcome is Outcome.REFUSAL and not reply.text else clean_text(reply.text)


def _finish(reply: Reply) -> str:
    return "length" if reply.outcome is Outcome.LENGTH else reply.finish_reason


def _once_more(request: Request, text: str, verdict: TextCheck) -> Request:
    """The same chat with the answer and what is wrong with it."""
    wrong = "; ".join(dict.fromkeys(map(issue_text, verdict.rejects)))
    said = (Message("assistant", text),) if text else ()
    asked = Message("user", f"This cannot be used: {wrong}. Write it again, corrected.")
    return replace(request, messages=(*request.messages, *said, asked))
