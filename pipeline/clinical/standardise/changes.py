"""What the standardisation says about its own work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a record.

    Attributes:
        rule: the rule that made it, a short word.
        category: where in the record.
        name: the finding as it was written; empty where a whole category changed.
        field: the attribute, or empty where the name itself changed.
        before: what was there.
        after: what is there now; None when it was removed.
    """

    rule: str
    category: str
    name: str = ""
    field: str = ""
    before: Any = None
    after: Any = None

    def as_json(self) -> dict[str, Any]:
        """The change as a JSON object; it quotes the record and is as confidential as it."""
        return {
            "rule": self.rule,
            "category": self.category,
            "name": self.name,
            "field": self.field,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Conflict:
    """A finding that a record states in two categories.

    Attributes:
        name: the finding.
        categories: where it was stated.
        kept: the category that it is left in.
    """

    name: str
    categories: tuple[str, str]
    kept: str


@dataclass(frozen=True, slots=True)
class Standardised:
    """A record in standard form, what was changed, and which contradictions were met."""

    record: dict[str, Any]
    changes: tuple[Change, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def is_unusable(self) -> bool:
        """Whether there was no record to standardise; the empty one here means nothing."""
        return any(change.rule == "not_a_record" for change in self.changes)

    @property
    def flags(self) -> tuple[str, ...]:
        """Class words for counting: ``entity/no_entity`` for a finding affirmed and denied."""
        return tuple(dict.fromkeys("/".join(one.categories) for one in self.conflicts))
