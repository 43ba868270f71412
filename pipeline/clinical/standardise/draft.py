"""A record while the rules work on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.clinical.keyinfo import CATEGORIES, FINDING_CATEGORIES, NEGATED
from pipeline.clinical.standardise.changes import Change
from pipeline.clinical.standardise.instances import as_instances, merged
from pipeline.clinical.standardise.values import Values


def _no_findings() -> dict[str, dict[str, list[Values]]]:
    return {category: {} for category in FINDING_CATEGORIES}


@dataclass(slots=True)
class Draft:
    """Instances by category and name, denied names in order, and the changes so far."""

    findings: dict[str, dict[str, list[Values]]] = field(default_factory=_no_findings)
    negated: dict[str, None] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def put(self, category: str, name: str, sets: list[Values]) -> None:
        """Add instances of a finding to a category."""
        if category == NEGATED:
            self.negated[name] = None
        else:
            self.findings[category].setdefault(name, []).extend(sets)

    def merge(self) -> None:
        """Join what is said about the same finding at the same place."""
        for names in self.findings.values():
            for name, sets in names.items():
                names[name] = merged(sets)

    def as_record(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The record in standard form, after the keys that are no category."""
        record = dict(kept)
        for category in CATEGORIES[:-1]:
            record[category] = {
                name: as_instances(sets) for name, sets in self.findings[category].items()
            }
        record[NEGATED] = list(self.negated)
        return record
