"""Whether an answer keeps to its report: findings, negations, sides, places, changes.

A contradiction is a claim that the report denies: a finding it says is absent, a denial of one it
states, the other side or zone, better instead of worse. An unsupported addition is a claim the
report says nothing about; it may be true, and is flagged with its place in the answer. A claim that
is more general than the report (*opacity* for *consolidation*), or another word of the same class,
is supported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from pipeline.clinical.claims import UNMENTIONED, Claim, answer_claims, can_read, claims_of
from pipeline.clinical.lexicon import load_lexicon

LUNG_CLASSES = frozenset(
    {"Atelectasis", "Consolidation", "Edema", "Lung Lesion", "Lung Opacity", "Pneumonia"}
)
"""Classes of findings that *clear lungs* deny, and that are seen as an *opacity*."""

_ALIKE = LUNG_CLASSES | {"Cardiomegaly", "Fracture", "Enlarged Cardiomediastinum"}
"""Classes within which another word is no other finding; devices and pleura are told apart."""

_WIDE = {
    "opacity": LUNG_CLASSES,
    "airspace disease": LUNG_CLASSES,
    "airspace opacity": LUNG_CLASSES,
    "density": LUNG_CLASSES,
    "infiltrate": LUNG_CLASSES,
    "lung lesion": LUNG_CLASSES,
    "medical device": frozenset({"Support Devices"}),
    "cardiac device": frozenset({"Support Devices"}),
}
"""Names that stand for anything of these classes."""

_UNCLAIMED = frozenset({"general", "artifact"})
_OPPOSITE = {"increased": "decreased", "decreased": "increased"}
_CLEARLY_OTHER = 3
"""Difference of ranks in ``level_lib.csv`` from which a degree is another: small, large."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One claim that the report does not bear out.

    Attributes:
        kind: ``negation``, ``side``, ``place`` or ``change`` for contradictions; ``finding``,
            ``denial``, ``side``, ``change``, ``degree`` or ``certainty`` for additions.
        finding: canonical name.
        span: where its words are in the answer.
    """

    kind: str
    finding: str
    span: tuple[int, int]

    def as_json(self) -> dict[str, object]:
        """The issue as a flag of a record."""
        return {"kind": self.kind, "finding": self.finding, "span": list(self.span)}


@dataclass(frozen=True, slots=True)
class Grounding:
    """What comparing an answer with its report gave.

    Attributes:
        contradictions: claims the report denies.
        unsupported: claims the report says nothing about.
        checked: False where the rules cannot read the answer's language.
    """

    contradictions: tuple[Issue, ...] = ()
    unsupported: tuple[Issue, ...] = ()
    checked: bool = True

    @property
    def is_grounded(self) -> bool:
        """Whether nothing in the answer contradicts the report."""
        return not self.contradictions


@dataclass(frozen=True, slots=True)
class Facts:
    """A report's claims by finding; ``classes`` are those of what is present or uncertain."""

    by_name: Mapping[str, tuple[Claim, ...]]
    seen: tuple[Claim, ...]
    denied: frozenset[str]
    is_normal: bool
    clear: tuple[Claim, ...]


def check_grounding(answer: str, report: str, instruction: str = "") -> Grounding:
    """Compare every claim of ``answer`` with ``report``.

    Args:
        answer: the generated answer, in English or Chinese.
        report: the text it must rest on.
        instruction: the question, which gives *yes* and *no* their meaning.
    """
    if not can_read(answer):
        return Grounding(checked=False)
    return ground_claims(answer_claims(answer, instruction), facts_of(report))


def ground_claims(claims: Iterable[Claim], facts: Facts) -> Grounding:
    """Compare claims, of whatever text, with the facts of another, in English or Chinese.

    Args:
        claims: as `answer_claims` or `claims_of` read them.
        facts: of the text they must rest on (`facts_of`, `facts_from`).
    """
    contradictions: dict[Issue, None] = {}
    unsupported: dict[Issue, None] = {}
    for claim in claims:
        denied, kind = _judge(_known(claim, facts), facts)
        if kind:
            issue = Issue(kind, claim.name, claim.span)
            (contradictions if denied else unsupported)[issue] = None
    return Grounding(tuple(contradictions), tuple(unsupported))


