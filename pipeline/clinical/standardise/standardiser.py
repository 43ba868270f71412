"""The order of the rules: shapes, names, attributes, special findings, merging, contradictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from pipeline.clinical.keyinfo import CATEGORIES, ENTITY, NEGATED, OPACITY, UNCERTAIN
from pipeline.clinical.standardise.attributes import AttributeReader, Reading
from pipeline.clinical.standardise.changes import Change, Conflict, Standardised
from pipeline.clinical.standardise.conflicts import resolve
from pipeline.clinical.standardise.draft import Draft
from pipeline.clinical.standardise.instances import as_instances, with_part
from pipeline.clinical.standardise.kinds import Kinds
from pipeline.clinical.standardise.lungs import lung_statements
from pipeline.clinical.standardise.names import NameReader
from pipeline.clinical.standardise.peel import Part
from pipeline.clinical.standardise.shapes import category_key, raw_findings
from pipeline.clinical.standardise.values import MAX_DEPTH, Values
from pipeline.clinical.standardise.words import load_words

VOCABULARY_KEY: Final = "_vocabulary"
"""A record may bring terms with their kinds under this key; it is not part of the result."""

_PASSES: Final = 6
_LISTS: Final = frozenset(("names", "list", "items", "findings", "entities"))


class Standardiser:
    """Standardises records with one vocabulary; keep it for a whole data set.

    Args:
        vocabulary: terms with the kinds they may be (``location``, ``level``, ``type``,
            ``entity``). It decides before the packaged lexicon. A term with an empty list is
            refused as an attribute. It is only looked up, so its size does not matter.
    """

    def __init__(self, vocabulary: Mapping[str, Sequence[str]] | None = None) -> None:
        self._words = load_words()
        self._kinds = Kinds(self._words, vocabulary)
        self._names = NameReader(self._words, self._kinds)
        self._attributes = AttributeReader(self._words, self._kinds)

    def standardise(self, record: Any) -> Standardised:
        """The standard form of ``record``, any JSON value; nothing is raised.

        A rule may make room for another one, so passes are repeated until nothing changes: the
        result is a record that stays as it is.
        """
        if isinstance(record, list) and len(record) == 1:
            record = record[0]
        if not isinstance(record, dict):
            change = Change("not_a_record", "", before=type(record).__name__)
            return Standardised(Draft().as_record({}), (change,))
        changes: list[Change] = []
        conflicts: dict[Conflict, None] = {}
        for _ in range(_PASSES):
            draft, found = self._pass(record)
            kept = {key: item for key, item in record.items() if _is_kept(key)}
            standard = draft.as_record(kept)
            changes.extend(draft.changes)
            conflicts.update(dict.fromkeys(found))
            if standard == record:
                break
            record = standard
        return Standardised(standard, tuple(changes), tuple(conflicts))

    def _pass(self, record: dict[str, Any]) -> tuple[Draft, list[Conflict]]:
        draft = Draft()
        for key, value in record.items():
            category = category_key(key)
            if category in CATEGORIES:
                if not isinstance(value, list if category == NEGATED else dict):
                    draft.changes.append(Change("shape", category, before=value))
                elif key != category:
                    draft.changes.append(Change("category_key", category, before=key))
                self._read_category(draft, category, value)
        draft.merge()
        return draft, resolve(draft, self._kinds)

    def _read_category(self, draft: Draft, category: str, value: Any, depth: int = 0) -> None:
        if category == OPACITY:
            value = self._read_lungs(draft, value)
            category = ENTITY
        for name, item in raw_findings(value, self._kinds):
            inner = category_key(name)
            if depth < MAX_DEPTH and inner in CATEGORIES and isinstance(item, dict | list):
                draft.changes.append(Change("category_lifted", category, inner))
                self._read_category(draft, inner, item, depth + 1)
            elif category == NEGATED:
                self._read_denied(draft, name, item)
            else:
                self._read_finding(draft, category, name, item)

    def _read_lungs(self, draft: Draft, value: Any) -> dict[str, Any]:
        """Put what is said about clear and opaque lungs; give back findings that slipped in."""
        others: dict[str, Any] = {}
        for statement in lung_statements(value, self._kinds, self._names):
            if statement.state:
                reading = self._attributes.read(statement.value)
                if reading.status == "denied":
                    draft.changes.append(Change("denied", OPACITY, statement.name))
                    continue
                sets = [with_part(one, statement.part) for one in reading.sets]
                draft.put(OPACITY, statement.state, sets)
                self._note(draft, OPACITY, statement.name, statement.part, statement.value, sets)
            elif statement.is_finding:
                draft.changes.append(Change("moved_to_entity", OPACITY, statement.name))
                others[statement.name] = statement.value
            else:
                draft.changes.append(Change("dropped", OPACITY, statement.name))
        return others

    def _read_denied(self, draft: Draft, name: str, item: Any) -> None:
        if isinstance(item, list) and name in _LISTS:
            for inner, value in raw_findings(item, self._kinds):
                self._read_denied(draft, inner, value)
            return
        reading = self._names.read(name)
        if not reading.parts:
            draft.changes.append(Change(reading.dropped, NEGATED, name))
        for part in reading.parts:
            if self._kinds.slots(part.name) and self._kinds.identity(part.name) is None:
                draft.changes.append(Change("bare_attribute", NEGATED, name))
                continue
            draft.put(NEGATED, part.name, [])
            if part.name != name:
                rule = part.rules[0] if part.rules else "spelling"
                draft.changes.append(Change(rule, NEGATED, name, "", name, part.name))

    def _read_finding(
        self, draft: Draft, category: str, name: str, item: Any, depth: int = 0
    ) -> None:
        named = self._names.read(name)
        if not named.parts:
            draft.changes.append(Change(named.dropped, category, name))
            return
        reading = self._attributes.read(item) if item else Reading([{}])
        if item is False:
            reading.status = "denied"
        for key, value in reading.dropped:
            draft.changes.append(Change("unknown_key", category, name, key, before=value))
        place: list[Values] = [{}]
        for part in named.parts:
            if self._kinds.is_device(part.name):
                draft.changes.append(Change("device_dropped", category, name))
                continue
            if part.follows:
                sets = [
                    {"location": one["location"]} if one.get("location") else {} for one in place
                ]
            else:
                sets = place = [with_part(one, part) for one in reading.sets]
            target = _target(category, part.status, reading.status)
            for one in sets:
                self._put_special(draft, target, part.name, one)
            self._note(draft, category, name, part, item, sets)
            if target != category:
                draft.changes.append(Change(target, category, name, "", category, target))
        for lifted, value in reading.lifted if depth < MAX_DEPTH else ():
            draft.changes.append(Change("finding_lifted", category, name, lifted))
            self._read_finding(draft, category, lifted, value, depth + 1)

    def _put_special(self, draft: Draft, category: str, name: str, values: Values) -> None:
        """Put one instance, under another name where an attribute belongs to the name."""
        if name in self._words.special_names:
            for slot, said in list(values.items()):
                for word in said if said else ():
                    new_name = self._words.special.get((name, slot, word))
                    if new_name is None:
                        continue
                    values = {**values, slot: [one for one in values[slot] if one != word]}
                    draft.changes.append(Change("special", category, name, slot, word, new_name))
                    name = new_name
                if self._words.special.get((name, slot, "*")) is not None and values.get(slot):
                    draft.changes.append(Change("special", category, name, slot, said))
                    values = {**values, slot: []}
        draft.put(category, name, [values])

    def _note(
        self, draft: Draft, category: str, name: str, part: Part, item: Any, sets: list[Values]
    ) -> None:
        """Record what became of a name and its attributes."""
        for rule in part.rules:
            draft.changes.append(Change(rule, category, name, "", name, part.name))
        if not part.rules and part.name != name:
            draft.changes.append(Change("spelling", category, name, "", name, part.name))
        after = as_instances(sets)
        if item != after:
            draft.changes.append(Change("attributes", category, name, "", item, after))


def _is_kept(key: str) -> bool:
    return key != VOCABULARY_KEY and category_key(key) not in CATEGORIES


def _target(category: str, named: str, given: str) -> str:
    """The category of a finding whose name or attributes say how sure it is."""
    if "denied" in (named, given):
        return NEGATED
    if "hedged" in (named, given) and category == ENTITY:
        return UNCERTAIN
    return category


@cache
def _packaged() -> Standardiser:
    return Standardiser()


def standardise(
    record: dict[str, Any], vocabulary: Mapping[str, Sequence[str]] | None = None
) -> Standardised:
    """The standard form of a record with what was changed; any JSON value is taken.

    Args:
        record: KeyInfo as a model or a file gives it. Keys that are no category (``study_id``,
            ``view``, ...) pass through.
        vocabulary: terms with the kinds they may be, see :class:`Standardiser`, which is the
            better choice for many records with one vocabulary.
    """
    if vocabulary is None and isinstance(record, dict):
        own = record.get(VOCABULARY_KEY)
        vocabulary = own if isinstance(own, dict) else None
    if not vocabulary:
        return _packaged().standardise(record)
    return Standardiser(vocabulary).standardise(record)
