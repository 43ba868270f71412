"""A KeyInfo record as the question rules see it: what is certain, what is not, what is negated.

Reading never fails: a part of a record that has an unexpected shape is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

# Longer names come from broken replies; a question about one would be of no use.
_MAX_NAME = 100
_MAX_VALUE = 100
# Reports use the two words for one thing; the published difference rules treat them as equal.
_SAME_CONCEPT = {"infection": "pneumonia"}


class Attributes(NamedTuple):
    """One instance of a finding."""

    location: str | None
    level: str | None
    type: str | None


class Finding(NamedTuple):
    """A finding and its instances, at least one."""

    name: str
    instances: tuple[Attributes, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """One study.

    ``positive`` and ``uncertain`` map names to findings. A name that a record holds in two
    categories is uncertain. ``negative`` holds explicitly negated names that no other finding
    of the study contradicts. ``clear`` lists the places said to be clear.
    """

    study_id: str
    subject_id: str
    dicom_id: str
    view: str
    split: str
    positive: dict[str, Finding]
    uncertain: dict[str, Finding]
    negative: tuple[str, ...]
    clear: tuple[Attributes, ...]
    evidence: dict[str, Any]

    @property
    def key(self) -> str:
        """What random choices depend on: the study id, or the content where there is none."""
        return self.study_id or "\n".join((*self.positive, *self.uncertain, *self.negative))

    @property
    def is_read(self) -> bool:
        """Whether the record says anything; an empty one may be a failed reading."""
        return bool(self.positive or self.uncertain or self.negative or self.clear)

    def sentences(self, names: Iterable[str]) -> str:
        """The report sentences that ``names`` rest on, each once, where the record has them."""
        if not self.evidence:
            return ""
        found: dict[str, None] = {}
        for name in names:
            value = self.evidence.get(name)
            for sentence in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(sentence, str) and sentence.strip():
                    found[sentence.strip()] = None
        return " ".join(found)


def concept(name: str) -> str:
    """The name under which equal findings are compared."""
    return _SAME_CONCEPT.get(name, name)


def related(one: str, other: str) -> bool:
    """Whether one name is the other or a kind of it: *rib fracture* is a *fracture*.

    Compared by whole words from the end, so *hemopneumothorax* is no *pneumothorax* here.
    """
    one, other = " " + concept(one), " " + concept(other)
    return one.endswith(other) or other.endswith(one)


def identity(value: Any) -> str:
    """An id or other scalar as text; numbers that pandas made floats lose their ``.0``."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float):
        if value != value:  # NaN: pandas' missing value
            return ""
        return str(int(value)) if value.is_integer() else str(value)
    return str(value) if isinstance(value, int) else ""


def read_study(record: Mapping[str, Any]) -> Study:
    """Read a standard-form KeyInfo record; what has another shape is left out."""
    positive = _read_findings(record.get("entity"))
    uncertain = _read_findings(record.get("uncertain_entity"))
    opacity_vs_clear = record.get("opacity_vs_clear")
    clear: tuple[Attributes, ...] = ()
    if isinstance(opacity_vs_clear, dict):
        if "opacity" in opacity_vs_clear and "opacity" not in positive:
            positive["opacity"] = Finding("opacity", _read_sets(opacity_vs_clear["opacity"]))
        if "clear" in opacity_vs_clear:
            clear = _read_sets(opacity_vs_clear["clear"])
    negated = _read_names(record.get("no_entity"))
    _settle_conflicts(positive, uncertain, negated)
    evidence = record.get("evidence")
    return Study(
        study_id=identity(record.get("study_id")),
        subject_id=identity(record.get("subject_id")),
        dicom_id=identity(record.get("dicom_id")),
        view=identity(record.get("view")),
        split=identity(record.get("split")),
        positive=positive,
        uncertain=uncertain,
        negative=_certain_negatives(negated, positive, uncertain),
        clear=clear,
        evidence=evidence if isinstance(evidence, dict) else {},
    )


def _settle_conflicts(
    positive: dict[str, Finding], uncertain: dict[str, Finding], negated: list[str]
) -> None:
    """Move positive findings that are also uncertain or negated to the uncertain ones."""
    doubtful = {concept(name) for name in uncertain}
    doubtful.update(concept(name) for name in negated)
    if doubtful:
        for name in [name for name in positive if concept(name) in doubtful]:
            uncertain.setdefault(name, positive.pop(name))


def _certain_negatives(
    negated: list[str], positive: dict[str, Finding], uncertain: dict[str, Finding]
) -> tuple[str, ...]:
    """Negated names of which the study holds no kind: *no fracture* beside *rib fracture* goes."""
    if not negated:
        return ()
    # With a blank before, the end of a name is compared by whole words.
    present = tuple(" " + concept(name) for name in (*positive, *uncertain))
    return tuple(
        name
        for name in negated
        if not any(other.endswith(" " + concept(name)) for other in present)
    )


def _read_findings(category: Any) -> dict[str, Finding]:
    if isinstance(category, dict):
        return {
            name: Finding(name, _read_sets(value))
            for raw, value in category.items()
            if (name := _name(raw))
        }
    return {name: Finding(name, (_EMPTY,)) for name in _read_names(category)}


def _read_names(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)):
        return []
    return list(dict.fromkeys(name for item in value if (name := _name(item))))


def _read_sets(value: Any) -> tuple[Attributes, ...]:
    if isinstance(value, dict):
        return (_read_set(value),)
    if isinstance(value, (list, tuple)):
        sets = tuple(_read_set(item) for item in value if isinstance(item, dict))
        return tuple(dict.fromkeys(sets)) or (_EMPTY,)
    return (_EMPTY,)


def _read_set(value: dict[str, Any]) -> Attributes:
    get = value.get
    return Attributes(_text(get("location")), _text(get("level")), _text(get("type")))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)):  # the published layout holds several values as a list
        value = ", ".join(item for item in value if isinstance(item, str))
    if not isinstance(value, str) or len(value) > _MAX_VALUE or not value.isprintable():
        return None
    return value.strip() or None


def _name(value: Any) -> str:
    """A name fit to be asked about, or an empty string."""
    if not isinstance(value, str) or len(value) > _MAX_NAME or not value.isprintable():
        return ""
    name = value.strip()
    return name if any(map(str.isalpha, name)) else ""


_EMPTY = Attributes(None, None, None)
