"""Instructions and answers without a model: filled templates, and answers quoted from the report.

Good for trying a pipeline out, for a baseline that cannot be wrong about its report, and for sites
without a model; the wording is as narrow as ``libs/instruction_templates.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache

from pipeline.clinical.claims import Claim, claims_of, question_claims
from pipeline.clinical.instructing.contents import (
    abbreviations,
    contents_of,
    gives_advice,
    sections_of,
    sentences_of,
    tells_change,
)
from pipeline.clinical.instructing.language import language_code
from pipeline.clinical.lay_terms import load_lay_terms
from pipeline.clinical.questions.draw import Draw
from pipeline.core.resources import resource_path

FALLBACK = "question_answering"
"""Family whose templates serve a family that has none of its own."""

_QUOTED_SENTENCES = 3
_FRAMES = {
    "en": ("The report says: {}", "Yes. The report says: {}", "No. The report says: {}",
           "The report does not say.", "{} means {}."),
    "zh": ("报告写道：{}", "是的。报告写道：{}", "没有。报告写道：{}", "报告没有说明。",
           "{} 是指{}。"),
    "ko": ("보고서 내용은 다음과 같습니다: {}", "예. 보고서 내용은 다음과 같습니다: {}",
           "아니요. 보고서 내용은 다음과 같습니다: {}", "보고서에는 언급이 없습니다.",
           "{}의 뜻은 다음과 같습니다: {}."),
}  # fmt: skip
"""Language -> frames: a quotation, the same after *yes* and *no*, nothing found, an explanation."""

_NOTHING = frozenset(frames[3] for frames in _FRAMES.values())
_WHETHER = ("is ", "are ", "does ", "was ")
_QUALITY = (
    "limited",
    "limitation",
    "rotat",
    "inspir",
    "portable",
    "expos",
    "technique",
    "view",
    "obscur",
)


def make_instruction(report: str, family: str, language: str, seed: str) -> str:
    """An instruction of a family that fits what the report contains; "" where none does."""
    draw = Draw(seed, "instruction")
    contents = contents_of(report)
    code = language_code(language)
    known = _templates()
    rows = known.get((family, code)) or known.get((FALLBACK, code)) or known[FALLBACK, "en"]
    names = _names(contents.claims, family)
    placed = [c for c in contents.claims if c.status == "present" and (c.sides or c.zones)]
    for ask, template in draw.shuffled(rows):
        values = _values(ask, draw, names, placed, contents.abbreviations)
        if values is not None:
            text = template.format(**values)
            if make_answer(report, text, family, language) not in _NOTHING:
                return text
    return ""


def make_answer(report: str, instruction: str, family: str, language: str) -> str:
    """An answer that quotes the sentences of the report the instruction is about."""
    frames = _FRAMES.get(language_code(language), _FRAMES["en"])
    if family == "abbreviation" and (used := _named_abbreviations(instruction)):
        expansions = abbreviations()
        return " ".join(frames[4].format(short, f"“{expansions[short][0]}”") for short in used)
    asked = list(dict.fromkeys(claim.name for claim in question_claims(instruction)))
    chosen = _sentences(report, family, asked)
    if not chosen:
        return frames[3]
    quoted = " ".join(f"“{sentence}”" for sentence in chosen[:_QUOTED_SENTENCES])
    whether = _polarity(instruction, chosen, asked) if family == FALLBACK else 0
    answer = frames[whether].format(quoted)
    if family == "lay_paraphrase":
        plain = load_lay_terms().plain.get(language_code(language), load_lay_terms().plain["en"])
        answer += "".join(f" {frames[4].format(n, plain[n])}" for n in asked if n in plain)
    return answer


@cache
def _templates() -> Mapping[tuple[str, str], Sequence[tuple[str, str]]]:
    """(family, language) -> (what a template asks for, template)."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    path = resource_path("libs", "instruction_templates.csv")
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["family"], row["language"]), []).append((row["ask"], row["text"]))
    return found


def _names(claims: Sequence[Claim], family: str) -> list[str]:
    """The findings a family can ask about, those that are there first."""
    if family == "differential":
        doubted = [c.name for c in claims if c.status == "uncertain"]
        claims = [c for c in claims if c.status != "absent"]
        return list(dict.fromkeys([*doubted, *(c.name for c in claims)]))
    if family == "comparison" and any(c.change for c in claims):
        claims = [c for c in claims if c.change]
    stated = [c.name for c in claims if c.status != "absent"]
    return list(dict.fromkeys([*stated, *(c.name for c in claims)]))


def _values(
    ask: str, draw: Draw, names: Sequence[str], placed: Sequence[Claim], short: Sequence[str]
) -> dict[str, str] | None:
    """What fills a template, or None where the report has no such thing."""
    if ask == "none":
        return {}
    if ask == "abbreviation":
        return {"abbreviation": draw.pick(short)} if short else None
    if ask in ("place", "placed"):
        if not placed:
            return None
        claim = draw.pick(placed)
        if ask == "placed" and not claim.sides:
            return None
        place = "both sides" if len(claim.sides) == 2 else f"the {''.join(claim.sides)}"
        return {"finding": claim.name, "place": place}
    if len(names) < (2 if ask == "two" else 1):
        return None
    first, *rest = draw.shuffled(names)
    return {"finding": first, "other": rest[0] if rest else ""}


def _named_abbreviations(instruction: str) -> list[str]:
    words = "".join(char if char.isascii() and char.isalnum() else " " for char in instruction)
    return [word for word in words.split() if word in abbreviations()]


def _sentences(report: str, family: str, asked: Sequence[str]) -> list[str]:
    """The sentences an answer quotes, the telling ones first."""
    sentences = sentences_of(report)
    about = [s for s in sentences if any(c.name in asked for c in claims_of(s))]
    if family == "recommendation":
        return [s for s in sentences if gives_advice(s)]
    if family == "comparison":
        return [s for s in about if tells_change(s)]
    if family == "summarisation":
        impression = sentences_of(report, ("IMPRESSION", "FINDINGS AND IMPRESSION"))
        return list(dict.fromkeys([*impression[:2], *about])) or sentences
    if family == "report_quality" and not asked:
        said = sentences_of(report, tuple(sections_of(report)))
        return [s for s in said if any(word in s.lower() for word in _QUALITY)]
    if family == "localisation":
        return [s for s in about if any(c.sides or c.zones for c in claims_of(s))] or about
    return about


def _polarity(instruction: str, chosen: Sequence[str], asked: Sequence[str]) -> int:
    """The frame: 1 where a question is affirmed, 2 where it is denied, else 0."""
    if not instruction.lower().startswith(_WHETHER) or len(asked) != 1:
        return 0
    questions = question_claims(instruction)
    told = [c for sentence in chosen for c in claims_of(sentence) if c.name in asked]
    statuses = {claim.status for claim in told}
    if statuses == {"absent"}:
        return 2
    sides = frozenset().union(*(claim.sides for claim in told))
    if statuses == {"present"} and all(claim.sides <= sides for claim in questions):
        return 1
    return 0
