"""Words for patients: reading them as findings, and explaining findings with them.

``libs/lay_terms.csv`` has one row per finding: lay wordings as answers use them, where ``{lung}``
stands for *the left lung*, *both lungs* and the like, and an explanation in each language.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.core.resources import resource_path

_LUNG = r"(?:(?:the|your|his|her|a)\s+)?(?:(?P<side{0}>left|right|both)\s+)?lungs?"


@dataclass(frozen=True, slots=True)
class LayTerms:
    """The lay vocabulary.

    Attributes:
        starts: the first two words of every wording: a text without any of them has none.
        pattern: finds all lay wordings; the group that matched is looked up in ``findings``.
        findings: name of a group -> finding.
        plain: language (``en``, ``zh``, ``ko``) -> finding -> explanation.
    """

    starts: tuple[str, ...]
    pattern: re.Pattern[str]
    findings: Mapping[str, str]
    plain: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ClinicalText:
    """A text whose lay wordings were replaced by the names of findings.

    ``origin`` holds for each character, and for the end, where it was before; None if nothing was
    replaced.
    """

    text: str
    origin: tuple[int, ...] | None

    def before(self, span: tuple[int, int]) -> tuple[int, int]:
        """Where a span of this text was in the original."""
        if self.origin is None:
            return span
        return self.origin[span[0]], self.origin[span[1] - 1] + 1


@cache
def load_lay_terms(path: Path | None = None) -> LayTerms:
    """Read ``libs/lay_terms.csv``, or another file of its form."""
    alternatives: list[str] = []
    starts: set[str] = set()
    findings: dict[str, str] = {}
    plain: dict[str, dict[str, str]] = {"en": {}, "zh": {}, "ko": {}}
    source = path or resource_path("libs", "lay_terms.csv")
    with source.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for language, explained in plain.items():
                explained[row["finding"]] = row[language]
            for wording in filter(None, row["wordings"].split(";")):
                group = f"w{len(findings)}"
                findings[group] = row["finding"]
                starts.add(" ".join(wording.split("{")[0].split()[:2]))
                words = r"\s+".join(
                    _LUNG.format(len(alternatives)) if word == "{lung}" else re.escape(word)
                    for word in wording.split()
                )
                alternatives.append(rf"(?P<{group}>\b{words}\b)")
    pattern = re.compile("|".join(alternatives), re.IGNORECASE)
    return LayTerms(tuple(sorted(starts)), pattern, findings, plain)


def in_clinical_words(text: str) -> ClinicalText:
    """``text`` with *fluid around the left lung* written as *left pleural effusion*."""
    terms = load_lay_terms()
    lowered = " ".join(text.lower().split())
    if not any(start in lowered for start in terms.starts):
        return ClinicalText(text, None)
    pieces: list[str] = []
    origin: list[int] = []
    done = 0
    for match in terms.pattern.finditer(text):
        pieces.append(text[done : match.start()])
        origin.extend(range(done, match.start()))
        group = str(match.lastgroup)
        side = match.groupdict().get(f"side{group[1:]}") or ""
        name = f"{side} {terms.findings[group]}".strip()
        pieces.append(name)
        origin.extend([match.start()] * (len(name) - 1) + [match.end() - 1])
        done = match.end()
    if not pieces:
        return ClinicalText(text, None)
    origin.extend(range(done, len(text) + 1))
    return ClinicalText("".join([*pieces, text[done:]]), tuple(origin))
