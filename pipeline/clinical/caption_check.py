"""Whether a caption is one that its report bears out, and that stands on its own.

Reasons to reject, in the order they are looked for: ``empty``, ``truncated``, ``refusal``,
``wrong_language``; ``blank``, ``comparison``, ``date``, ``advice`` (`caption_text`); ``negation``,
``side``, ``place``, ``change``, ``finding``, ``certainty``, ``degree`` (`grounding`); ``number``.
Flags: ``omitted`` (a positive finding of the report is missing), ``doubt_omitted`` (a suspected
one), ``side_omitted``, ``denial`` (an absence the report does not state), ``side`` and ``degree``
where the report gives none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pipeline.clinical.caption_text import traces
from pipeline.clinical.claims import Claim, claims_of
from pipeline.clinical.grounding import Issue, facts_from, ground_claims
from pipeline.clinical.instructing.answers import wrong_answer
from pipeline.clinical.kin import has_kin
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.quantities import quantities
from pipeline.clinical.text_check import TextCheck, Verdict

CHECKS = ("form", "traces", "findings", "numbers", "omissions")
"""What is checked, in order."""

_GRAVE = frozenset({"finding", "certainty", "degree"})
"""Additions for which a caption is rejected: it must not say more than its report."""

_SPECIAL = frozenset({"Lung Lesion", "Pneumonia", "Edema", "Atelectasis"})
"""Classes that a report must name: an *opacity* does not make them."""

_SIDE_WORDS = {
    "left": ("left", "bilat", "both", "lingul", "bibas", "biapic", "bihil", "levo", "lul", "lll"),
    "right": (
        "right", "bilat", "both", "middle lobe", "bibas", "biapic", "bihil", "dextro", "rul", "rml",
        "rll", "minor fissure", "azygos", "cavoatrial", "svc", "vena cava", "cholecyst",
        "gallbladder",
    ),
}  # fmt: skip
"""Words of a report by which a caption may name a side."""

_HEDGES = re.compile(
    r"\b(?:either|pattern|perhaps|suspect\w*|as (?:seen|in)|possibl[ey]|potential|presum\w+)\b",
    re.IGNORECASE,
)
_NEAR = 40
"""Characters before a finding in which a word may doubt it."""

_OTHERWISE = re.compile(r"\botherwise\b|\b(?:apart|aside) from\b|\bexcept\b", re.IGNORECASE)
_SIDED = re.compile(r"\b(?:left|right|bilat|both|bi(?:bas|apic|hil))", re.IGNORECASE)
"""Sides in so many words; *the lungs* is both only by the rules."""

_SIDE = re.compile(r"\b(left|right)(?:\b|(?=ward|sided))", re.IGNORECASE)


def check_caption(report: str, caption: str, *, finish_reason: str = "stop") -> TextCheck:
    """Compare a caption with the report it was made of.

    Args:
        report: findings and impression, or the whole report; reason, technique and comparison
            sections are passed over.
        caption: English text.
        finish_reason: how the model ended; ``length`` means cut.
    """
    verdict = Verdict()
    verdict.checking("form")
    wrong = wrong_answer(caption, "", finish_reason=finish_reason)
    if wrong is not None:
        verdict.reject(wrong)
        return verdict.done()
    verdict.checking(*CHECKS)
    for kind, span in traces(caption):
        verdict.reject(kind, span=span)
    said = claims_of(caption)
    for match in _SIDE.finditer(caption):
        if not _speaks_of(match[1].lower(), report):
            verdict.reject("side", span=match.span())
    if _generally(_claims(report)) == {"absent"} and "present" in _generally(said):
        verdict.reject("negation", "abnormality")
    _check_claims(verdict, said, caption, report)
    _check_numbers(verdict, caption, report)
    _check_omissions(verdict, said, report)
    return verdict.done()


def _check_claims(verdict: Verdict, said: list[Claim], caption: str, report: str) -> None:
    found = ground_claims(said, facts_from(_claims(report)))
    otherwise = _OTHERWISE.search(caption) is not None
    for issue in found.contradictions:
        if (issue.kind == "side" and _is_doubt_of_both(issue, said, report)) or (
            issue.finding == "abnormality" and otherwise
        ):
            verdict.flag(issue.kind, issue.finding, issue.span)
        else:
            verdict.reject(issue.kind, issue.finding, issue.span)
    known = {_class(claim.name) for claim in _stated(report)}
    for claim in said:
        special = claim.status != "absent" and _class(claim.name) in _SPECIAL
        if special and _class(claim.name) not in known:
            verdict.reject("finding", claim.name, claim.span)
    sided = _SIDED.search(caption) is not None
    for issue in found.unsupported:
        hedged = issue.kind == "certainty" and _HEDGES.search(
            caption, max(0, issue.span[0] - _NEAR), issue.span[0]
        )
        if hedged or (issue.kind == "finding" and _names_kin(issue, said, report)):
            verdict.flag(issue.kind, issue.finding, issue.span)
        elif issue.kind in _GRAVE or (
            issue.kind == "side" and sided and _is_new_side(issue, said, report)
        ):
            verdict.reject(issue.kind, issue.finding, issue.span)
        else:
            verdict.flag(issue.kind, issue.finding, issue.span)


def _names_kin(issue: Issue, said: list[Claim], report: str) -> bool:
    """Whether the report states a name of the same kin."""
    claims = [c for c in said if c.span == issue.span and c.name == issue.finding]
    return any(has_kin(claim, _claims(report)) for claim in claims)


def _is_doubt_of_both(issue: Issue, said: list[Claim], report: str) -> bool:
    """Whether a suspicion reaches to both sides, and the report speaks of both."""
    doubted = any(
        c.status == "uncertain" and len(c.sides) > 1 for c in said if c.span == issue.span
    )
    return doubted and len(frozenset().union(*(c.sides for c in _claims(report)))) > 1


def _is_new_side(issue: Issue, said: list[Claim], report: str) -> bool:
    """Whether the side is one that the report never speaks of."""
    sides = frozenset().union(*(c.sides for c in said if c.span == issue.span))
    return any(not _speaks_of(side, report) for side in sides)


def _speaks_of(side: str, report: str) -> bool:
    lowered = report.lower()
    return any(word in lowered for word in _SIDE_WORDS[side])


def _generally(claims: Iterable[Claim]) -> set[str]:
    """How a text speaks of abnormalities in general."""
    return {claim.status for claim in claims if claim.name == "abnormality"}


def _check_numbers(verdict: Verdict, caption: str, report: str) -> None:
    own = quantities(caption)
    if not own.said and not own.counted:
        return
    known = quantities(report)
    if own.said - known.all:
        verdict.reject("number")
    elif own.counted - known.all:
        (verdict.reject if known.counted else verdict.flag)("number")


def _check_omissions(verdict: Verdict, said: list[Claim], report: str) -> None:
    stated = [claim for claim in _stated(report) if claim.status in ("present", "uncertain")]
    found = ground_claims(stated, facts_from(said))
    by_place = {(claim.name, claim.span): claim for claim in stated}
    for issue in found.unsupported:
        if issue.kind == "finding":
            doubted = by_place[issue.finding, issue.span].status == "uncertain"
            verdict.flag("doubt_omitted" if doubted else "omitted", issue.finding)
    for issue in found.contradictions:
        verdict.flag("side_omitted" if issue.kind == "side" else "omitted", issue.finding)


@lru_cache(maxsize=64)  # a report is looked at by several checks in turn
def _claims(report: str) -> tuple[Claim, ...]:
    return tuple(claims_of(report))


def _stated(report: str) -> list[Claim]:
    """The claims of a report that a caption should pass on."""
    return [c for c in _claims(report) if c.name != "clear" and _is_telling(c.name)]


def _class(name: str) -> str:
    finding = load_lexicon().by_name.get(name)
    return finding.classes[0] if finding is not None and finding.classes else ""


def _is_telling(name: str) -> bool:
    finding = load_lexicon().by_name.get(name)
    return finding is not None and finding.kind not in ("general", "artifact")
