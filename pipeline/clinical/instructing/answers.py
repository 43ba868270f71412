"""What is wrong with a generated answer, if anything, apart from whether it keeps to the report."""

from __future__ import annotations

import re

from pipeline.clinical.instructing.generated_text import is_refusal
from pipeline.clinical.instructing.language import is_in_language
from pipeline.clinical.rouge import rouge_l, tokens_of

_REPEATED = 0.8
"""ROUGE-L of answer and instruction above which the answer only repeats it."""

_ALLOWANCE = 1.5
"""How far above the limit of its prompt an answer may be: models count words badly."""

_CJK_FACTOR = 2  # a word is about two characters
_ENDS = re.compile(r"[.!?。！？…:;)\]”\"'’」다요]\s*\Z")
_OPEN_END = re.compile(r"(?:,|\b(?:and|or|the|of|in|with|a|an|to|is|are|but|which|no))\s*\Z", re.I)
_LEAST_CUT = 12  # words from which a text without an end is taken for a cut one


def wrong_answer(
    text: str,
    instruction: str,
    *,
    language: str = "English",
    max_words: int = 0,
    finish_reason: str = "stop",
) -> str | None:
    """The reason to drop an answer, or None.

    Reasons: ``truncated``, ``empty``, ``refusal``, ``question_repeated``, ``too_long``,
    ``wrong_language``.

    Args:
        text: the answer, cleaned.
        instruction: what was asked.
        language: name or code of the language asked for.
        max_words: the limit the prompt gave; 0 for none.
        finish_reason: how the model ended; ``length`` means cut.
    """
    tokens = tokens_of(text)
    if not tokens:
        return "empty"
    if finish_reason == "length" or _is_cut(text, len(tokens)):
        return "truncated"
    if is_refusal(text):
        return "refusal"
    if rouge_l(tokens, tokens_of(instruction)) > _REPEATED:
        return "question_repeated"
    limit = max_words * _ALLOWANCE * (1 if text.isascii() or tokens[0].isascii() else _CJK_FACTOR)
    if max_words and len(tokens) > limit:
        return "too_long"
    return None if is_in_language(text, language) else "wrong_language"


def without_question(text: str, instruction: str) -> str:
    """The answer without the instruction at its start, which some models repeat."""
    head, rest = text[: len(instruction)], text[len(instruction) :]
    if instruction and head.casefold() == instruction.casefold() and rest.strip():
        return rest.strip(" \n:：-")
    return text


def _is_cut(text: str, words: int) -> bool:
    if _ENDS.search(text):
        return False
    return bool(_OPEN_END.search(text)) or words >= _LEAST_CUT
