"""Reads what a judge answers: a score of 1 to 4, or the better of two, for each criterion.

Judges are asked for one JSON object; some write a list of lines instead. A reply that leaves out a
criterion, goes off the scale, is cut short or says two different things is not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.clinical.reply_clean import answer_part, is_refusal
from pipeline.clinical.reply_repair import read_object

CRITERIA = ("accuracy", "conciseness", "understandability", "consistency")
"""What answers are judged on."""

OVERALL = "overall"
"""The verdict on two answers as a whole."""

SCALE = (1, 2, 3, 4)
"""Scores, the worst first; four of them, so that there is no middle to hide in."""

_ENDINGS: Mapping[str, str] = {
    "content_filter": "content_filter",
    "length": "length",
    "max_tokens": "length",
}
_MOST_STARTS = 50
_SCORE = re.compile(r"([1-9]\d*)(?:\.0+)?(?:\s*(?:/|out of)\s*4)?")
_VERDICT = re.compile(
    r"(?:answer\s*)?(?P<number>[12])(?:\s+is\s+better)?|(?P<tie>tie|tied|equal|both|same|draw)"
)
_VALUE = r"\W{0,6}(?:[:=]|\bis\b)\W{0,4}([^\n,;|]{1,20})"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge's reply says.

    Attributes:
        status: ``ok``, ``repaired`` (syntax mended, or lines instead of JSON) or ``none``.
        values: criterion -> score or verdict; empty exactly when ``status`` is ``none``.
        reason: why it cannot be read: ``length``, ``content_filter``, ``refusal``, ``empty``,
            ``no_json``, ``ambiguous``, ``missing_criterion`` or ``off_scale``.
        detail: the criterion that is wrong; never text of the reply.
    """

    status: Literal["ok", "repaired", "none"]
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""


def read_scores(text: str, criteria: Sequence[str], finish_reason: str = "stop") -> Judged:
    """The score of each criterion, 1 to 4. Any text gives a result, nothing is raised."""
    return _read(text, criteria, finish_reason, _score)


def read_verdicts(text: str, criteria: Sequence[str], finish_reason: str = "stop") -> Judged:
    """For each criterion ``1``, ``2`` or ``tie``. Any text gives a result, nothing is raised."""
    return _read(text, criteria, finish_reason, _verdict)


def _read(
    text: str, criteria: Sequence[str], finish_reason: str, value_of: Callable[[Any], Any]
) -> Judged:
    ending = _ENDINGS.get(finish_reason.lower())
    if ending is not None:
        return Judged("none", reason=ending)
    answer, _ = answer_part(text.replace("\ufeff", ""))
    if not answer.strip():
        return Judged("none", reason="empty")
    found, status = _candidates(answer, criteria)
    if not found:
        return Judged("none", reason="refusal" if is_refusal(answer) else "no_json")
    readings = [{name: value_of(each.get(name)) for name in criteria} for each in found]
    if any(reading != readings[0] for reading in readings[1:]):
        return Judged("none", reason="ambiguous", detail=f"{len(readings)} answers")
    for name in criteria:
        if readings[0][name] is None:
            reason = "off_scale" if name in found[0] else "missing_criterion"
            return Judged("none", reason=reason, detail=name)
    return Judged(status, readings[0])


def _candidates(
    text: str, criteria: Sequence[str]
) -> tuple[list[dict[str, Any]], Literal["ok", "repaired"]]:
    strict = [found for value in _strict(text) if (found := _named(value, criteria))]
    if strict:
        return strict, "ok"
    mended = [found for value in _mended(text) if (found := _named(value, criteria))]
    if mended:
        return mended, "repaired"
    lines = _lines(text, criteria)
    return ([lines] if lines else []), "repaired"


def _strict(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    position = text.find("{")
    for _ in range(_MOST_STARTS):
        if position < 0:
            return
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield value
        position = text.find("{", end)


def _mended(text: str) -> Iterator[Any]:
    position = text.find("{")
    for _ in range(_MOST_STARTS):
        if position < 0:
            return
        reading = read_object(text, position)
        if not reading.too_deep and reading.closed and not reading.lost and not reading.open_levels:
            yield reading.value
        position = text.find("{", max(reading.end, position + 1))


def _named(value: Any, criteria: Sequence[str]) -> dict[str, Any] | None:
    """The object that names a criterion, also inside one wrapper such as ``{"scores": {...}}``."""
    if not isinstance(value, dict):
        return None
    for holder in (value, *value.values()):
        if isinstance(holder, dict):
            lowered = {str(name).strip().lower(): item for name, item in holder.items()}
            if any(name in lowered for name in criteria):
                return lowered
    return None


def _lines(text: str, criteria: Sequence[str]) -> dict[str, Any] | None:
    """Values that stand as ``Accuracy: 3`` in plain text; None where a criterion stands twice."""
    found = {}
    for name in criteria:
        values = re.findall(rf"\b{name}\b{_VALUE}", text, re.I)
        if len(values) == 1:
            found[name] = values[0].strip(" *_`\"'.")
    return found or None


def _score(value: Any) -> int | None:
    if isinstance(value, dict):
        value = value.get("score")
    if isinstance(value, bool):
        return None
    match = _SCORE.fullmatch(str(value).strip())
    score = int(match[1]) if match else 0
    return score if score in SCALE else None


def _verdict(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    match = _VERDICT.fullmatch(str(value).strip().lower())
    if match is None:
        return None
    return match["number"] or "tie"
