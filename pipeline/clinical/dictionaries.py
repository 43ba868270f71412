"""Frequency dictionaries of a KeyInfo set: how often each name and attribute value occurs.

The four tables are those of the published ``entity_dict.json``, ``location_dict.json``,
``level_dict.json`` and ``type_dict.json``: names are counted over the three categories of findings
(a name that is only ever denied is in none), attribute values as a record has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.clinical.keyinfo import ATTRIBUTES, FINDING_CATEGORIES

KINDS: Final = ("entity", *ATTRIBUTES)
"""Kinds of terms, one dictionary each."""

_SINGLE: Final = ", "


class TermCounter:
    """Counts the terms of records one by one; memory grows with the vocabulary only."""

    def __init__(self) -> None:
        self.records = 0
        self._counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record in standard or published form; what has another shape is left out."""
        self.records += 1
        names = self._counts["entity"]
        for category in FINDING_CATEGORIES:
            findings = record.get(category)
            if isinstance(findings, list):
                findings = {name: None for name in findings if isinstance(name, str)}
            if not isinstance(findings, dict):
                continue
            for name, value in findings.items():
                names[name] += 1
                for one in value if isinstance(value, list) else (value,):
                    if isinstance(one, dict):
                        self._add_attributes(one)

    def _add_attributes(self, one: Mapping[str, Any]) -> None:
        for slot in ATTRIBUTES:
            value = one.get(slot)
            if not value:
                continue
            counts = self._counts[slot]
            for text in value if isinstance(value, list) else (value,):
                if not isinstance(text, str):
                    continue
                if _SINGLE in text:
                    counts.update(text.split(_SINGLE))
                else:
                    counts[text] += 1

    def table(self, kind: str) -> dict[str, int]:
        """Term -> frequency of one of :data:`KINDS`, the most frequent first, ties by name."""
        counts = self._counts[kind]
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def tables(self) -> Iterator[tuple[str, dict[str, int]]]:
        """All dictionaries with their kinds."""
        for kind in KINDS:
            yield kind, self.table(kind)
