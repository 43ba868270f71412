"""Where a model's KeyInfo and the rules' reading of the same report differ, as focused questions.

Both records are in standard form. Names are compared by what they mean: wordings of one finding
are equal, and a kind of a finding (*rib fracture*) covers the finding (*fracture*). The questions
do not say what the rules read, so that the model cannot just agree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pipeline.clinical.keyinfo import (
    ATTRIBUTES,
    ENTITY,
    NEGATED,
    OPACITY,
    UNCERTAIN,
    Instances,
    instances,
)
from pipeline.clinical.lexicon import Lexicon, load_lexicon, normalise
from pipeline.clinical.questions.study import related

Kind: TypeAlias = Literal["missing", "negation", "status", "attribute", "unsupported"]

KINDS: Final[tuple[Kind, ...]] = ("missing", "negation", "status", "attribute", "unsupported")
"""Kinds of discrepancies, in the order in which they are asked about.

``missing``: the rules see a finding, certain or possible, that the record does not hold.
``negation``: the rules see a denial that the record does not hold.
``status``: both hold the finding, but not as equally certain.
``attribute``: both hold it, and the record lacks a place, degree or kind that the rules read.
``unsupported``: the record holds a finding that no word of the report names.
"""

CLEAR: Final = "clear"

_STATUS: Final = {ENTITY: "present", UNCERTAIN: "uncertain", NEGATED: "absent"}
_ASKED_FOR: Final = {
    "location": "where it is",
    "level": "how severe, how large or how much it is",
    "type": "of what kind it is",
}
_ENDING: Final = 3
"""Letters in which singular, plural and adjective of a word may differ (*opacity*, *opacities*)."""

_SHORTEST_STEM: Final = 5


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing to ask about.

    Attributes:
        kind: one of :data:`KINDS`.
        name: the finding, as the record names it, or the rules where the record does not.
        slots: the attributes asked for; empty unless ``kind`` is ``attribute``.
    """

    kind: Kind
    name: str
    slots: tuple[str, ...] = ()

    def question(self) -> str:
        """The question in words."""
        if self.name == CLEAR:
            return "Does the report say that the lungs, or parts of them, are clear?"
        if self.kind == "attribute":
            asked = " and ".join(_ASKED_FOR[slot] for slot in self.slots)
            return f'What does the report say about "{self.name}": {asked}?'
        return (
            f'What does the report say about "{self.name}": is it present, uncertain (only '
            "suspected), absent (denied), or not mentioned?"
        )


def find_discrepancies(
    record: Mapping[str, Any],
    rules: Mapping[str, Any],
    text: str,
    kinds: Collection[str] = KINDS,
) -> list[Discrepancy]:
    """Where ``record`` differs from ``rules``, both in standard form, in a fixed order.

    Args:
        record: what the model read.
        rules: what the rules read.
        text: the report, for ``unsupported``.
        kinds: which of :data:`KINDS` to look for.
    """
    comparison = _Comparison(record, rules, text)
    found = [*comparison.of_rules(), *comparison.unsupported()]
    return sorted(
        (one for one in dict.fromkeys(found) if one.kind in kinds),
        key=lambda one: KINDS.index(one.kind),
    )


class _Comparison:
    def __init__(self, record: Mapping[str, Any], rules: Mapping[str, Any], text: str) -> None:
        self._lexicon = load_lexicon()
        self._record = record
        self._rules = rules
        self._text = normalise(text)
        self._held = _names_by_meaning(record, self._lexicon)
        self._read = _names_by_meaning(rules, self._lexicon)

    def of_rules(self) -> Iterator[Discrepancy]:
        """What the rules read and the record holds otherwise or not."""
        for category, status in _STATUS.items():
            for name in self._rules[category]:
                yield from self._one(name, category, status)
        if CLEAR in self._rules[OPACITY] and CLEAR not in self._record[OPACITY]:
            yield Discrepancy("missing", CLEAR)

    def _one(self, name: str, category: str, status: str) -> Iterator[Discrepancy]:
        meaning = _meaning(name, self._lexicon)
        ours = self._held.get(meaning)
        if ours is None:
            if not any(related(meaning, other) for other in self._held):
                yield Discrepancy("negation" if status == "absent" else "missing", name)
            return
        held = next(iter(ours))
        if all(status != stated for stated in ours.values()):
            yield Discrepancy("status", held)
        elif status != "absent":
            slots = self._lacking(ours, self._rules[category][name])
            if slots:
                yield Discrepancy("attribute", held, slots)

    def _lacking(self, ours: Mapping[str, str], theirs: Instances) -> tuple[str, ...]:
        """Attributes that the rules give and no instance of ours has."""
        sets: list[Mapping[str, Any]] = [
            dict(one)
            for category in (OPACITY, ENTITY, UNCERTAIN)
            for name in ours
            for one in instances(self._record[category].get(name, []))
        ]
        return tuple(
            slot
            for slot in ATTRIBUTES
            if any(dict(one)[slot] for one in instances(theirs))
            and not any(one[slot] for one in sets)
        )

    def unsupported(self) -> Iterator[Discrepancy]:
        """Findings of the record that the rules do not see and no word of the text names."""
        for meaning, ours in self._held.items():
            if meaning in self._read or any(related(meaning, other) for other in self._read):
                continue
            for name in ours:
                word = normalise(name).rpartition(" ")[2]
                stem = word[: max(_SHORTEST_STEM, len(word) - _ENDING)]
                if f" {stem}" not in f" {self._text}":
                    yield Discrepancy("unsupported", name)


def _names_by_meaning(record: Mapping[str, Any], lexicon: Lexicon) -> dict[str, dict[str, str]]:
    """Canonical name -> the names of the record that mean it, each with its status."""
    found: dict[str, dict[str, str]] = {}
    for category, status in (*_STATUS.items(), (OPACITY, "present")):
        for name in record[category]:
            if name != CLEAR:
                found.setdefault(_meaning(name, lexicon), {}).setdefault(name, status)
    return found


def _meaning(name: str, lexicon: Lexicon) -> str:
    return lexicon.canonical(name) or name


def statements(record: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Everything a standard record says, one entry per finding, denial and attribute value."""
    said: set[tuple[str, ...]] = {(NEGATED, name) for name in record[NEGATED]}
    for category in (OPACITY, ENTITY, UNCERTAIN):
        for name, value in record[category].items():
            said.add((category, name))
            for one in instances(value):
                place = one["location"] or ""
                given = {slot: str(text) for slot, text in one.items() if text}
                said.update((category, name, place, slot, text) for slot, text in given.items())
    return said
