"""Sizes and distances in a sentence: *8 mm*, *2.5 x 3 cm*, *5 cm above the carina*.

A measure is one word to the reader, so that its parts match no other wording. A size is a degree
of a finding, a distance from a landmark is a place.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = r"\d{1,4}(?:\.\d{1,2})?"
_UNIT = r"(?:mm|cm|milli-?met(?:er|re)s?|centi-?met(?:er|re)s?|毫米|厘米|公分)(?![a-z\d])"
_FURTHER = r"\s{0,3}(?:[x×*~-]|by|to)\s{0,3}"
MEASURE = (
    rf"(?:(?:less|greater|more|larger|smaller)\s{{1,3}}than\s{{1,3}}|[<>]\s?)?"
    rf"(?:{_NUMBER}(?:[\s-]?{_UNIT})?{_FURTHER}){{0,2}}{_NUMBER}[\s-]?{_UNIT}"
)
"""One measure in lower-case text; every repetition has a bound, so that time is linear."""

_IS_MEASURE = re.compile(MEASURE)
_RANGE = re.compile(rf".*{_UNIT}\s{{0,3}}to\s{{0,3}}")
_TIMES = re.compile(r"\s*(?:[x×*]|by)\s*")
_GAP = re.compile(r"(?<=\d)[\s-]*(?=[^\W\d])")
_SHORT = (
    (re.compile(r"milli-?met(?:er|re)s?|毫米"), "mm"),
    (re.compile(r"centi-?met(?:er|re)s?|厘米|公分"), "cm"),
)
_FORMER_BEFORE = frozenset({"previously", "formerly", "originally", "versus", "vs", "原", "前"})
_FORMER_BEHIND = frozenset({"previously", "formerly", "before"})
_FAR = frozenset({"距", "离"})
_DIRECTIONS = frozenset({"above", "below", "from", "beyond", "past", "into", "off"})
_DIRECTIONS_TO = frozenset(
    {
        "proximal", "distal", "superior", "inferior", "cephalad", "caudal", "cranial", "lateral",
        "medial", "anterior", "posterior", "deep", "away", "short",
    }
)  # fmt: skip
_PREPOSITIONS = frozenset({"to", "from", "of"})


class Measure(NamedTuple):
    """A measure among the words of a sentence.

    ``size`` is its text in one form (*8 mm*), "" when it speaks of an earlier image; ``direction``
    holds the words behind it that make it a distance (*above*, *proximal to*); ``end`` is the index
    behind the last word of both.
    """

    size: str
    direction: str
    end: int


def read_measure(tokens: list[str], index: int) -> Measure | None:
    """The measure that is token ``index``, or None."""
    token = tokens[index]
    if len(token) < 3 or _IS_MEASURE.fullmatch(token) is None:
        return None
    end = index + 1
    behind = tokens[end] if end < len(tokens) else ""
    before = tokens[max(0, index - 2) : index]
    if not _FORMER_BEFORE.isdisjoint(before) or behind in _FORMER_BEHIND:
        return Measure("", "", end)
    if not _FAR.isdisjoint(tokens[max(0, index - 6) : index]):
        return Measure("", "", end)
    if behind in _DIRECTIONS:
        return Measure(_size(token), behind, end + 1)
    to = tokens[end + 1] if end + 1 < len(tokens) else ""
    if behind in _DIRECTIONS_TO and to in _PREPOSITIONS:
        return Measure(_size(token), f"{behind} {to}", end + 2)
    return Measure(_size(token, grown="from" in before), "", end)


def _size(token: str, *, grown: bool = False) -> str:
    """One form for all spellings; of *from 8 mm to 12 mm* what holds now."""
    text = " ".join(token.split())
    if grown:
        text = _RANGE.sub("", text)
    for spelling, short in _SHORT:
        text = spelling.sub(short, text)
    return _GAP.sub(" ", _TIMES.sub(" x ", text))
