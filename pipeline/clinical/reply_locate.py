"""Finds the records inside a model's answer: fenced, quoted, wrapped, repeated or corrected."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.clinical.keyinfo import CATEGORIES, NEGATED
from pipeline.clinical.reply_repair import MAX_DEPTH, read_object
from pipeline.clinical.reply_text import mend_surrogates, merge_values, normal_key
from pipeline.clinical.reply_yaml import yaml_record

_NAMES = (
    r"(?:opacity[_ \\-]{1,2}vs[_ \\-]{1,2}clear|(?:uncertain[_ \\-]{1,2}|no[_ \\-]{1,2})?entity)"
)
_KEY_START = re.compile(
    rf"[\"'“‘`*]{{0,3}}\b{_NAMES}[\"'”’`*]{{0,3}}\s*[:=]\s*(?=[{{\[\"'“]|null|None)", re.I
)
_OBJECT_WITH_KEY = re.compile(rf"\{{\s*[\"'“‘`]?{_NAMES}\b", re.I)
_STRAY_CLOSERS = re.compile(r"[\s,;]*[}\]]+")
_START = re.compile(r"\{|\[(?=\s*\{)|\"(?=\s*[{\[][\s{\[]*\\+[n\"])")
_CONTINUES = re.compile(rf"[\s,;}}\]]*[\"']?{_NAMES}[\"']?\s*[:=]", re.I)
_ENTITIES = re.compile(r"&(?:quot|lbrace|lcub|#34|#x22|#123|#x7b);", re.I)
_ESCAPED = re.compile(r"[{\[,:]\s*(?:\\n)?\s*\\+\"")
_WRAPPERS: Final = 6
_MAX_OBJECTS: Final = 50
_MAX_FAILURES: Final = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A record in the answer.

    Attributes:
        value: the object that holds the categories.
        start: where its text begins.
        end: where its text ends.
        strict: it was valid JSON.
        lost: something in it was cut off.
        cut: brackets were missing at its end and nothing shows that the model meant to stop.
    """

    value: dict[str, Any]
    start: int
    end: int
    strict: bool = True
    lost: bool = False
    cut: bool = False


@dataclass(slots=True)
class _Repeats:
    """Builds objects for the strict parser and remembers whether a key was there twice."""

    seen: bool = False

    def build(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        self.seen = True
        merged: dict[str, Any] = {}
        for key, value in pairs:
            merged[key] = merge_values(merged[key], value) if key in merged else value
        return merged


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if abs(number) < float("inf") else None


class _Strict:
    """Strict JSON, with repeated keys noticed and numbers that no file can hold made null."""

    def __init__(self) -> None:
        self._repeats = _Repeats()
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._repeats.build,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )

    def value(self, text: str, start: int = 0) -> tuple[Any, int, bool] | None:
        """The value at ``start``, the position after it, whether a key was repeated; or None."""
        self._repeats.seen = False
        try:
            value, end = self._decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            return None
        return value, end, self._repeats.seen


def has_category(value: Any) -> bool:
    """Whether ``value`` is an object with at least one category of a record."""
    return isinstance(value, dict) and any(normal_key(key) in CATEGORIES for key in value)


def depth_within(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether containers are nested no deeper than ``limit``."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return True
    return False


def unwrap(value: Any, strict: _Strict) -> list[dict[str, Any]]:
    """The records inside ``value``: itself, or those in wrappers, lists and encoded strings."""
    records: list[dict[str, Any]] = []
    level = [value]
    for _ in range(_WRAPPERS):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str) and "{" in item:
                inner = strict.value(item.strip())
                below.extend([] if inner is None else [inner[0]])
            elif has_category(item):
                records.append(item)
            elif isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if records or not below:
            break
        level = below
    return records[:_MAX_OBJECTS]


def find_records(text: str, *, ended: bool) -> list[Found]:
    """Records in ``text``, in order. ``ended``: the model itself ended its turn after the text."""
    if _ENTITIES.search(text):
        return _as_repaired(find_records(html.unescape(text), ended=ended))
    finder = _Finder(text, ended)
    found = finder.find()
    if not found and _ESCAPED.search(text):
        found = _as_repaired(_Finder(_unescaped(text), ended).find())
    return found


def _as_repaired(records: list[Found]) -> list[Found]:
    return [replace(one, strict=False) for one in records]


def _unescaped(text: str) -> str:
    """Text whose quotation marks are escaped although no string surrounds them."""
    return text.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"').replace("\\\\", "\\")


class _Finder:
    """One pass over one answer."""

    def __init__(self, text: str, ended: bool) -> None:
        self.text = text
        self.ended = ended
        self.strict = _Strict()

    def find(self) -> list[Found]:
        found: list[Found] = []
        position = failures = 0
        while (start := _START.search(self.text, position)) and failures < _MAX_FAILURES:
            here, end = self.at(start.start())
            if here:
                found.extend(here)
                position = max(start.end(), end)
                continue
            # Braces in prose: look inside what was taken for an object, a few times.
            inside = _OBJECT_WITH_KEY.search(self.text, start.end(), end)
            failures += inside is not None
            position = inside.start() if inside is not None else max(start.end(), end)
        if not found and (key := _KEY_START.search(self.text)):
            found, _ = self.repaired(key.start(), implicit=True)
        if not found and (record := yaml_record(self.text)):
            found = [Found(record, 0, len(self.text), strict=False)]
        return found[:_MAX_OBJECTS]

    def at(self, start: int) -> tuple[list[Found], int]:
        """The records of the value that opens at ``start``, and where that value ends."""
        strict = self.strict.value(self.text, start)
        if strict is not None:
            value, end, repeated = strict
            if not depth_within(value):
                return [], end
            if not has_category(value) or not _CONTINUES.match(self.text, end):
                clean = not repeated and not _STRAY_CLOSERS.match(self.text, end)
                return [Found(one, start, end, clean) for one in unwrap(value, self.strict)], end
        if self.text[start] != "{":
            return [], start + 1
        return self.repaired(start, implicit=False)

    def repaired(self, start: int, *, implicit: bool) -> tuple[list[Found], int]:
        """The records of what looks like an object at ``start``."""
        reading = read_object(self.text, start, implicit=implicit)
        if reading.too_deep:
            return [], reading.end
        missing = 0 if implicit and reading.open_levels == 1 else reading.open_levels
        meant = self.ended or reading.end < len(self.text.rstrip())
        found = []
        for value in unwrap(reading.value, self.strict):
            complete = missing == 1 and value is reading.value and _is_whole(value)
            cut = missing > 0 and not meant and not complete
            found.append(Found(value, start, reading.end, False, reading.lost, cut))
        return found, reading.end


def _is_whole(value: dict[str, Any]) -> bool:
    """Whether the last category in the schema's order has been written, as a closed list."""
    keys = [normal_key(key) for key in value]
    return keys[-1] == NEGATED or all(category in keys for category in CATEGORIES)


def mend_value(value: Any) -> Any:
    """``value`` with lone surrogates replaced, so that it can be written to a file."""
    if isinstance(value, str):
        return mend_surrogates(value)
    if isinstance(value, list):
        return [mend_value(item) for item in value]
    if isinstance(value, dict):
        return {mend_value(key): mend_value(item) for key, item in value.items()}
    return value
