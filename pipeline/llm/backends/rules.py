"""The backend that needs no model: rules answer, in process, at no cost and without a journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.llm.types import Outcome, Reply, Request


def _keyinfo(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.extract import extract_keyinfo  # loads its libraries: only if asked

    return extract_keyinfo(str(payload.get("text") or ""))


def _followup(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.followup_answer import answer_by_rules

    return answer_by_rules(str(payload.get("text") or ""), str(payload.get("name") or ""))


def _labels(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.label_rules import answer_labels

    return answer_labels(str(payload.get("text") or ""))


def _icd10(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.icd10_rules import answer_phrases

    return answer_phrases(str(payload.get("text") or ""))


def _instruction(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.instructing.by_rules import make_instruction

    return make_instruction(**payload)


def _answer(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.instructing.by_rules import make_answer

    return make_answer(**payload)


def _judge(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.judge_rules import judge_answer

    return judge_answer(**payload)


def _judge_pair(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.judge_rules import compare_answers

    return compare_answers(**payload)


def _chat(payload: Mapping[str, Any]) -> str:
    from pipeline.clinical.talk_rules import answer_by_rules

    return answer_by_rules(
        str(payload.get("text") or ""),
        payload.get("earlier") or (),
        images=bool(payload.get("images")),
    )


def _caption(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.caption_rules import make_caption

    return make_caption(**payload)


def _translation(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.translation_rules import make_translation

    return make_translation(**payload)


def _infer(payload: Mapping[str, Any]) -> str:
    from pipeline.clinical.talk_rules import impression_by_rules

    return impression_by_rules(str(payload.get("text") or ""))


def _back_translation(payload: Mapping[str, Any]) -> Any:
    from pipeline.clinical.translation_rules import make_back_translation

    return make_back_translation(str(payload.get("text") or ""))


TASKS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "keyinfo": _keyinfo,
    "followup": _followup,
    "labels": _labels,
    "icd10": _icd10,
    "instructions": _instruction,
    "answer": _answer,
    "caption": _caption,
    "translation": _translation,
    "back-translation": _back_translation,
    "judge": _judge,
    "judge-pair": _judge_pair,
}
"""Task name -> function from the structured payload to the JSON value a model would answer."""

SPOKEN: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"chat": _chat, "infer": _infer}
"""The same for tasks whose answer is plain text."""


def answer(request: Request) -> Reply:
    """Answer ``request`` by its task and payload; the messages are not looked at.

    Synchronous and without state, so that worker processes can call it directly.

    Raises:
        ConfigError: no rules for this task.
    """
    if (speak := SPOKEN.get(request.task)) is not None:
        return Reply(Outcome.OK, speak(request.payload), model="rules")
    function = TASKS.get(request.task)
    if function is None:
        known = ", ".join(sorted({*TASKS, *SPOKEN}))
        raise ConfigError(f"backend rules cannot answer task {request.task} (only: {known})")
    return Reply(Outcome.OK, orjson.dumps(function(request.payload)).decode(), model="rules")
