"""Numbers of a text in one form, so that two texts, or two languages, can be compared.

Lengths are in millimetres whatever their unit (*1.5 cm*, *15 mm*, *1.5 厘米*), percentages are
percentages, everything else is the bare number: *T8*, *5th rib*, *fifth rib*, *第五肋*, *胸8椎体*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.clinical.numbered import ORDINALS

Quantity: TypeAlias = tuple[str, float]
"""(``length``, millimetres), (``percent``, value) or (``number``, value)."""

_CARDINALS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_VALUES = {
    **{word: number for number, word in enumerate(ORDINALS, 1)},
    **{word: number for number, word in enumerate(_CARDINALS, 2)},
}
_UNIT = r"mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?|毫米|厘米|公分|釐米|㎜|㎝"
_RUN = re.compile(
    rf"(?<![\d.])(\d+(?:[.．]\d+)?)(?:\s*-?\s*({_UNIT})(?![a-z])|\s*(%|％|percent))?"
    r"(\s*(?:x|×|\*|by|to|-|–|~|～|至|到|乘|、)\s*(?=\d))?"
)
_DIGIT = re.compile(r"\d")
_RANGE = re.compile(
    r"(?<![\d.])(\d{1,2})(?:st|nd|rd|th)?\s*(?:-|–|~|～|to|through|至|到)\s*[ctl]?(\d{1,2})(?![\d.])"
)
_BONES = 12
_PERCENT_BEFORE = re.compile(r"百分之(\d+(?:\.\d+)?)")
_ORDINAL = re.compile(rf"\b(?:{'|'.join(ORDINALS)})\b")
_CARDINAL = re.compile(rf"\b(?:{'|'.join(_CARDINALS)})\b")
_HAN = "一二三四五六七八九十"
_LISTED = rf"[{_HAN}]+(?:[、，,至到-][{_HAN}]+)*"
_HAN_RUN = re.compile(
    rf"第({_LISTED})|({_LISTED})(?=\s*(?:前|后|侧|腋)?肋)|[颈胸腰]({_LISTED})(?=椎)"
)
_HAN_COUNT = re.compile(rf"([两{_HAN}]+)(?=(?:枚|个|处|根|条|支|块)(?!月))")
_HAN_NUMBER = re.compile(rf"[{_HAN}]+")
_HAN_UNIT = re.compile(rf"([两{_HAN}]+)(?:点([{_HAN}零]))?(?=\s*(?:毫米|厘米|公分|mm|cm))")
_WORD_UNIT = re.compile(rf"\b(?:{'|'.join(_CARDINALS)})(?=[\s-](?:{_UNIT})\b)")
_NO_NUMBER = re.compile(
    r"covid[\s-]?19|sars[\s-]?cov[\s-]?2"
    r"|\b(?:one|two|upper|lower|middle|mid|distal|proximal|lateral|medial|outer|inner)"
    r"[ -]thirds?\b(?! rib)"
    r"|(?<!\d)[12]/3(?!\d)|三分之[一二]|[二四]分之[一三]",
    re.IGNORECASE,
)
"""Names of viruses, and fractions: *the lower third* is 下部 as well as 下三分之一."""
_SPECIAL = ("covid", "sars", "third", "/3", "分之", "centimet", "亚厘米")
"""What the two patterns around it must hold."""

_BELOW_ONE = re.compile(r"sub-?centimet(?:er|re)|亚厘米")


@dataclass(frozen=True, slots=True)
class Quantities:
    """The numbers of a text.

    Attributes:
        said: those in digits, ordinals, and Chinese ordinals.
        counted: cardinals in words (*two nodules*, *两枚*), which a translation may leave out.
    """

    said: frozenset[Quantity]
    counted: frozenset[Quantity]

    @property
    def all(self) -> frozenset[Quantity]:
        """Both."""
        return self.said | self.counted


def quantities(text: str) -> Quantities:
    """The numbers of an English or Chinese text; of other languages those in digits."""
    said: set[Quantity] = set()
    counted: set[Quantity] = set()
    lowered = text.lower()
    if any([mark in lowered for mark in _SPECIAL]):
        lowered = _NO_NUMBER.sub(" ", lowered)
        if _BELOW_ONE.search(lowered):
            counted.add(("length", 10.0))  # 不足1厘米, or left out
    spelled = any([word in lowered for word in _VALUES])
    if spelled:
        lowered = _WORD_UNIT.sub(lambda word: str(_VALUES[word[0]]), lowered)
    if not lowered.isascii():
        lowered = _HAN_UNIT.sub(_digits, lowered)
    if _DIGIT.search(lowered):
        said.update(_in_digits(lowered))
        counted.update(_inside_ranges(lowered))
    if spelled:
        for word in _ORDINAL.findall(lowered):
            said.add(("number", float(_VALUES[word])))
        for word in _CARDINAL.findall(lowered):
            counted.add(("number", float(_VALUES[word])))
    if not lowered.isascii():
        for match in _HAN_RUN.finditer(lowered):
            run = next(filter(None, match.groups()))
            said.update(("number", float(_han(n))) for n in _HAN_NUMBER.findall(run))
        for run in _HAN_COUNT.findall(lowered):
            counted.add(("number", float(_han(run.replace("两", "二")))))
    return Quantities(frozenset(said), frozenset(counted))


def _in_digits(lowered: str) -> set[Quantity]:
    """A unit holds for all numbers of its run: *2.5 x 3 cm*, *3-4 mm*."""
    found: set[Quantity] = set()
    for value in _PERCENT_BEFORE.findall(lowered):
        found.add(("percent", float(value)))
    lowered = _PERCENT_BEFORE.sub(" ", lowered)
    waiting: list[float] = []
    for value, unit, percent, joins in _RUN.findall(lowered):
        number = float(value.replace("．", "."))
        if unit:
            factor = 10.0 if unit[0] in "c厘公釐㎝" else 1.0
            found.update(("length", round(n * factor, 3)) for n in (*waiting, number))
            waiting = []
        elif percent:
            found.update(("percent", n) for n in (*waiting, number))
            waiting = []
        else:
            waiting.append(number)
            if not joins:
                found.update(("number", n) for n in waiting)
                waiting = []
    found.update(("number", n) for n in waiting)
    return found


def _inside_ranges(lowered: str) -> set[Quantity]:
    """Bones between the ends of a range: *ribs 4-6* is also the fifth."""
    return {
        ("number", float(n))
        for first, last in _RANGE.findall(lowered)
        if int(first) < int(last) <= _BONES
        for n in range(int(first) + 1, int(last))
    }


def _digits(size: re.Match[str]) -> str:
    """*一点五* before a unit, in digits."""
    whole = str(_han(size[1].replace("两", "二")))
    if not size[2]:
        return whole
    return f"{whole}.{0 if size[2] == '零' else _HAN.index(size[2]) + 1}"


def _han(numeral: str) -> int:
    """A Chinese numeral up to 99."""
    tens, ten, units = numeral.rpartition("十")
    if not ten:
        return int("".join(str(_HAN.index(char) + 1) for char in numeral))
    return 10 * (_HAN.index(tens) + 1 if tens else 1) + (_HAN.index(units) + 1 if units else 0)
