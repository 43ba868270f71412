"""Findings of a translation by name: what one text names, the other must name as well.

Two people name one thing in two ways, and the rules of neither language read every sentence. So a
name that only one text has is flagged, not rejected, where the other text has a name of its kin,
holds the words for it unread, or (for what has no plain word) words that no rule knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TypeAlias

from pipeline.clinical import chinese
from pipeline.clinical.claims import Claim, chinese_wordings
from pipeline.clinical.glossary import NAMING, Glossary, Term
from pipeline.clinical.kin import has_kin
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.rulebook import load_rulebook, match
from pipeline.clinical.sentences import words
from pipeline.clinical.text_check import Verdict

Span: TypeAlias = tuple[int, int]
"""Start and end of a sentence."""

_WORD = re.compile(r"[^\W\d_]+")
_FEW = 2
_FULL = 1.5
"""Characters for a word of the source from which nothing is likely to be left out."""

_LONG_WORD = 7
"""Letters from which a word is taken to be telling."""

_DEGREE = re.compile(
    r"[轻中重]度|轻微|明显|显著|稍|略|少许|局限性|弥漫性?|普遍|部分|完全|大部|广泛"
)
_CAPITALS = re.compile(r"\b[A-Z]{2,4}\b")
_CLAUSE = re.compile(r"[^，。；,;]+")
CLEAR = "clear"
_UNNAMED = frozenset({"general", "artifact"})
_LOOSE = frozenset({"postsurgical change", "cardiac silhouette abnormality", "obscured diaphragm"})
"""Names that one language says in passing: 术后 in many terms, *obscuring the heart border*."""

_APPEARS = re.compile(r"\b(?:accentuat|exaggerat|magnif|amplif)\w+", re.IGNORECASE)
_APPEARS_CHINESE = re.compile(r"显得|放大|夸大")
_SEEMING = frozenset(
    {
        "cardiomegaly", "vascular congestion", "interstitial markings", "widened mediastinum",
        "hilar prominence", "bronchovascular crowding",
    }
)  # fmt: skip
"""What is said to be there and only looks so: *accentuates the heart*, 使心影显得增大."""

_SHADOWS = frozenset(
    {
        "opacity", "density", "nodular opacity", "airspace opacity", "interstitial opacity",
        "infiltrate", "airspace disease",
    }
)  # fmt: skip
_SHADOW = re.compile(r"(?<![心隔门管])影|密度|模糊|致密")
"""What has no name of its own, and the Chinese words for anything of the kind."""

_PLAIN = frozenset(
    {
        "pneumothorax", "pleural effusion", "fracture", "pneumonia", "consolidation",
        "pulmonary edema", "mass", "nodule", "cardiomegaly", "tuberculosis", "malignancy",
    }
)  # fmt: skip
"""Findings that have plain words in English, so that the rules read them wherever they stand."""

_GENERIC = frozenset({"catheter", "tube", "drain", "medical device", "cardiac device"})
"""Devices by a general name: no new one where another device is spoken of."""


def check_names(
    verdict: Verdict,
    said: list[Claim],
    told: list[Claim],
    source: str,
    translation: str,
    glossary: Glossary,
    pairs: list[tuple[Span, Span]],
) -> None:
    """Findings by name: what one text names, the other must name as well."""
    own = [claim for claim in said if _is_named(claim)]
    theirs = [claim for claim in told if _is_named(claim)]
    told_names = {name for claim in told for name in (claim.name, *claim.also)}
    stated = {name for c in told for name in (c.name, *(c.also if c.status != "absent" else ()))}
    said_names = {claim.name for claim in said}
    said_devices = {claim.status == "absent" for claim in said if is_device(claim.name)}
    told_devices = {claim.status == "absent" for claim in told if is_device(claim.name)}
    terms = glossary.select(source)
    lost = [
        claim
        for claim in own
        if not _is_among(claim, told_names if claim.status == "absent" else stated)
        and not (claim.name in _GENERIC and (claim.status == "absent") in told_devices)
        and not _is_written(claim.name, translation, glossary)
    ]
    added = [
        claim
        for claim in theirs
        if not _is_among(claim, said_names)
        and not (claim.name in _GENERIC and (claim.status == "absent") in said_devices)
        and not any(_is_worded(name, source) for name in (claim.name, *claim.also))
        and not _is_inside(claim, terms, translation)
    ]
    sure = not lost or bool(added) or not any(True for _ in chinese.unread(translation))
    for claim in lost:
        doubted = (
            has_kin(claim, told)
            or _is_worded_on(claim, said, told_names)
            or (claim.name in _SHADOWS and claim.status != "absent" and _SHADOW.search(translation))
            or (not added and _is_full(claim, source, translation, pairs))
            or (claim.status == "absent" and _denies_unread(translation, told))
            or (claim.name in _SEEMING and _APPEARS_CHINESE.search(translation))
        )
        if sure and not doubted:
            verdict.reject("finding", claim.name)
        else:
            verdict.flag("unread", claim.name)
    for claim in added:
        if claim.status == "absent" and not lost and _denied_anyway(said):
            verdict.flag("denial", claim.name, claim.span)
        elif (
            has_kin(claim, said)
            or (claim.status == "absent" and is_device(claim.name))
            or (claim.name in _SEEMING and _APPEARS.search(source))
            or (not lost and _may_be_unread(claim, source, pairs))
            or (claim.status == "absent" and pairs and claim.name not in _PLAIN)
            or (not said and claim.name not in _PLAIN)
        ):
            verdict.flag("finding", claim.name, claim.span)
        else:
            verdict.reject("finding", claim.name, claim.span)
    for term in terms:
        named = term.kind in NAMING and term.english not in told_names
        if named and not any(word.lower() in translation.lower() for word in term.chinese):
            verdict.flag("glossary", term.english)


def _is_full(claim: Claim, source: str, translation: str, pairs: list[tuple[Span, Span]]) -> bool:
    """Whether the sentence that should hold a lost claim is as long as if it did."""
    if claim.name in _PLAIN:
        return False
    return any(
        sum(map(str.isalnum, translation[han[0] : han[1]]))
        >= _FULL * len(_WORD.findall(source[start:end]))
        for (start, end), han in pairs
        if start <= claim.span[0] < end
    )


def _is_inside(claim: Claim, terms: Iterable[Term], translation: str) -> bool:
    """Whether the words of a claim are part of an accepted translation of a longer term."""
    start, end = claim.span
    for term in terms:
        for word in term.chinese:
            at = translation.find(word, max(0, start - len(word)))
            if 0 <= at < end and at + len(word) > start and len(word) > end - start - 1:
                return True
    return False


def _may_be_unread(claim: Claim, source: str, pairs: list[tuple[Span, Span]]) -> bool:
    """Whether the sentence that a claim translates holds a word that the rules do not know."""
    return claim.name not in _PLAIN and any(
        english_unread(source[start:end])
        for (start, end), han in pairs
        if han[0] <= claim.span[0] < han[1]
    )


@lru_cache(maxsize=256)
def english_unread(sentence: str) -> tuple[str, ...]:
    """The words of five and more letters and the abbreviations that no rule knows."""
    rulebook = load_rulebook()
    capitals = {word.lower() for word in _CAPITALS.findall(sentence)}
    tokens = words(rulebook.readable(sentence))
    found: list[str] = []
    index = 0
    while index < len(tokens):
        entry, end = match(rulebook.tree, tokens, index)
        token = tokens[index]
        telling = entry is None and ((len(token) >= _STEM and token.isalpha()) or token in capitals)
        if telling and token not in rulebook.fillers and token not in _NO_FINDING:
            found.append(token)
        index = max(end, index + 1)
    return tuple(found)


_NO_FINDING = frozenset(
    {
        "patient", "image", "images", "imaging", "radiograph", "radiographs", "which", "these",
        "those", "where", "while", "other", "otherwise", "there", "their", "through", "region",
        "appearance", "appears", "appear", "present", "visible", "visualized", "identified",
        "evidence", "status", "approximately", "about", "measuring", "measures", "overall",
    }
)  # fmt: skip


def _is_worded_on(claim: Claim, said: Iterable[Claim], names: set[str]) -> bool:
    """*Mass-like opacity*: one thing in two words, of which the translation has the other."""
    return any(
        abs(claim.span[0] - other.span[1]) <= _LONG_WORD and other.name in names
        for other in said
        if other.status == claim.status
    )


def _denies_unread(translation: str, told: list[Claim]) -> bool:
    """Whether a clause denies something that the rules did not read, or no finding in particular.

    *胸膜未见病变*, *，无扩张*: what the source denies may be that.
    """
    absent = [claim for claim in told if claim.status == "absent"]
    return any(
        chinese.denies(clause[0])
        and all(is_general(c.name) for c in absent if clause.start() <= c.span[0] < clause.end())
        for clause in _CLAUSE.finditer(translation)
    )


def _denied_anyway(said: list[Claim]) -> bool:
    """Whether the source calls the image normal, so that a denial adds nothing."""
    return any(c.name == CLEAR or (c.name == "abnormality" and c.status == "absent") for c in said)


def _is_named(claim: Claim) -> bool:
    """Whether a claim names something that a translation must keep."""
    if claim.implied or claim.name == CLEAR:
        return False
    known = claim.name in load_lexicon().by_name
    return known and not is_general(claim.name) and claim.name not in _LOOSE


@cache
def is_general(name: str) -> bool:
    """Whether a name is no finding of its own: *abnormality*, *artifact*."""
    finding = load_lexicon().by_name.get(name)
    return finding is not None and finding.kind in _UNNAMED


def _is_among(claim: Claim, names: set[str]) -> bool:
    """Whether a claim can be of one of the names: the same, or one that is more general."""
    if claim.name in names or not names.isdisjoint(claim.also):
        return True
    return any(claim.name.endswith(f" {name}") or name.endswith(f" {claim.name}") for name in names)


@cache
def is_device(name: str) -> bool:
    """Whether a name is a device."""
    return load_lexicon().is_device(name)


def _is_written(name: str, translation: str, glossary: Glossary) -> bool:
    """Whether a translation holds an accepted term for a name, though the rules did not see it."""
    lowered = translation.lower()
    term = glossary.find(name)
    if term is not None and any(word.lower() in lowered for word in term.chinese):
        return True
    bare = _DEGREE.sub("", lowered)  # 高度轻度减低
    return any(w in lowered or w in bare for w in chinese_wordings().get(name, ()))


def _is_worded(name: str, source: str) -> bool:
    """Whether the words of a name stand in the source, though the rules did not see it."""
    lowered = source.lower()
    finding = load_lexicon().by_name.get(name)
    if finding is not None and any(_root(wording) in lowered for wording in finding.wordings):
        return True
    alone = set(_WORD.findall(lowered))
    if any(word in alone or f"{word}s" in alone for word in _own_words().get(name, ())):
        return True
    said = _stems(alone)
    return finding is not None and any(stems <= said for stems in _stems_of(name))


@cache
def _root(wording: str) -> str:
    """What *nodule* has in common with *fibronodular*; several words are taken whole."""
    return wording if " " in wording else wording[: max(_STEM, len(wording) - 2)]


_STEM = 5
_PARTS = (
    ("stoma", "gastr"), ("heart", "cardi"), ("lungs", "pulmo"), ("lung", "pulmo"),
    ("kidne", "renal"), ("liver", "hepat"), ("blood", "vascu"), ("vesse", "vascu"),
    ("ribs", "rib"), ("bones", "bone"), ("nodes", "node"), ("spine", "spina"),
    ("windp", "trach"), ("hila", "hilar"), ("hilum", "hilar"), ("aorta", "aorti"),
    ("verte", "spina"), ("fluid", "effus"), ("dilat", "diste"), ("air", "gas"),
    ("enlar", "promi"), ("diaph", "hemid"), ("pleur", "pleur"), ("shift", "devia"),
)  # fmt: skip
"""Beginnings of words of one meaning."""


def _stems(words: Iterable[str]) -> frozenset[str]:
    """The beginnings of words, and of those that mean the same."""
    found = {word[:_STEM] for word in words}
    found |= {b for a, b in _PARTS if a in found} | {a for a, b in _PARTS if b in found}
    return frozenset(found)


@cache
def _stems_of(name: str) -> tuple[frozenset[str], ...]:
    """The beginnings of the words of every wording of two words and more."""
    finding = load_lexicon().by_name[name]
    return tuple(
        frozenset(word[:_STEM] for word in wording.split(" "))
        for wording in finding.wordings
        if " " in wording
    )


@cache
def _own_words() -> dict[str, list[str]]:
    """Finding -> the long words that stand in the wordings of hardly any other finding."""
    names: dict[str, set[str]] = {}
    for finding in load_lexicon().findings:
        for wording in finding.wordings:
            for word in wording.split(" "):
                if len(word) >= _LONG_WORD:
                    names.setdefault(word, set()).add(finding.name)
    found: dict[str, list[str]] = {}
    for word, owners in names.items():
        if len(owners) <= _FEW:
            for owner in owners:
                found.setdefault(owner, []).append(word)
    return found