def _known(claim: Claim, facts: Facts) -> Claim:
    """The claim under that of its names which the report speaks of, best in the same way."""
    if not claim.also:
        return claim
    names = [name for name in (claim.name, *claim.also) if name in facts.by_name]
    if not names:
        return claim
    absent = claim.status == "absent"
    for name in names:
        if any((other.status == "absent") == absent for other in facts.by_name[name]):
            return claim if name == claim.name else replace(claim, name=name)
    return claim if names[0] == claim.name else replace(claim, name=names[0])


@lru_cache(maxsize=256)  # several answers rest on one report, one after the other
def facts_of(report: str) -> Facts:
    """What a report says, by finding."""
    return facts_from(claims_of(report))


def facts_from(claims: Iterable[Claim]) -> Facts:
    """What claims say together, by finding."""
    by_name: dict[str, list[Claim]] = {}
    for claim in claims:
        by_name.setdefault(claim.name, []).append(claim)
    clear = tuple(by_name.pop("clear", ()))
    seen = tuple(
        claim
        for claims in by_name.values()
        for claim in claims
        if claim.status != "absent" and _kind(claim.name) not in _UNCLAIMED
    )
    denied = frozenset(
        name for name, claims in by_name.items() if all(c.status == "absent" for c in claims)
    )
    others: dict[str, list[Claim]] = {}
    for claim in (claim for claims in by_name.values() for claim in claims):
        for other in claim.also:
            if other not in by_name:
                others.setdefault(other, []).append(claim)
    by_name |= others
    return Facts(
        {name: tuple(claims) for name, claims in by_name.items()},
        seen,
        denied,
        any(claim.status == "absent" for claim in by_name.get("abnormality", ())),
        clear,
    )


_Verdict = tuple[bool, str]
_FINE: _Verdict = (False, "")


def _judge(claim: Claim, facts: Facts) -> _Verdict:
    """(whether the report denies it, what is wrong); the second is "" where nothing is."""
    if claim.name == "clear":
        return _judge_clear(claim, facts)
    if _kind(claim.name) in _UNCLAIMED:
        stated = any(_kind(seen.name) != "device" for seen in facts.seen)
        wrong = claim.name == "abnormality" and claim.status == "absent" and stated
        return (True, "negation") if wrong and not facts.is_normal else _FINE
    same = facts.by_name.get(claim.name, ())
    present = [c for c in same if c.status == "present"]
    uncertain = [c for c in same if c.status == "uncertain"]
    if claim.status == UNMENTIONED:
        return (True, "negation") if present or uncertain else _FINE
    if claim.status == "absent":
        return _judge_denial(claim, facts, present or uncertain)
    if present or uncertain:
        return _judge_attributes(claim, [*present, *uncertain], doubted=not present)
    return _judge_new(claim, facts)


def _judge_denial(claim: Claim, facts: Facts, stated: list[Claim]) -> _Verdict:
    same = facts.by_name.get(claim.name, ())
    if any(c.status == "absent" for c in same):
        return _FINE
    if stated:
        meant = [c for c in stated if _covers(claim, c)]
        return (True, "negation") if meant else _FINE
    if any(_includes(claim.name, c.name) and _covers(claim, c) for c in facts.seen):
        return True, "negation"
    is_lung = _class(claim.name) in LUNG_CLASSES
    if facts.is_normal or (is_lung and facts.clear) or _related(claim.name, facts.denied):
        return _FINE
    return False, "denial"


def _covers(denial: Claim, stated: Claim) -> bool:
    """Whether a denial speaks of what is stated: *no large effusion* does not of a small one."""
    if denial.sides and stated.sides and not denial.sides & stated.sides:
        return False
    if denial.zones and stated.zones and not denial.zones & stated.zones:
        return False
    if denial.change and denial.change != stated.change:
        return False
    return not denial.level or bool(set(denial.level) & set(stated.level))


