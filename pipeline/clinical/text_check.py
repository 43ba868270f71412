"""What checking a generated text gave: what speaks against it, what is worth a flag, what was done.

Captions and translations are judged alike, so that stages, counts and documentation need one shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.clinical.grounding import Issue

NOWHERE = (0, 0)
"""Span of an issue that has no place of its own in the text, such as something left out."""


@dataclass(frozen=True, slots=True)
class TextCheck:
    """A verdict on one text.

    Attributes:
        rejects: what makes the text unfit, the gravest first; each with the class of its reason,
            the canonical name of the finding it is about ("" for others), and its span.
        flags: what may be right and should be known.
        checks: the names of the checks that were made; others were not possible for the language.
    """

    rejects: tuple[Issue, ...] = ()
    flags: tuple[Issue, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the text."""
        return not self.rejects

    @property
    def reasons(self) -> tuple[str, ...]:
        """The classes of the reasons to reject, each once."""
        return tuple(dict.fromkeys(issue.kind for issue in self.rejects))

    @property
    def reason(self) -> str:
        """The first reason, or ""."""
        return self.rejects[0].kind if self.rejects else ""


class Verdict:
    """Collects issues, each once, while a text is checked."""

    def __init__(self) -> None:
        self._rejects: dict[Issue, None] = {}
        self._flags: dict[Issue, None] = {}
        self._checks: dict[str, None] = {}

    def checking(self, *names: str) -> None:
        """Notes that checks are made."""
        self._checks.update(dict.fromkeys(names))

    def reject(self, kind: str, finding: str = "", span: tuple[int, int] = NOWHERE) -> None:
        """Something that makes the text unfit."""
        self._rejects[Issue(kind, finding, span)] = None

    def flag(self, kind: str, finding: str = "", span: tuple[int, int] = NOWHERE) -> None:
        """Something that should be known."""
        self._flags[Issue(kind, finding, span)] = None

    def add(self, issues: Iterable[Issue]) -> None:
        """Issues that make the text unfit."""
        self._rejects.update(dict.fromkeys(issues))

    def done(self) -> TextCheck:
        """The verdict."""
        return TextCheck(tuple(self._rejects), tuple(self._flags), tuple(self._checks))
