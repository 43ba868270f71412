"""What a report offers: its text as a prompt shows it, and which task families it can serve."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.clinical.claims import Claim, claims_of
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.sections.model import ADDENDUM, COMBINED, FINDINGS, IMPRESSION
from pipeline.clinical.sentences import split_sentences
from pipeline.core.resources import resource_path

BODY = (FINDINGS, COMBINED, IMPRESSION, "recommendations", ADDENDUM)
"""Sections that say what was seen and what follows, in the order a report has them."""

CONTEXT = ("examination", "indication", "history", "technique", "comparison")
"""Sections that come before the reading."""

_KEPT_FIRST = (IMPRESSION, COMBINED, FINDINGS, "recommendations", ADDENDUM, *reversed(CONTEXT))
_TITLES = {COMBINED: "FINDINGS AND IMPRESSION"}
_ADVICE = re.compile(
    r"\b(?:recommend\w*|suggest(?:ed|s)? (?:follow|repeat|ct|further|correlation|clinical)"
    r"|follow[- ]?up|is advised|advise\w*|should be (?:obtained|considered|repeated|performed)"
    r"|could be (?:obtained|performed)|consider (?:ct|repeat|follow|further)"
    r"|correlat(?:e|ion) (?:with|clinically))\b|建议|随访|复查|권고|추적 검사",
    re.IGNORECASE,
)
_NO_COMPARISON = re.compile(r"\A\W*(?:none|no|n/?a|not available|unavailable|_+|无)\b", re.I)
_CHANGES = re.compile(
    r"\b(?:unchanged|stable|interval|compared (?:to|with)|again (?:seen|noted)|worsened"
    r"|improved|resolved|new(?:ly)?|increased|decreased)\b|较前|변화",
    re.IGNORECASE,
)
_LONG_WORDS = 25
_WORD = re.compile(r"[A-Z]{2,6}\b")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a report contains, of :data:`pipeline.prompting.families.NEEDS`.

    Attributes:
        needs: the needs it fulfils.
        claims: its findings.
        abbreviations: those it uses that ``abbreviations.csv`` knows, in their order.
    """

    needs: frozenset[str]
    claims: tuple[Claim, ...]
    abbreviations: tuple[str, ...]


@cache
def abbreviations() -> Mapping[str, tuple[str, str]]:
    """Abbreviation -> (expansion, what it is)."""
    path = resource_path("libs", "abbreviations.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["abbreviation"]: (row["expansion"], row["notes"]) for row in csv.DictReader(file)
        }


def compose_report(
    sections: Mapping[str, str], reading: str, max_words: int | None = None
) -> str | None:
    """The report as prompts show it: one titled section per line.

    Args:
        sections: text by section name.
        reading: the text chosen for reading, used where no section of the body is there.
        max_words: leave out whole sections until it fits: what precedes the reading goes first,
            the impression last. None for no limit.

    Returns:
        The text, or None where not even one section of the reading fits.
    """
    parts = {name: sections[name] for name in (*CONTEXT, *BODY) if sections.get(name)}
    if not any(name in parts for name in (FINDINGS, COMBINED, IMPRESSION)):
        parts["report"] = reading
    chosen = list(parts)
    if max_words is not None:
        left = max_words
        chosen = []
        for name in ("report", *_KEPT_FIRST):
            if name in parts and (words := len(parts[name].split())) <= left:
                chosen.append(name)
                left -= words
        if not any(name in chosen for name in ("report", FINDINGS, COMBINED, IMPRESSION)):
            return None
    return "\n".join(
        f"{_TITLES.get(name, name.upper())}: {' '.join(text.split())}"
        for name, text in parts.items()
        if name in chosen
    )


def contents_of(report: str) -> Contents:
    """What a composed report contains."""
    claims = tuple(
        claim for claim in claims_of(report) if claim.name != "clear" and _is_finding(claim.name)
    )
    stated = [claim for claim in claims if claim.status == "present"]
    sections = sections_of(report)
    used = tuple(dict.fromkeys(w for w in _WORD.findall(report) if w in abbreviations()))
    body = " ".join(text for name, text in sections.items() if name.lower() not in CONTEXT)
    compared = sections.get("COMPARISON", "")
    found = {
        "finding": bool(claims),
        "abnormal": any(claim.status != "absent" for claim in claims),
        "place": any(claim.sides or claim.zones for claim in stated),
        "change": bool(
            any(claim.change for claim in claims)
            or _CHANGES.search(body)
            or (compared and not _NO_COMPARISON.match(compared))
        ),
        "advice": bool(_ADVICE.search(body)),
        "abbreviation": bool(used),
        "long": len(body.split()) >= _LONG_WORDS or len(body) > 4 * _LONG_WORDS,
    }
    return Contents(frozenset(n for n, there in found.items() if there), claims, used)


def sections_of(report: str) -> dict[str, str]:
    """The sections of a composed report: title in capitals -> text."""
    return {
        title: text
        for line in report.splitlines()
        for title, colon, text in [line.partition(": ")]
        if colon and title.isupper()
    }


def sentences_of(report: str, sections: Sequence[str] = ()) -> list[str]:
    """The sentences of a composed report, or of the named sections (titles), without repetition."""
    found: dict[str, None] = {}
    for title, text in sections_of(report).items():
        if sections and title not in sections:
            continue
        if not sections and title.lower() in CONTEXT:
            continue
        for start, end in split_sentences(text):
            sentence = text[start:end].strip()
            if any(char.isalpha() for char in sentence):
                found[sentence] = None
    return list(found)


def gives_advice(sentence: str) -> bool:
    """Whether a sentence recommends something."""
    return _ADVICE.search(sentence) is not None


def tells_change(sentence: str) -> bool:
    """Whether a sentence speaks of a change, or of none."""
    return _CHANGES.search(sentence) is not None


def _is_finding(name: str) -> bool:
    finding = load_lexicon().by_name.get(name)
    return finding is not None and finding.kind not in ("general", "artifact")
