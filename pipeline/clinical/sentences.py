"""Sentences and words of a report, with their places in the text.

Works for texts with and without blanks between words: a CJK character is a word of its own.
Both functions take time linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BREAK = re.compile(
    r"""
      (?<![\s.]vs)(?<!\bdr)(?<!\bmr)(?<!\bms)(?<!\bmrs)(?<!\bapprox)(?<!\be\.g)(?<!\bi\.e)
      [.!?]+ (?= \s | $ | [A-Z"'\])&] )     # a full stop, also one without a blank behind it
    | [;。！？；]
    | \n [ \t]* (?: \n | (?= [-*•] | \d{1,2}[.)] \s | [A-Z][A-Z /&,-]{2,40}: ) )
    | \s (?= \d{1,2} [.)] \s+ [A-Z] )       # the next entry of a numbered list
    """,
    re.VERBOSE | re.IGNORECASE,
)
_UPPER_AFTER_STOP = re.compile(r"[A-Z\s\"'\])&]|$")
_WORD = re.compile(r"[㐀-鿿]|[^\W_㐀-鿿]+(?:\.\d+)?|[,:()/，、：（）]")


def split_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, in order; numbered lists and wrapped lines are understood."""
    start = 0
    for match in _BREAK.finditer(text):
        cut = match.end()
        if text[cut - 1] in ".!?" and not _UPPER_AFTER_STOP.match(text, cut):
            continue
        if cut > start:
            yield start, cut
        start = cut
    if start < len(text):
        yield start, len(text)


def words(lowered: str) -> tuple[list[str], list[int]]:
    """The words and marks of a lower-case sentence and where each starts."""
    found: list[str] = []
    starts: list[int] = []
    for match in _WORD.finditer(lowered):
        found.append(match.group())
        starts.append(match.start())
    return found, starts


def lower(text: str) -> str:
    """Lower case without any change of length, so that places in the text stay valid."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)
