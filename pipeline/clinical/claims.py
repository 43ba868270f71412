"""What an answer claims about the image: findings with status and place, as the rules read them.

An answer is no report. It speaks to patients (*fluid around the left lung*), explains terms (a
definition claims nothing), says that the report does not mention something, and begins with *yes*
or *no*, which only the question gives a meaning. A Chinese answer about an English report is read
by the Chinese rules, and its findings carry their English names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

from pipeline.clinical.extract import forget_sentences, read_sentences
from pipeline.clinical.lay_terms import in_clinical_words
from pipeline.clinical.lexicon import load_lexicon, read_rows
from pipeline.clinical.mentions import Mention
from pipeline.clinical.sentences import split_sentences
from pipeline.core.resources import resource_path

UNMENTIONED = "unmentioned"
"""Status of a claim that the report says nothing about a finding."""

_DEFINES = re.compile(
    r"\b(?:means|stands? for|refers? to|is short for|is defined as|is when|known as"
    r"|is (?:an? |the )?(?:medical |radiology )?(?:term|word|abbreviation|name|condition))\b"
    r"|代表|是指|指的是|의미|약자",
    re.IGNORECASE,
)
_SPEAKS_OF_THE_IMAGE = re.compile(
    r"\b(?:this|that|which|it|report|result|x-?ray)\s+(?:also\s+)?means\b", re.IGNORECASE
)
_CONDITIONAL = re.compile(r"\s*(?:if|should|whether)\b", re.IGNORECASE)
_SAYS_NOTHING = re.compile(
    r"\b(?:not|n't|never)\s+(?:\w+ )?"
    r"(?:mention|describe|comment|specif|state|address|report|document|say|contain|include)"
    r"|\bno (?:mention|information|comment)\b|没有提到|未提及|未提到",
    re.IGNORECASE,
)
_YES = re.compile(r"\W*(yes|correct|是的|是|有|네|예)\b", re.IGNORECASE)
_NO = re.compile(r"\W*(no|不是|没有|否|아니요|아니오)\b(?=\s*[,.;:!-]|\s*$)", re.IGNORECASE)
_ASKS_WHETHER = re.compile(
    r"\W*(?:is|are|was|were|does|do|did|has|have|can|could)\b", re.IGNORECASE
)
_ALTERNATIVES = re.compile(r"\bor\b|\bversus\b|\bvs\b", re.IGNORECASE)
_NORMAL = re.compile(
    r"\bnormal (?:portable |frontal )?(?:chest|study|exam\w*|radiograph|x-?ray)\b"
    r"|\b(?:chest|study|exam(?:ination)?|radiograph|x-?ray) (?:is|was|are|appears?|looks?) "
    r"(?:entirely |completely |totally )?(?:normal|unremarkable)\b",
    re.IGNORECASE,
)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1cff\u3040-\u30ff\uac00-\ud7af]")
_QUOTE_END = re.compile(r'(?<=\w)[”"](?=\s*(?:[“"A-Z]|$))')
_QUOTE = re.compile(r'[“”„"*]')
_FIRST_WORD = re.compile(r"\A\W*(?:yes|no|correct)\s*[,.;:]", re.IGNORECASE)
_CHAMBER = re.compile(r"\b(?:left|right) (?:atri|ventric|heart)\w*|[左右]心[房室]|中[央心线]型?")
_SIDE_WORDS = {
    "left": "left", "right": "right", "bilateral": "left right", "both": "left right",
    "bibasilar": "left right", "bibasal": "left right", "biapical": "left right",
    "左": "left", "右": "right", "双": "left right", "两": "left right",
}  # fmt: skip
_ZONE_WORDS = {
    "upper": "upper", "apex": "upper", "apices": "upper", "apical": "upper", "biapical": "upper",
    "middle": "mid", "mid": "mid", "lingula": "mid", "lingular": "mid",
    "lower": "lower", "base": "lower", "bases": "lower", "basal": "lower", "basilar": "lower",
    "bibasilar": "lower", "bibasal": "lower", "上": "upper", "中": "mid", "下": "lower",
    "尖": "upper", "底": "lower", "舌": "mid",
}  # fmt: skip
_SIDED_PARTS = (
    ("middle lobe", "right"), ("lingula", "left"), ("中叶", "right"), ("舌", "left"),
)  # fmt: skip
"""Parts that only one lung has."""

_MANY = frozenset({"multiple", "scattered", "multifocal", "多发", "散在", "多灶性"})
_PLACE = re.compile(r"[a-z]+|[左右双两上中下尖底舌]")


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding as an answer or a report speaks of it.

    Attributes:
        name: canonical English name.
        status: ``present``, ``uncertain``, ``absent`` or :data:`UNMENTIONED`.
        sides: of ``left`` and ``right``.
        zones: of ``upper``, ``mid`` and ``lower``.
        level: degrees and sizes; likewise ``change``.
        span: where its words are in the text.
        implied: whether it follows from normality (*heart size is normal*), not from its own words.
        hedged: whether it is stated as likely (*consistent with*, *考虑*).
        also: other names that the same words stand for in another language (*感染* is *pneumonia*
            or *inflammation*).
        many: whether several are spoken of (*multiple*, *多发*).
    """

    name: str
    status: str
    sides: frozenset[str]
    zones: frozenset[str]
    level: tuple[str, ...]
    change: str
    span: tuple[int, int]
    implied: bool = False
    hedged: bool = False
    also: tuple[str, ...] = ()
    many: bool = False


