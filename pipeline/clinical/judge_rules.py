"""A judge made of rules, where no model may or can be asked: crude, fast and always the same.

It sees less than a reader does. Accuracy is the grounding check (a finding, denial or side that the
report contradicts), conciseness is length and repetition, understandability is length of sentences
and abbreviations, consistency is contradiction within the answer, its language and its end. The
limits are our own choice; they order answers, and do not stand for an expert's scores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.clinical.grounding import check_grounding
from pipeline.clinical.judge_reply import CRITERIA, OVERALL
from pipeline.clinical.sentences import split_sentences

SHORT = 30
"""Words up to which an answer is concise whatever the report's length is."""

SENTENCE_WORDS = (20, 30, 40)
"""Mean words per sentence up to which understandability is 4, 3, 2."""

ABBREVIATIONS = 0.08
"""Share of words that may be abbreviations the question did not use."""

_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+(?:[-'][^\W_]+)*")
_ABBREVIATION = re.compile(r"[A-Z]{2,}s?")
_SCRIPTS = (("chinese", re.compile(r"[\u4e00-\u9fff]")), ("korean", re.compile(r"[\uac00-\ud7a3]")))
_END = tuple(".!?。！？)\"'”’」）]:")


def judge_answer(
    instruction: str, report: str, answer: str, reference: str = ""
) -> dict[str, int | None]:
    """Scores of 1 to 4 for each of :data:`~pipeline.clinical.judge_reply.CRITERIA`.

    Args:
        instruction: what was asked.
        report: what the answer must rest on; where it is "", the reference stands in.
        answer: what is judged.
        reference: the expected answer, or "".

    Returns:
        None for accuracy where the rules cannot tell: the language is not theirs, or there is
        nothing to compare with.
    """
    source = report or reference
    return {
        "accuracy": _accuracy(instruction, source, answer),
        "conciseness": _conciseness(source, answer),
        "understandability": _understandability(instruction, answer),
        "consistency": _consistency(instruction, answer),
    }


def compare_answers(
    instruction: str, report: str, answers: Sequence[str], reference: str = ""
) -> dict[str, str | None]:
    """The better of two answers by their scores: ``1``, ``2`` or ``tie``; None where unknown.

    Overall the more accurate one is better, and among equally accurate ones that with more points.
    """
    first, second = (judge_answer(instruction, report, each, reference) for each in answers)
    verdicts = {name: _better(first[name], second[name]) for name in CRITERIA}
    sums = [sum(score or 0 for score in scores.values()) for scores in (first, second)]
    tied = verdicts["accuracy"] == "tie"
    return {**verdicts, OVERALL: _better(*sums) if tied else verdicts["accuracy"]}


def _better(first: int | None, second: int | None) -> str | None:
    if first is None or second is None:
        return None
    return "tie" if first == second else "1" if first > second else "2"


def _accuracy(instruction: str, source: str, answer: str) -> int | None:
    if not source:
        return None
    found = check_grounding(answer, source, instruction)
    if not found.checked:
        return None
    if found.contradictions:
        return 1
    return max(2, 4 - len(found.unsupported))


def _conciseness(source: str, answer: str) -> int:
    words = len(_WORD.findall(answer))
    allowed = max(2 * SHORT, len(_WORD.findall(source)))
    limits = (SHORT, allowed, 1.5 * allowed)
    score = next((4 - i for i, limit in enumerate(limits) if words <= limit), 1)
    sentences = [s.lower() for s in _sentences(answer)]
    return max(1, score - (len(set(sentences)) < len(sentences)))


def _understandability(instruction: str, answer: str) -> int:
    words = _WORD.findall(answer)
    sentences = max(1, len(_sentences(answer)))
    mean = len(words) / sentences
    score = next((4 - i for i, limit in enumerate(SENTENCE_WORDS) if mean <= limit), 1)
    known = set(_WORD.findall(instruction))
    short = [w for w in words if _ABBREVIATION.fullmatch(w) and w not in known]
    return max(1, score - (len(short) > ABBREVIATIONS * len(words)))


def _consistency(instruction: str, answer: str) -> int:
    if _contradicts_itself(answer):
        return 1
    if _script(answer) != _script(instruction):
        return 2
    return 4 if answer.rstrip().endswith(_END) or len(_WORD.findall(answer)) <= 6 else 3


def _contradicts_itself(answer: str) -> bool:
    """Whether a sentence denies what the others state, or states what they deny."""
    sentences = _sentences(answer)
    for number, sentence in enumerate(sentences):
        rest = " ".join(sentences[:number] + sentences[number + 1 :])
        found = check_grounding(sentence, rest) if rest else None
        if found and any(issue.kind == "negation" for issue in found.contradictions):
            return True
    return False


def _sentences(text: str) -> list[str]:
    return [" ".join(text[a:b].split()) for a, b in split_sentences(text) if text[a:b].strip()]


def _script(text: str) -> str:
    letters = sum(character.isalpha() for character in text)
    for name, pattern in _SCRIPTS:
        if letters and len(pattern.findall(text)) > 0.2 * letters:
            return name
    return "latin"
