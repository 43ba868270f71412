"""A mention while its clause is being read, and the name for lungs without any finding."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.clinical.attributes import Found

CLEAR = "clear"
"""The name of a mention that says lungs are clear: no finding, but worth keeping."""


@dataclass(slots=True)
class Draft:
    """A mention in the making.

    Attributes:
        name: the finding's canonical name, or `CLEAR`.
        phrase: the index of its phrase in the clause.
        status: status so far; ``trigger`` the words that decided it, ``rule`` how it was found.
        found: its attributes.
        first: number of its first word; ``last`` that behind its last word.
        many: whether the wording is a plural or names what can spread.
    """

    name: str
    phrase: int
    status: str
    trigger: str
    rule: str
    found: Found
    first: int
    last: int
    many: bool = False
