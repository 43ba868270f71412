"""What is wrong with a generated instruction, if anything."""

from __future__ import annotations

import re

from pipeline.clinical.claims import question_claims
from pipeline.clinical.grounding import is_named
from pipeline.clinical.instructing.contents import contents_of
from pipeline.clinical.instructing.generated_text import is_refusal
from pipeline.clinical.instructing.language import is_in_language
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.rouge import tokens_of

MIN_TOKENS, MAX_TOKENS = 3, 60
"""Limits in words."""

MIN_SIGNS, MAX_SIGNS = 4, 120
"""Limits in characters of Chinese, Japanese and Korean; a word is about two of them."""

_COPIED = 8  # words in a row, taken over from the report, that make a quotation
_ASKING = r"(?:what|which|where|how|why|when|who|is|are|does|do|did|has|have|was|were|can|should)"
_SECOND = re.compile(
    rf"[?？]\s*\S.*[?？]|[?？]\s*(?:and\s+)?{_ASKING}\b"
    rf"|(?:,|;)\s*and\s+{_ASKING}\b(?!\s+(?:they|it|this|that)\b)"
    r"|(?:^|\s)1[.)]\s.*\s2[.)]\s",
    re.IGNORECASE | re.DOTALL,
)
_TASK = re.compile(
    r"(?:^|[.!。]\s*)(?:then\s+|also\s+|next,?\s+)?"
    r"(?:summari[sz]e|list|explain|describe|identify|name|compare|rewrite|spell out|translate"
    r"|state|write|tell|convert|classify)\b",
    re.IGNORECASE,
)
_GIVES_ANSWER = re.compile(
    r"(?:^|\n|\s)(?:answer|expected answer|答案|回答|정답|답변)\s*[:：]", re.I
)
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」")
_NEEDING = (
    ("advice", re.compile(r"\brecommend\w*|\bnext step|\bfollow[- ]?up\b|\badvised?\b", re.I)),
    (
        "change",
        re.compile(
            r"\b(?:since|than|compared (?:to|with)|from) (?:the |an? )?"
            r"(?:previous|prior|last|earlier|old)\b|\bchanged\b|\binterval change",
            re.I,
        ),
    ),
)
_OUTSIDE = re.compile(
    r"\b(?:blood pressure|laborator\w+|blood test\w*|vital signs|medication\w*|dos(?:e|age)"
    r"|allerg\w+"
    r"|patient'?s (?:name|age|sex|gender|address|insurance|weight)|how old|family history|smok\w+"
    r"|radiologist'?s name|prognosis|life expectancy|ecg|electrocardiogram)\b",
    re.IGNORECASE,
)
_PLACED = "localisation"


def wrong_instruction(
    text: str, report: str, *, family: str = "", language: str = "English", quotes: bool = False
) -> str | None:
    """The reason to drop an instruction, or None.

    Reasons: ``empty``, ``refusal``, ``too_short``, ``too_long``, ``wrong_language``,
    ``leaks_answer``, ``several_questions``, ``not_answerable``.

    Args:
        text: the instruction, cleaned.
        report: the report as the prompt showed it (:func:`compose_report`).
        family: the task family; a localisation must not name the place.
        language: name or code of the language asked for.
        quotes: whether the family may quote the report.
    """
    tokens = tokens_of(text)
    if not tokens:
        return "empty"
    if is_refusal(text):
        return "refusal"
    fewest, most = (MIN_TOKENS, MAX_TOKENS) if tokens[0].isascii() else (MIN_SIGNS, MAX_SIGNS)
    if len(tokens) < fewest:
        return "too_short"
    if len(tokens) > most:
        return "too_long"
    if not is_in_language(text, language):
        return "wrong_language"
    if _leaks(text, report, tokens, family, quotes=quotes):
        return "leaks_answer"
    if _SECOND.search(text) or len(_TASK.findall(_QUOTED.sub("", text))) > 1:
        return "several_questions"
    return None if _is_answerable(text, report) else "not_answerable"


def _leaks(text: str, report: str, tokens: list[str], family: str, *, quotes: bool) -> bool:
    if _GIVES_ANSWER.search(text):
        return True
    if family == _PLACED and any(c.sides or c.zones for c in question_claims(text)):
        return True
    return not quotes and _copies(tokens, report)


def _copies(tokens: list[str], report: str) -> bool:
    """Whether a run of words stands in the report as well."""
    if len(tokens) < _COPIED:
        return False
    known = f" {' '.join(tokens_of(report))} "
    return any(
        f" {' '.join(tokens[start : start + _COPIED])} " in known
        for start in range(len(tokens) - _COPIED + 1)
    )


def _is_answerable(text: str, report: str) -> bool:
    """Whether the report speaks of what the instruction asks: findings, sections, other facts."""
    lowered = report.lower()
    if any(match[0].lower() not in lowered for match in _OUTSIDE.finditer(text)):
        return False
    by_name = load_lexicon().by_name
    for claim in question_claims(text):
        finding = by_name.get(claim.name)
        is_general = finding is None or finding.kind in ("general", "artifact")
        if not is_general and not is_named(claim.name, report):
            return False
    needed = [need for need, pattern in _NEEDING if pattern.search(text)]
    return not needed or set(needed) <= contents_of(report).needs
