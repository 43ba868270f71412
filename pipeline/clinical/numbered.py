"""Numbered bones in a sentence: *fifth and sixth ribs*, *ribs 4-7*, *T8-T9*.

Such numbers mean nothing alone (*fifth image*), so that they are read as one word with the bone.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from pipeline.clinical.lexicon import Site

ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth",
)  # fmt: skip
_ORDINAL = rf"(?:\d{{1,2}}(?:st|nd|rd|th)|{'|'.join(ORDINALS)})"
_LISTED = r"(?:\s?,\s?(?:and\s)?|\s(?:and|or|to|through|thru)\s|\s?[-–/&]\s?)"
_ADJECTIVE = (
    r"(?:\s(?:left|right|anterior|posterior|lateral|medial|anterolateral|posterolateral)){0,2}"
)
_TO = r"\s?(?:[-–/]|through|thru|to)\s?"
NUMBERED = (
    rf"{_ORDINAL}(?:{_LISTED}{_ORDINAL}){{0,5}}(?={_ADJECTIVE}\s(?:ribs?|costochondral)\b)"
    rf"|ribs?\s\d{{1,2}}(?:{_LISTED}\d{{1,2}}){{0,5}}(?!\d|\.\d|\s?[cm]m\b)"
    rf"|[ctl]\d{{1,2}}{_TO}[ctls]?\d{{1,2}}(?!\d|\.\d|\s?[cm]m\b)"
)
"""One numbered bone, or several, in lower-case text; every repetition has a bound."""

_RIBS = re.compile(rf"(ribs?\s)?((?:{_ORDINAL}|\d{{1,2}}|{_LISTED})+)")
_BONES = frozenset({"rib", "ribs", "costochondral"})
_NUMBER = re.compile(rf"\d{{1,2}}|{'|'.join(ORDINALS)}")
_RANGE = re.compile(r"\s(?:to|through|thru)\s|[-–]")
_VERTEBRAE = re.compile(rf"([ctl])(\d{{1,2}}){_TO}([ctls]?)(\d{{1,2}})")
_SPINES = MappingProxyType({"c": "cervical spine", "t": "thoracic spine", "l": "lumbar spine"})


def read_numbered(tokens: list[str], index: int) -> Site | None:
    """The site that token ``index`` names, a word of the pattern `NUMBERED`; None for others."""
    token = tokens[index]
    if (vertebrae := _VERTEBRAE.fullmatch(token)) is not None:
        part, first, other, last = vertebrae.groups()
        region = "thoracolumbar spine" if part == "t" and other == "l" else _SPINES[part]
        name = f"{part}{first}-{other or part}{last} vertebra"
        return Site(name=name, side="", region=region, group="bone", noun=True)
    ribs = _RIBS.fullmatch(token)
    if ribs is None or not (ribs[1] or any(t in _BONES for t in tokens[index + 1 : index + 4])):
        return None
    numbers = [_value(n) for n in _NUMBER.findall(ribs[2])]
    inside = all(1 <= n <= 12 for n in numbers)
    if not numbers or not inside:
        return None
    names = [f"{n}{_ending(n)}" for n in numbers]
    run = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if len(names) > 1 and (_RANGE.search(ribs[2]) or (run and len(names) > 2)):
        name = f"{names[0]} to {names[-1]}"
    else:
        name = " and ".join(names)
    return Site(name=f"{name} rib", side="", region="rib", group="bone", noun=bool(ribs[1]))


def _value(text: str) -> int:
    return int(text) if text.isdigit() else ORDINALS.index(text) + 1


def _ending(number: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(number, "th")
