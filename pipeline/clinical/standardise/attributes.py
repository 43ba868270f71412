"""Reads what a model wrote as the attributes of a finding, in whatever shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from pipeline.clinical.keyinfo import ATTRIBUTES
from pipeline.clinical.standardise.caches import MAX_LENGTH, remember
from pipeline.clinical.standardise.kinds import Kinds
from pipeline.clinical.standardise.peel import EDGES
from pipeline.clinical.standardise.values import (
    IGNORED_KEYS,
    KEYS,
    MAX_DEPTH,
    MAX_VALUES,
    NAME_KEYS,
    STATUS_KEYS,
    Values,
    beside_location,
    clean_value,
    colon_pairs,
    joined_place,
    key_of,
    parallel_lists,
    texts,
)
from pipeline.clinical.standardise.words import Words

_CACHE: Final = 1 << 15
_SPLIT = re.compile(r"\s*[,;\n]\s*(?:and\s+)?(?![^()]*\))")
_SPLIT_LONG = re.compile(r"\s*[,;\n]\s*")


@dataclass(slots=True)
class Reading:
    """Instances of a finding, findings that were hidden inside it, and what its status is."""

    sets: list[Values] = field(default_factory=list)
    lifted: list[tuple[str, Any]] = field(default_factory=list)
    status: str = ""
    dropped: list[tuple[str, Any]] = field(default_factory=list)


class AttributeReader:
    """Reads attribute values of any JSON shape."""

    def __init__(self, words: Words, kinds: Kinds) -> None:
        self._words = words
        self._kinds = kinds
        self.values_of = remember(self._values_of)
        self._read_plain = lru_cache(_CACHE)(self._read_object)

    def read(self, value: Any) -> Reading:
        """The attributes of a finding whose value is ``value``."""
        if (
            type(value) is dict
            and len(value) == len(ATTRIBUTES)
            and all(
                item is None or (type(item) is str and len(item) <= MAX_LENGTH)
                for item in value.values()
            )
        ):
            return self._read_plain(tuple(value.items()))
        reading = Reading()
        if isinstance(value, dict):
            reading.sets = self._from_object(value, reading, 0)
        elif isinstance(value, list):
            reading.sets = self._from_list(value, reading)
        elif isinstance(value, str):
            reading.sets = self._from_text(value, reading)
        elif value is False:
            reading.status = "denied"
        if not reading.sets:
            reading.sets = [{}]
        return reading

    def _read_object(self, items: tuple[tuple[str, Any], ...]) -> Reading:
        """An object of texts, the usual case; what is returned is remembered, so never changed."""
        reading = Reading()
        reading.sets = self._from_object(dict(items), reading, 0) or [{}]
        return reading

    def _from_list(self, items: list[Any], reading: Reading) -> list[Values]:
        """A list of instances, or of values that say where."""
        sets: list[Values] = []
        loose: Values = {}
        for item in items:
            if isinstance(item, dict):
                sets.extend(self._from_object(item, reading, 1))
            else:
                for text in texts(item, 0):
                    self._add(loose, "location", text, reading)
        if not loose:
            return sets
        if not sets:
            return [loose]
        for one in sets:
            for slot, values in loose.items():
                one.setdefault(slot, values)
        return sets

    def _from_text(self, text: str, reading: Reading) -> list[Values]:
        cleaned = clean_value(text)
        if self._is_status(cleaned, reading):
            return []
        pairs = colon_pairs(cleaned)
        if pairs is not None:
            return self._from_object(pairs, reading, 1)
        values: Values = {}
        self._add(values, "location" if self._place_like(cleaned) else "type", text, reading)
        return [values]

    def _place_like(self, text: str) -> bool:
        """Whether a bare text is read as a place: one of its words is, or nothing is known."""
        return any("location" in self._kinds.slots(word) for word in text.split()[:20])

    def _from_object(self, value: dict[str, Any], reading: Reading, depth: int) -> list[Values]:
        """Instances of an attribute object: one, unless places in it have their own attributes."""
        shared: Values = {}
        places: list[tuple[str, Any]] = []
        for raw, item in value.items():
            key = raw if raw in ATTRIBUTES else key_of(raw)
            slot = KEYS.get(key)
            if slot is not None:
                place_of = self._by_place(slot, item)
                if place_of is not None:
                    places.extend(place_of)
                else:
                    self._add_any(shared, slot, item, reading)
            elif key in STATUS_KEYS:
                self._status_from(key, item, reading)
            elif key in NAME_KEYS or key in IGNORED_KEYS or (item is None and not key):
                reading.dropped.append((raw, item))
            else:
                self._other_key(raw, item, shared, places, reading)
        if depth > MAX_DEPTH:
            return [shared]
        parallel = parallel_lists(value, self._kinds)
        if parallel is not None and not places:
            return [self._flat(one, reading) for one in parallel]
        if not places:
            return [shared]
        return self._instances(places, shared, reading, depth)

    def _flat(self, one: dict[str, Any], reading: Reading) -> Values:
        values: Values = {}
        for slot, item in one.items():
            self._add_any(values, slot, item, reading)
        return values

    def _by_place(self, slot: str, item: Any) -> list[tuple[str, Any]] | None:
        """An attribute given as an object whose keys are places, each with its own value."""
        if isinstance(item, str):
            item = colon_pairs(item.lower())
        if isinstance(item, list) and item and all(isinstance(one, dict) for one in item):
            return self._by_place_list(item)
        if not isinstance(item, dict) or not item:
            return None
        if any(key_of(key) in KEYS for key in item):
            return None
        entries = [(key, entry) for key, entry in item.items() if key_of(key) not in IGNORED_KEYS]
        if slot == "location":
            return entries
        if len(entries) < 2 or not all(self._place_like(clean_value(key)) for key, _ in entries):
            return None
        return [
            (key, entry if isinstance(entry, dict) else {slot: entry}) for key, entry in entries
        ]

    def _by_place_list(self, items: list[dict[str, Any]]) -> list[tuple[str, Any]] | None:
        """Objects that each name one place: ``[{"left": "small"}, {"right": "large"}]``."""
        places: list[tuple[str, Any]] = []
        for item in items:
            named = [key for key in item if KEYS.get(key_of(key)) == "location"]
            if named and isinstance(item[named[0]], str):
                rest = {key: entry for key, entry in item.items() if key != named[0]}
                places.append((item[named[0]], rest))
            elif not any(key_of(key) in KEYS for key in item):
                places.extend(item.items())
            else:
                return None
        return places

    def _other_key(
        self,
        raw: str,
        item: Any,
        shared: Values,
        places: list[tuple[str, Any]],
        reading: Reading,
    ) -> None:
        """A key that is no attribute: a value itself, or a finding that slipped inside."""
        word = clean_value(raw)
        slots = self._kinds.slots(word)
        if not slots and self._kinds.identity(word) is not None:
            reading.lifted.append((raw, item))
        elif not slots and (segments := self._kinds.segments(word)) and item not in (None, False):
            slots = (segments[0][0],)
        if not slots:
            if not reading.lifted or reading.lifted[-1][0] != raw:
                reading.dropped.append((raw, item))
        elif slots[0] == "location":
            places.append((raw, item))
        elif item is not False:
            self._add(shared, slots[0], raw, reading)

    def _instances(
        self, places: list[tuple[str, Any]], shared: Values, reading: Reading, depth: int
    ) -> list[Values]:
        sets: list[Values] = []
        for place, item in places:
            if item is False:
                continue
            own = self._at_place(item, reading, depth)
            for one in own:
                where: Values = {}
                self._add(where, "location", place, reading)
                one["location"] = joined_place(where.get("location", []), one.get("location", []))
                for slot, values in shared.items():
                    if slot not in one:
                        one[slot] = list(values)
                sets.append(one)
        if len(sets) > 1 and all(beside_location(one) == beside_location(sets[0]) for one in sets):
            merged = dict(sets[0])
            merged["location"] = [place for one in sets for place in one["location"]]
            return [merged]
        return sets

    def _at_place(self, item: Any, reading: Reading, depth: int) -> list[Values]:
        if isinstance(item, dict):
            return self._from_object(item, reading, depth + 1) or [{}]
        values: Values = {}
        for text in texts(item, 0):
            if clean_value(text) not in ("true", "present", "yes"):
                self._add(values, "location", text, reading)
        return [values]

    def _add_any(self, values: Values, slot: str, item: Any, reading: Reading) -> None:
        if isinstance(item, dict):
            for raw, entry in item.items():
                key = key_of(raw)
                inner = KEYS.get(key)
                if key in IGNORED_KEYS or entry is False:
                    continue
                said = list(texts(entry, 0))
                if inner is None or inner != slot:
                    known = self._kinds.slots(clean_value(raw))
                    if inner is not None:
                        self._add_texts(values, inner, said, reading)
                        continue
                    if not known and said and not isinstance(entry, bool):
                        said = [f"{raw} {text}" for text in said]
                    else:
                        said = [raw, *said]
                self._add_texts(values, slot, said, reading)
            return
        if isinstance(item, str) and ":" in item:
            pairs = colon_pairs(item)
            if pairs is not None and all(key_of(key) in KEYS for key in pairs):
                for key, said in pairs.items():
                    self._add(values, KEYS[key_of(key)], said, reading)
                return
        self._add_texts(values, slot, texts(item, 0), reading)

    def _add_texts(
        self, values: Values, slot: str, said: list[str] | Iterator[str], reading: Reading
    ) -> None:
        for text in said:
            self._add(values, slot, text, reading)

    def _add(self, values: Values, slot: str, text: str, reading: Reading) -> None:
        """Put the values in ``text`` where they belong, each once."""
        for where, value in self.values_of(slot, text):
            if where == "status":
                self._is_status(value, reading)
                continue
            slot_values = values.setdefault(where, [])
            if len(slot_values) >= MAX_VALUES:
                reading.dropped.append((where, value))
            elif value not in slot_values:
                slot_values.append(value)

    def _status_from(self, key: str, item: Any, reading: Reading) -> None:
        positive_key = key in ("status", "presence", "present", "existence", "assertion", "certain")
        if isinstance(item, bool):
            if key in ("negated", "negation"):
                reading.status = "denied" if item else reading.status
            elif key in ("uncertain", "uncertainty"):
                reading.status = "hedged" if item else reading.status
            elif positive_key and key != "certain" and not item:
                reading.status = "denied"
            return
        for text in texts(item, 0):
            self._is_status(clean_value(text), reading)

    def _is_status(self, text: str, reading: Reading) -> bool:
        if self._words.has("hedge", text):
            reading.status = reading.status or "hedged"
        elif self._words.has("absent", text):
            reading.status = "denied"
        else:
            return self._words.has("present", text)
        return True

    def _values_of(self, slot: str, text: str) -> tuple[tuple[str, str], ...]:
        """The single values in a text with the attribute each belongs to."""
        found: list[tuple[str, str]] = []
        split = _SPLIT if len(text) <= MAX_LENGTH else _SPLIT_LONG
        for piece in split.split(clean_value(text)):
            value = piece.strip(EDGES)
            if not value or self._words.has("null", value) or self._words.has("error", value):
                continue
            if self._words.has("hedge", value):
                found.append(("status", value))
            elif self._words.has("present", value) or self._words.has("absent", value):
                continue
            else:
                found.extend(self._placed(slot, value))
        return tuple(found)

    def _placed(self, slot: str, value: str) -> list[tuple[str, str]]:
        """``value`` in the attribute it belongs to; an unknown value stays where it was."""
        listed = self._kinds.listed(value)
        if listed is not None and not any(kind in ATTRIBUTES for kind in listed):
            return [] if not listed else [(slot, value)]
        slots = self._kinds.slots(value)
        if slots:
            return [(slot if slot in slots else slots[0], value)]
        segments = self._kinds.segments(value)
        if not segments or {where for where, _ in segments} == {slot}:
            return [(slot, value)]
        return segments