def can_read(text: str) -> bool:
    """Whether the rules know the language of ``text``: Latin letters, or Chinese ones."""
    return not _OTHER_SCRIPT.search(text)


def claims_of(text: str) -> list[Claim]:
    """Every finding a text that describes an image speaks of, in order."""
    found = [
        claim if not start else _moved(claim, start)
        for start, mentions in read_sentences(text, _rules_for(text))
        for claim in _claims_in(tuple(mentions))
    ]
    lowered = text.lower()
    if "normal" in lowered or "unremarkable" in lowered:
        found += [_all_normal(match.span()) for match in _NORMAL.finditer(text)]
    return found


def answer_claims(answer: str, instruction: str = "") -> list[Claim]:
    """Every claim of an answer; spans are places in ``answer``."""
    made = list(_yes_or_no(answer, instruction))
    clinical = in_clinical_words(_as_prose(answer))
    sentences = [
        (start, end, clinical.text[start:end]) for start, end in split_sentences(clinical.text)
    ]
    at = 0
    for claim in sorted(claims_of(clinical.text), key=lambda claim: claim.span):
        while at < len(sentences) - 1 and claim.span[0] >= sentences[at][1]:
            at += 1
        sentence = sentences[at][2]
        if _CONDITIONAL.match(sentence):
            continue
        if _DEFINES.search(sentence) and not _SPEAKS_OF_THE_IMAGE.search(sentence):
            continue
        if _SAYS_NOTHING.search(sentence):
            claim = replace(claim, status=UNMENTIONED)
        made.append(replace(claim, span=clinical.before(claim.span)))
    return made


def _as_prose(text: str) -> str:
    """The same text, place by place, as a report would have it.

    A quotation ends a sentence as a full stop does, and *no* before a comma denies nothing behind.
    """
    text = _QUOTE.sub(" ", _QUOTE_END.sub(".", text))
    return _FIRST_WORD.sub(lambda word: " " * len(word[0]), text)


def question_claims(instruction: str) -> list[Claim]:
    """The findings an instruction speaks of; their status is that of the words alone."""
    return list(_question_claims(instruction))


@lru_cache(maxsize=256)  # a question is looked at by several checks in turn
def _question_claims(instruction: str) -> tuple[Claim, ...]:
    return tuple(claims_of(in_clinical_words(instruction).text))


def _yes_or_no(answer: str, instruction: str) -> Iterator[Claim]:
    """What *yes* or *no* says of the one finding that the question asks about."""
    word = _YES.match(answer) or _NO.match(answer)
    if word is None or not _ASKS_WHETHER.match(instruction) or _ALTERNATIVES.search(instruction):
        return
    asked = question_claims(instruction)
    if len({claim.name for claim in asked}) != 1 or asked[0].status not in ("present", "absent"):
        return
    agrees = (asked[0].status == "present") == (word.re is _YES)
    status = "present" if agrees else "absent"
    yield replace(asked[0], status=status, span=word.span(1))