def _judge_attributes(claim: Claim, stated: list[Claim], *, doubted: bool) -> _Verdict:
    place = _judge_place(claim, stated)
    too_sure = doubted and claim.status == "present"
    if place[1] and (place[0] or not too_sure):
        return place
    changes = {c.change for c in stated if c.change}
    if claim.change and claim.change not in changes:
        if _OPPOSITE.get(claim.change) in changes:
            return True, "change"
        return False, "change"
    if too_sure:
        return False, "certainty"
    ranks = load_lexicon().ranks
    said = [ranks[level] for level in claim.level if level in ranks]
    known = [ranks[level] for c in stated for level in c.level if level in ranks]
    if said and known and min(abs(a - b) for a in said for b in known) >= _CLEARLY_OTHER:
        return False, "degree"
    return _FINE


def _judge_place(claim: Claim, stated: list[Claim]) -> _Verdict:
    sided = [c for c in stated if c.sides]
    if claim.sides and not sided:
        return False, "side"
    alike = [c for c in sided if claim.sides <= c.sides] if claim.sides else stated
    if claim.sides and not alike:
        if not claim.sides <= frozenset().union(*(c.sides for c in sided)):
            return True, "side"
        alike = sided
    zoned = [c for c in alike if c.zones]
    if claim.zones and zoned and not any(claim.zones & c.zones for c in zoned):
        return True, "place"
    return _FINE


def _judge_new(claim: Claim, facts: Facts) -> _Verdict:
    """A finding the report does not state in these words."""
    if claim.name in facts.denied:
        away = [c for c in facts.by_name[claim.name] if c.sides]
        only_there = away and claim.sides and not any(claim.sides & c.sides for c in away)
        return (False, "finding") if only_there else (True, "negation")
    alike = [c for c in facts.seen if _alike(claim.name, c.name)]
    if alike:
        return _judge_place(claim, alike) if claim.sides else _FINE
    if _class(claim.name) in LUNG_CLASSES and any(
        not c.sides or not claim.sides or claim.sides <= c.sides for c in facts.clear
    ):
        return True, "negation"
    if facts.is_normal and not facts.seen and _kind(claim.name) != "device":
        return True, "negation"
    return False, "finding"


def _judge_clear(claim: Claim, facts: Facts) -> _Verdict:
    if facts.clear:
        return _FINE
    stated = [c for c in facts.seen if c.status == "present" and _class(c.name) in LUNG_CLASSES]
    if any(not claim.sides or not c.sides or claim.sides & c.sides for c in stated):
        return True, "negation"
    return _FINE


def _alike(claimed: str, stated: str) -> bool:
    """Whether a claim may rest on another name in the report."""
    class_ = _class(stated)
    return (
        _includes(claimed, stated)
        or _includes(stated, claimed)
        or (class_ in _ALIKE and class_ == _class(claimed))
    )


def _includes(general: str, special: str) -> bool:
    """Whether one name stands for the other as well: *fracture* for *rib fracture*."""
    return special.endswith(f" {general}") or _class(special) in _WIDE.get(general, ())


def _related(name: str, names: Iterable[str]) -> bool:
    return any(_alike(other, name) or _alike(name, other) for other in names)


@cache
def _class(name: str) -> str:
    finding = load_lexicon().by_name.get(name)
    return finding.classes[0] if finding is not None and finding.classes else ""


@cache
def _kind(name: str) -> str:
    finding = load_lexicon().by_name.get(name)
    return finding.kind if finding is not None else ""


def is_named(finding: str, report: str) -> bool:
    """Whether a report speaks of a finding, also by a denial or by another word for it.

    Args:
        finding: canonical name.
        report: the text.
    """
    facts = facts_of(report)
    return finding in facts.by_name or _related(finding, facts.by_name)
