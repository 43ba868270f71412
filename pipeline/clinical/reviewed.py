"""Standardisation with the decisions of reviewers and the official names of a user's libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.clinical.keyinfo import ENTITY, FINDING_CATEGORIES, NEGATED, UNCERTAIN
from pipeline.clinical.standardise import Change, Standardised, Standardiser
from pipeline.clinical.userlibs import UserLibs, load_user_libs


class ReviewedStandardiser:
    """A :class:`Standardiser` that also knows a user's libraries.

    Names get their official wording where the packaged lexicon does not know them, and names that a
    reviewer refused go (``rejected_term``). The result stays as it is when it goes through again.
    """

    def __init__(self, libs: UserLibs | None = None) -> None:
        self._libs = libs
        self._standardiser = Standardiser(libs.vocabulary if libs is not None else None)

    def standardise(self, record: Any) -> Standardised:
        """The standard form of ``record``, any JSON value; nothing is raised."""
        standard = self._standardiser.standardise(record)
        if self._libs is None or standard.is_unusable:
            return standard
        renamed, renames = self._renamed(standard.record, self._libs)
        again = self._standardiser.standardise(renamed) if renames else standard
        kept, rejected = _without(again.record, self._libs.rejected)
        more = again.changes if renames else ()
        return Standardised(
            kept, (*standard.changes, *renames, *more, *rejected), standard.conflicts
        )

    @staticmethod
    def _renamed(record: dict[str, Any], libs: UserLibs) -> tuple[dict[str, Any], list[Change]]:
        """The record with official names; two findings that get one name keep both instances."""
        changes: list[Change] = []

        def official(category: str, name: str) -> str:
            new = libs.renames.get(name, name)
            if new != name:
                changes.append(Change("official_name", category, name, "", name, new))
            return new

        made = dict(record)
        for category in FINDING_CATEGORIES:
            findings: dict[str, Any] = {}
            for name, value in record[category].items():
                new = official(category, name)
                if new in findings:
                    value = [*_listed(findings[new]), *_listed(value)]
                findings[new] = value
            made[category] = findings
        made[NEGATED] = [official(NEGATED, name) for name in record[NEGATED]]
        return made, changes


def _without(
    record: dict[str, Any], rejected: frozenset[str]
) -> tuple[dict[str, Any], list[Change]]:
    """The record without the names in ``rejected``, and what was taken out."""
    changes = [
        Change("rejected_term", category, name)
        for category in (ENTITY, UNCERTAIN, NEGATED)
        for name in record[category]
        if name in rejected
    ]
    if not changes:
        return record, []
    made = dict(record)
    for category in (ENTITY, UNCERTAIN):
        made[category] = {n: value for n, value in record[category].items() if n not in rejected}
    made[NEGATED] = [name for name in record[NEGATED] if name not in rejected]
    return made, changes


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def standardiser_for(libs: str | None = None) -> ReviewedStandardiser:
    """The standardiser with the libraries in the folder ``libs``, or with the packaged ones alone.

    Raises:
        ConfigError: the folder or one of its files cannot be used.
    """
    return ReviewedStandardiser(load_user_libs(Path(libs).expanduser()) if libs else None)
