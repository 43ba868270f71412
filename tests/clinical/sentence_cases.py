"""Reads the tables of sentences with the mentions expected, and compares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.clinical.mentions import Mention

_EXPECTED = re.compile(
    r"(?P<name>[^=@]+)=(?P<status>\w+)"
    r"(?:@(?P<location>[^/#~]+))?(?:/(?P<level>[^#~]+))?(?:#(?P<type>[^~]+))?(?:~(?P<change>\w+))?$"
)


@dataclass(frozen=True)
class Case:
    """A sentence, the phenomenon it stands for and the mentions expected in it."""

    phenomenon: str
    sentence: str
    expected: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.phenomenon}: {self.sentence}"


def read_cases(name: str) -> list[Case]:
    """The cases of a table next to this file."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    rows = (line.split(" | ") for line in lines if line and not line.startswith("#"))
    return [Case(p, s, tuple(e.strip() for e in x.split(";"))) for p, s, x in rows]


def missing(case: Case, mentions: Sequence[Mention]) -> list[str]:
    """The expectations of a case that the mentions do not meet."""
    return [item for item in case.expected if not _met(item, mentions)]


def _met(item: str, mentions: Sequence[Mention]) -> bool:
    if item.startswith("!"):
        return item[1:] not in {m.name for m in mentions if m.status == "present"}
    expected = _EXPECTED.match(item)
    if expected is None:
        raise ValueError(f"cannot read the expectation {item}")
    return any(_agrees(expected, mention) for mention in mentions)


def _agrees(expected: re.Match[str], mention: Mention) -> bool:
    if (mention.name, mention.status) != (expected["name"], expected["status"]):
        return False
    found = {
        "location": ", ".join(mention.location),
        "level": ", ".join(mention.level),
        "type": ", ".join(mention.type),
        "change": mention.change,
    }
    return all(
        wanted is None or found[key] == ("" if wanted == "-" else wanted)
        for key, wanted in expected.groupdict().items()
        if key in found
    )
