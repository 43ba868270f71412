"""Which side has more of a finding that is on both: *left greater than right*, 右侧为著.

Both sides are named then, so that a swap shows in their weights alone.
"""

from __future__ import annotations

import re

_MORE_THAN = re.compile(
    r"\b(left|right)\b[^.;]{0,20}?\b(?:greater|more|worse|larger|bigger)\b(?: \w+){0,2} than\b",
    re.IGNORECASE,
)
_MORE_ON = re.compile(
    r"\b(?:greater|more|worse|larger|predominantly|especially|particularly)\b(?: \w+){0,3} "
    r"on the (left|right)\b",
    re.IGNORECASE,
)
_RANKS = {
    "trace": 1, "tiny": 1, "minimal": 1, "small": 2, "mild": 2, "slight": 2, "moderate": 5,
    "large": 7, "marked": 7, "severe": 8,
}  # fmt: skip
_DEGREE_OF_SIDE = re.compile(
    rf"\b({'|'.join(_RANKS)})\b(?:-sized)? (?:(?:on|in|at) the )?(left|right)\b", re.IGNORECASE
)
_HAN_MORE = re.compile(
    r"([左右])[^，。；、]{0,8}?(?:为著|为甚|为多|为重|较多|较重|较著|较明显|更多|更重|更明显|明显"
    r"|较大|多于|大于|重于|甚于|显著)"
)
_HAN_RANKS = {
    "微量": 1, "极少量": 1, "少量": 2, "少许": 2, "轻度": 2, "轻微": 1, "中量": 5, "中等量": 5,
    "中度": 5, "大量": 7, "重度": 8, "严重": 8,
}  # fmt: skip
_HAN_DEGREE = re.compile(rf"([左右])[侧肺]?[^，。；左右]{{0,3}}?({'|'.join(_HAN_RANKS)})")
_SIDES = {"左": "left", "右": "right"}


def heavier_side(english: str) -> str:
    """``left`` or ``right`` where an English text weighs the sides; "" where it does not."""
    match = _MORE_THAN.search(english) or _MORE_ON.search(english)
    if match is not None:
        return match[1].lower()
    weights = {m[2].lower(): _RANKS[m[1].lower()] for m in _DEGREE_OF_SIDE.finditer(english)}
    return _heavier(weights)


def heavier_side_chinese(text: str) -> str:
    """The same for simplified Chinese."""
    weights = {_SIDES[m[1]]: _HAN_RANKS[m[2]] for m in _HAN_DEGREE.finditer(text)}
    if side := _heavier(weights):
        return side
    match = _HAN_MORE.search(text)
    return _SIDES[match[1]] if match is not None else ""


def _heavier(weights: dict[str, int]) -> str:
    if len(weights) < len(_SIDES) or weights["left"] == weights["right"]:
        return ""
    return max(weights, key=lambda side: weights[side])
