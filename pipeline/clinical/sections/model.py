"""What section extraction works with and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

FINDINGS = "findings"
IMPRESSION = "impression"
COMBINED = "findings_impression"
ADDENDUM = "addendum"
WET_READ = "wet_read"
EXAMINATION = "examination"
OTHER_STUDY = "other_study"
PREAMBLE = "preamble"
UNASSIGNED = "unassigned"
UNTITLED = ""
"""Section of text under no title, until it is known what the text is."""

ORDERING = frozenset({EXAMINATION, "indication", "history", "technique", "comparison"})
"""Sections that precede the reading; an untitled body hides at the end of one of them."""

OF_PATIENT = frozenset({"indication", "history"})
"""Sections that tell why the images were made."""

READ = frozenset({FINDINGS, IMPRESSION, COMBINED})
"""Sections that hold the radiologist's reading of the images."""

APART = frozenset({WET_READ, ADDENDUM, "notification", "recommendations", "signature"})
"""Sections whose titles count everywhere, also inside an addendum or another organ's part."""


class Event(NamedTuple):
    """Something in the text that can begin or end a section.

    ``start`` is where the text before it ends, ``end`` where its own text begins. ``use`` is how
    the title table says the title may be used, or ``rule`` for a ruled line and ``banner``.
    """

    start: int
    end: int
    section: str
    rule: str
    use: str


class Segment(NamedTuple):
    """A piece ``[start, end)`` of the text, the section it belongs to and the rule that says so."""

    section: str
    rule: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SectionedReport:
    """The sections of one report.

    Attributes:
        sections: text by section name, white space collapsed; only sections that have text.
        spans: per section the pieces ``[start, end)`` of the original text it was joined from, in
            characters, in text order.
        rules: (section, rule) in text order: one per span, one for each title without text
            (``empty``), and one for what the reading was made from.
        reading: the text handed to a model: findings, findings_impression, impression and
            addendum, one per line; the wet read where there is nothing else; "" where the report
            says nothing about the images.
    """

    sections: dict[str, str]
    spans: dict[str, list[tuple[int, int]]]
    rules: list[tuple[str, str]]
    reading: str

    @property
    def has_reading(self) -> bool:
        """Whether the report says anything about the images; if not, do not guess."""
        return bool(self.reading)
