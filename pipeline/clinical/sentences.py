"""Sentences and words of a report, with their places in the text.

Works for texts with and without blanks between words: a CJK character is a word of its own.
Both functions take time linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pipeline.clinical.measures import MEASURE
from pipeline.clinical.numbered import NUMBERED

_BREAK = re.compile(
    r"""
      (?<![.!?]) [.!?]++ (?= \s | $ | [A-Z"'\])&] )  # a full stop, even without a blank
    | [;。！？；]
    | \n [ \t]* (?: \n | (?= [-*•] | \d{1,2}[.)]\s | [A-Z][A-Za-z /&,-]{2,40}: ) )
    | \s (?= \d{1,2} [.)] \s+ [A-Z] )       # the next entry of a numbered list
    """,
    re.VERBOSE,
)
_ABBREVIATIONS = (" vs", " dr", " mr", " ms", " mrs", " approx", "e.g", "i.e")
_WORD = re.compile(r"[㐀-鿿]|[^\W_㐀-鿿]+(?:\.\d+)?|[,:()/，、：（）]")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?|[,:()/]")  # the same, in half the time
_WORD_OR_NUMBERS = re.compile(rf"(?<![^\W\u3400-\u9fff])(?:{MEASURE}|{NUMBERED})|{_WORD.pattern}")
_DIGIT = re.compile(r"\d")


def split_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, in order; numbered lists and wrapped lines are understood."""
    start = 0
    for match in _BREAK.finditer(text):
        at = match.start()
        if text[at] == "." and text[max(0, at - 7) : at].lower().endswith(_ABBREVIATIONS):
            continue
        yield start, match.end()
        start = match.end()
    if start < len(text):
        yield start, len(text)


@lru_cache(maxsize=64)  # a text is split by several checks in turn
def sentence_spans(text: str) -> tuple[tuple[int, int], ...]:
    """What `split_sentences` gives, kept for a while."""
    return tuple(split_sentences(text))


def words(lowered: str) -> list[str]:
    """The words and marks of a lower-case sentence, in order.

    A measure (*8 mm*) and the numbers of ribs and vertebrae (*fifth and sixth*) are one word.
    """
    numbers = "rib" in lowered or "costoch" in lowered or _DIGIT.search(lowered) is not None
    if numbers:
        return _WORD_OR_NUMBERS.findall(lowered)
    return (_ASCII_WORD if lowered.isascii() else _WORD).findall(lowered)


def word_starts(lowered: str, found: list[str]) -> list[int]:
    """Where each of the `words` that were ``found`` starts."""
    starts: list[int] = []
    at = 0
    for word in found:  # only what is no word stands between two words: the first place is it
        at = lowered.index(word, at)
        starts.append(at)
        at += len(word)
    return starts


def lower(text: str) -> str:
    """Lower case without any change of length, so that places in the text stay valid."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)