@lru_cache(maxsize=20_000)  # as many as sentences are kept
def _claims_in(mentions: tuple[Mention, ...]) -> tuple[Claim, ...]:
    """The claims of a sentence; spans count from its start."""
    return tuple(made for mention in mentions if (made := _claim(mention)) is not None)


def forget_claims() -> None:
    """Empties the memory of sentences read before; only measurements need it."""
    forget_sentences()
    _claims_in.cache_clear()


def _moved(claim: Claim, by: int) -> Claim:
    """The claim of a sentence that starts at ``by``; `replace` takes three times as long."""
    start, end = claim.span
    return Claim(
        claim.name,
        claim.status,
        claim.sides,
        claim.zones,
        claim.level,
        claim.change,
        (start + by, end + by),
        claim.implied,
        claim.hedged,
        claim.also,
        claim.many,
    )


def _claim(mention: Mention) -> Claim | None:
    if mention.status not in ("present", "uncertain", "absent"):
        return None
    name, level = mention.name, mention.level
    also: tuple[str, ...] = ()
    if not name.isascii():
        name, *others = _english_names().get(name, ("",))
        also = tuple(others)
        level = tuple(_english_levels().get(degree, degree) for degree in level)
    if not name:
        return None
    sides, zones = _place(mention.location)
    return Claim(
        name,
        mention.status,
        sides,
        zones,
        level,
        mention.change,
        mention.span,
        implied=mention.rule == "normal",
        hedged=mention.status == "present" and bool(mention.trigger),
        also=also,
        many=not _MANY.isdisjoint(mention.type),
    )


def _all_normal(span: tuple[int, int]) -> Claim:
    return Claim("abnormality", "absent", frozenset(), frozenset(), (), "", span)


@lru_cache(maxsize=4096)
def _place(location: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    words = _PLACE.findall(_CHAMBER.sub("", " ".join(location)))
    sides = {side for word in words for side in _SIDE_WORDS.get(word, "").split()}
    sides |= {side for part, side in _SIDED_PARTS if any(part in place for place in location)}
    zones = {_ZONE_WORDS[word] for word in words if word in _ZONE_WORDS}
    return frozenset(sides), frozenset(zones)


def _rules_for(text: str) -> Path | None:
    return _chinese_rules() if _HAN.search(text) else None


@cache
def _chinese_rules() -> Path:
    return resource_path("libs", "zh")


@cache
def _english_names() -> dict[str, tuple[str, ...]]:
    """Chinese canonical name -> English ones, the usual one first, from the Chinese library.

    Its notes hold them, separated by ``;``; what the English lexicon does not know is left out.
    """
    lexicon = load_lexicon()
    found: dict[str, tuple[str, ...]] = {}
    for row in read_rows(_chinese_rules() / "disease_lib.csv", ("official_name", "notes")):
        names = tuple(filter(None, map(lexicon.canonical, row["notes"].split(";"))))
        if names:
            found[row["official_name"]] = names
    return found


@cache
def chinese_wordings() -> dict[str, tuple[str, ...]]:
    """English canonical name -> the Chinese wordings of the finding that it usually names."""
    names = _english_names()
    found: dict[str, tuple[str, ...]] = {}
    for finding in load_lexicon(_chinese_rules()).findings:
        for name in names.get(finding.name, ())[:1]:
            wordings = tuple(word for word in finding.wordings if len(word) > 1)
            found[name] = (*found.get(name, ()), *wordings)
    return found


@cache
def _english_levels() -> dict[str, str]:
    """Chinese degree -> the English one of the same rank, from the notes of the library."""
    levels = load_lexicon().levels
    return {
        row["canonical"]: levels[row["notes"]]
        for row in read_rows(_chinese_rules() / "level_lib.csv", ("canonical", "notes"))
        if row["notes"] in levels
    }
