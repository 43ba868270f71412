"""Whether a translation says what its source says: what can be checked without a translator.

Without knowing the language: ``empty``, ``truncated``, ``refusal``, ``wrong_language``,
``untranslated`` (Latin words left, or words of the source copied), ``number`` (a number or unit is
missing, changed or new), ``length``. For Chinese also ``script`` (the other kind of characters),
``side`` (left, right or both swapped, lost or new), ``negation`` (lost or added), ``finding`` (lost
or added, by name), ``place``, ``change``, ``certainty`` (a suspicion became a statement) and
``degree``. The findings of both texts are compared by their canonical English names.

It is meant to be sure before it rejects: a finding counts as lost only where the translation was
read in full, or another finding stands in its place; otherwise it is flagged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from pipeline.clinical import chinese
from pipeline.clinical.claims import Claim, claims_of
from pipeline.clinical.glossary import Glossary, load_glossary
from pipeline.clinical.grounding import Issue, facts_from, ground_claims
from pipeline.clinical.heavier_side import heavier_side, heavier_side_chinese
from pipeline.clinical.instructing.answers import wrong_answer
from pipeline.clinical.instructing.language import language_code
from pipeline.clinical.quantities import quantities
from pipeline.clinical.sentences import sentence_spans
from pipeline.clinical.text_check import TextCheck, Verdict
from pipeline.clinical.translation_names import CLEAR, Span, check_names, is_device, is_general

ANY_LANGUAGE = ("form", "language", "untranslated", "numbers", "length")
"""Checks that need no rules of the language."""

CHINESE = ("script", "sides", "negation", "findings", "glossary")
"""Checks that need the Chinese rules."""

_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*[A-Za-z]|[A-Za-z]")
_WORD = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(r"[^\W\d_]")
_MARKS = frozenset({"cm", "mm", "ml", "x", "b", "s", "kg", "hu", "am", "pm"})
_BONE = re.compile(r"(?<![A-Za-z])[CTLSctls]\d{1,2}(?!\d)")
_CAPITALS = re.compile(r"[A-Z]{2,6}\Z")
_COPIED = 4
"""Words of the source in a row that a translation into another Latin language may not hold."""

_RATIO = {"zh": (0.4, 4.2), "ja": (0.7, 6.0), "ko": (0.5, 4.5)}
"""Characters of the translation (blanks and marks aside) for one word of the source."""

_LETTERS = (0.45, 2.4)
"""The same for other languages: letters for one letter."""

_LEAST_WORDS = 6
"""Words of a source from which its length says anything."""

_LEFT = re.compile(r"\bleft\b(?!ward)|\bleft-|\blevo\w+|\b(?:lul|lll)\b", re.I)
_RIGHT = re.compile(
    r"\bright\b(?!ward| (?:clinical |patient )?(?:setting|context))|\bright-|\bdextro\w+"
    r"|\b(?:rul|rml|rll)\b",
    re.I,
)
_BOTH = re.compile(r"\bbilateral(?:ly)?\b|\bbi(?:bas|apic|hil)\w+", re.I)
_ANY_SIDE = re.compile(r"left|right|levo|dextro|bi(?:lat|bas|apic|hil)|l[ul]l|r[uml]l", re.I)
_HAN_SIDE = re.compile(r"[左右双两]")
_BOTH_LOOSELY = re.compile(r"\bboth\b|\b\w+s\b", re.I)
_TO_LEFT = re.compile(
    r"\bleft|\blevo|\blingul|\blul\b|\blll\b|\bcardiac apex|\baortic (?:kn|ar)", re.I
)
_TO_RIGHT = re.compile(
    r"\bright|\bdextro|\bmiddle lobe|\b(?:minor|horizontal) fissure|\bazygos|\br[uml]l\b"
    r"|\bcholecystectomy|\bgallbladder|\bcavoatrial|\bsvc\b|\bsuperior vena", re.I,
)  # fmt: skip
_NOT = re.compile(
    r"\b(?:no|not|without|none|never|nor|neither|absent|absence|negative|free (?:of|from)|denies"
    r"|lack\w*|resolv\w+|remov\w+|gone|clear(?:ed|ing)|disappear\w*|non)\b|n't\b|\bnon-", re.I,
)  # fmt: skip
_NOT_SURE = re.compile(
    r"\b(?:cannot|can not|not exclude\w*|rule[ds]? out|exclude[ds]?|not only)\b", re.I
)
_FINE = re.compile(
    r"\b(?:normal\w*|clear|unremarkable|intact|midline|sharp|within|stable|unchanged|well|limits"
    r"|un\w{4,}|in(?:com|suf|de|dis)\w+|non\w+|dis(?!plac|eas|c|sec|te|ta)\w+|only|otherwise|free|preserved|maintained)\b",
    re.I,
)
_MOVED = frozenset({"tracheal deviation", "mediastinal shift"})
"""What goes to a side, often because of something on the other."""


def check_translation(
    source: str,
    translation: str,
    language: str = "Chinese",
    *,
    script: str = "simplified",
    glossary: Glossary | None = None,
    finish_reason: str = "stop",
) -> TextCheck:
    """Compare a translation with its English source.

    Args:
        source: the English text.
        translation: its translation.
        language: name or ISO 639-1 code of the language asked for.
        script: ``simplified`` or ``traditional``, for Chinese.
        glossary: accepted terms; the packaged one by default.
        finish_reason: how the model ended; ``length`` means cut.
    """
    verdict = Verdict()
    code = language_code(language)
    verdict.checking("form", "language")
    wrong = wrong_answer(translation, "", language=language, finish_reason=finish_reason)
    if wrong is not None:
        verdict.reject(wrong)
        return verdict.done()
    if code == "zh" and not chinese.HAN.search(translation):
        verdict.reject("wrong_language")
        return verdict.done()
    verdict.checking(*ANY_LANGUAGE)
    glossary = glossary if glossary is not None else load_glossary()
    for span in _untranslated(source, translation, code, glossary):
        verdict.reject("untranslated", span=span)
    _check_numbers(verdict, source, translation)
    _check_length(verdict, source, translation, code)
    if code == "zh":
        verdict.checking(*CHINESE)
        if chinese.script_issues(translation, script):
            verdict.reject("script")
        _check_chinese(verdict, source, translation, glossary)
    return verdict.done()


def languages_with_rules() -> tuple[str, ...]:
    """ISO 639-1 codes of the languages whose findings, sides and negations are checked."""
    return ("zh",)


def _untranslated(
    source: str, translation: str, code: str, glossary: Glossary
) -> Iterator[tuple[int, int]]:
    if code in ("zh", "ja", "ko", "ru"):
        text = _BONE.sub(lambda bone: " " * len(bone[0]), translation)
        for match in _LATIN_WORD.finditer(text):
            if not _may_stay(match[0], source, glossary):
                yield match.span()
        return
    own = [word.lower() for word in _WORD.findall(source)]
    runs = {tuple(own[at : at + _COPIED]) for at in range(len(own) - _COPIED + 1)}
    words = list(_WORD.finditer(translation))
    for at in range(len(words) - _COPIED + 1):
        run = words[at : at + _COPIED]
        if tuple(word[0].lower() for word in run) in runs:
            yield run[0].start(), run[-1].end()
            return


def _may_stay(word: str, source: str, glossary: Glossary) -> bool:
    """Units, abbreviations and names of the glossary, and abbreviations of the source."""
    if word.lower() in _MARKS:
        return True
    if word.lower() in glossary.latin:
        return True
    return bool(_CAPITALS.match(word)) and word in source and not source.isupper()


def _check_numbers(verdict: Verdict, source: str, translation: str) -> None:
    own, theirs = quantities(source), quantities(translation)
    if own == theirs:
        return
    missing = own.said - theirs.all
    new = theirs.said - own.all
    miscounted = own.counted and theirs.counted and not own.counted & theirs.all
    if missing or new or miscounted:
        verdict.reject("number")


def _check_length(verdict: Verdict, source: str, translation: str, code: str) -> None:
    words = _WORD.findall(source)
    if len(words) < _LEAST_WORDS:
        return
    if code in _RATIO:
        least, most = _RATIO[code]
        ratio = sum(map(str.isalnum, translation)) / len(words)
    else:
        least, most = _LETTERS
        letters = sum(len(word) for word in words)
        ratio = sum(char.isalpha() for char in translation) / letters
    if not least <= ratio <= most:
        verdict.reject("length")


def _check_chinese(verdict: Verdict, source: str, translation: str, glossary: Glossary) -> None:
    translation = chinese.simplified(translation)
    said = list(_claims(source))
    told = claims_of(translation)
    pairs = _aligned(source, said, translation, told)
    texts = [(source[a:b], translation[c:d]) for (a, b), (c, d) in pairs]
    for english, han in texts or [(source, translation)]:
        if _wrong_side(english, han):
            verdict.reject("side")
    for english, han in texts:
        if _wrong_negation(english, han):
            verdict.reject("negation")
    _check_contradictions(verdict, said, told, source, translation)
    if _calls_abnormal(said, told, source) or _lost_normality(source, translation):
        verdict.reject("negation", "abnormality")
    check_names(verdict, said, told, source, translation, glossary, pairs)


@lru_cache(maxsize=64)  # a caption is compared with several translations, one after the other
def _claims(source: str) -> tuple[Claim, ...]:
    return tuple(claims_of(source))


def _aligned(
    source: str, said: list[Claim], translation: str, told: list[Claim]
) -> list[tuple[Span, Span]]:
    """The sentences of both texts in pairs, where both have as many and the findings agree.

    They agree where each pair has a finding in common or one of them has none; else a sentence was
    split or moved, and pairs would mislead.
    """
    own, theirs = _sentences(source, said), _sentences(translation, told)
    if len(own) != len(theirs):
        return []
    pairs = list(zip(own, theirs, strict=True))
    if len(pairs) > 1 and not all(a[1].isdisjoint(b[1]) <= (not (a[1] and b[1])) for a, b in pairs):
        return []
    return [(english, han) for (english, _), (han, _) in pairs]


def _sentences(text: str, claims: list[Claim]) -> list[tuple[Span, set[str]]]:
    """The sentences with letters, each with the names of its findings."""
    found: list[tuple[Span, set[str]]] = []
    named = [(claim.span[0], (claim.name, *claim.also)) for claim in claims]
    for start, end in sentence_spans(text):
        if _LETTER.search(text, start, end):
            names = {name for at, names in named if start <= at < end for name in names}
            found.append(((start, end), names))
    return found


def _wrong_side(english: str, han: str) -> bool:
    """Whether a side of one text is missing in the other."""
    if not _HAN_SIDE.search(han) and not _ANY_SIDE.search(english):
        return False
    sides = chinese.sides_of(han)
    left, right, both = _LEFT.search(english), _RIGHT.search(english), _BOTH.search(english)
    if not sides and not (left or right or both):
        return False
    if "left" in sides and not (both or _TO_LEFT.search(english)):
        return True
    if "right" in sides and not (both or _TO_RIGHT.search(english)):
        return True
    if left and not ("left" in sides or "both" in sides):
        return True
    if right and not ("right" in sides or "both" in sides):
        return True
    if both and not ("both" in sides or {"left", "right"} <= sides):
        return True
    heavier = heavier_side(english) if both or (left and right) else ""
    if heavier and heavier_side_chinese(han) not in ("", heavier):
        return True
    alone = bool(left) != bool(right) and "both" in sides and not {"left", "right"} & sides
    return alone and not both and not _BOTH_LOOSELY.search(english)


def _wrong_negation(english: str, han: str) -> bool:
    """Whether one sentence denies and the other neither denies nor calls anything normal."""
    if _NOT.search(english):
        return not (chinese.negates(han) or _NOT_SURE.search(english))
    return chinese.denies(han) and not (_FINE.search(english) or _NOT_SURE.search(english))


def _calls_abnormal(said: Sequence[Claim], told: list[Claim], source: str) -> bool:
    """Whether a translation speaks of something abnormal, and its source only of normality."""
    if "present" not in _statuses(told):
        return False
    general = _statuses(said)
    if general:
        return general == {"absent"}
    if "abnormal" in source.lower():
        return False
    return bool(said) and all(claim.status == "absent" or claim.name == CLEAR for claim in said)


def _lost_normality(source: str, translation: str) -> bool:
    """Whether *unremarkable* became 可见异常."""
    return bool(
        "异常" in translation
        and _SEES_ABNORMAL.search(translation)
        and _CALLS_NORMAL.search(source)
        and "abnormal" not in source.lower()
    )


_SEES_ABNORMAL = re.compile(r"(?<![未不])[可]?见(?:明显|明确)?异常")
_CALLS_NORMAL = re.compile(r"\b(?:unremarkable|normal)\b", re.IGNORECASE)


def _statuses(claims: Sequence[Claim]) -> set[str]:
    """How a text speaks of abnormalities in general."""
    return {claim.status for claim in claims if is_general(claim.name)}


def _check_contradictions(
    verdict: Verdict, said: list[Claim], told: list[Claim], source: str, translation: str
) -> None:
    """What the rules of grounding say of the translation, and of the source in turn."""
    spans = {claim.span: claim for claim in told}
    onward = ground_claims(told, facts_from(said))
    spread = _spread(told) | _spread(said) | _wide(said, source)
    absent = {claim.name for claim in told if claim.status == "absent"}
    denied = _NOT.search(source) or _FINE.search(source) or chinese.negates(translation)
    loose = _has_unread_side(source, said)
    for issue in onward.contradictions:
        doubtful = issue.finding in absent or not denied or _is_of_part(issue.finding, source)
        if issue.kind == "negation" and doubtful:
            verdict.flag(issue.kind, issue.finding, issue.span)  # in one place, not in another
        elif loose and issue.kind == "side":
            verdict.flag(issue.kind, issue.finding, issue.span)
        elif _is_sure(issue, spread):
            verdict.add([issue])
    for issue in onward.unsupported:
        claim = spans.get(issue.span)
        if issue.kind == "degree" or (
            issue.kind == "certainty"
            and claim is not None
            and not _hedged_beside(claim, told, translation)
        ):
            verdict.reject(issue.kind, issue.finding, issue.span)
        elif issue.kind in ("change", "certainty"):
            verdict.flag(issue.kind, issue.finding, issue.span)
    hedged = {(claim.name, claim.span) for claim in said if claim.hedged}
    backward = ground_claims(said, facts_from(told))
    verdict.add(
        replace(issue, span=(0, 0))
        for issue in backward.contradictions
        if _is_sure(issue, spread)
        and (issue.kind != "negation" or (denied and not _is_of_part(issue.finding, source)))
    )
    for issue in backward.unsupported:
        if issue.kind == "certainty" and (issue.finding, issue.span) not in hedged:
            verdict.flag("doubt_added", issue.finding)


def _hedged_beside(claim: Claim, told: list[Claim], translation: str) -> bool:
    """Whether the sentence of a claim hedges or doubts anything: *提示心衰，双侧积液*."""
    start = translation.rfind("。", 0, claim.span[0])
    end = translation.find("。", claim.span[0])
    return any(
        (other.hedged or other.status == "uncertain")
        and start < other.span[0] < (end if end >= 0 else len(translation))
        for other in told
    )


def _is_sure(issue: Issue, spread: frozenset[str]) -> bool:
    """Whether a contradiction is of a finding, and not of a side that it is not sure to have.

    That is the side to which something moved, the other end of a device, and the greatest of
    several things.
    """
    if issue.kind == "side":
        return issue.finding not in _MOVED and issue.finding not in spread
    return not is_general(issue.finding)


def _is_of_part(name: str, source: str) -> bool:
    """Whether what is denied of a device may be its tip, or what came after it."""
    return is_device(name) and _PART.search(source) is not None


_PART = re.compile(r"\b(?:tip|distal|side ?port|after|following)\b", re.IGNORECASE)


def _has_unread_side(source: str, said: Iterable[Claim]) -> bool:
    """*Large effusion on the right; small on the left*: a side of which nothing was read."""
    at = [claim.span[0] for claim in said]
    return any(
        _ANY_SIDE.search(source, start, end) and not any(start <= place < end for place in at)
        for start, end in sentence_spans(source)
    )


def _names_both(source: str) -> bool:
    """Whether a source says outright that something is on both sides."""
    return bool(
        _BOTH.search(source)
        or "both" in source.lower()
        or (_LEFT.search(source) and _RIGHT.search(source))
    )


def _wide(claims: Iterable[Claim], source: str) -> frozenset[str]:
    """Findings that the rules put on both sides though the source does not say so."""
    names = frozenset(claim.name for claim in claims if len(claim.sides) > 1)
    return frozenset() if not names or _names_both(source) else names


def _spread(claims: Iterable[Claim]) -> frozenset[str]:
    """Devices, and findings that are in many places, that are read on both sides."""
    return frozenset(
        claim.name
        for claim in claims
        if len(claim.sides) > 1 and (claim.many or is_device(claim.name))
    )


def issue_text(issue: Issue) -> str:
    """An issue in words for a model that is asked again; holds no text of the record."""
    about = f" ({issue.finding})" if issue.finding else ""
    return f"{_WORDS.get(issue.kind, issue.kind)}{about}"


_WORDS = {
    "empty": "there was no text",
    "truncated": "the text was cut off",
    "refusal": "the task was declined",
    "wrong_language": "the text is not in the language asked for",
    "untranslated": "words were left untranslated",
    "number": "a number or unit is missing, changed or new",
    "length": "the text is much too short or too long",
    "script": "the characters are of the other script (simplified or traditional)",
    "side": "left, right or both sides do not agree",
    "negation": "something denied is stated, or something stated is denied",
    "finding": "a finding is missing, or one was added",
    "place": "the place of a finding does not agree",
    "change": "the direction of a change does not agree",
    "certainty": "a suspicion became a statement",
    "degree": "the degree of a finding does not agree",
    "blank": "a de-identification blank (___ or XXXX) was kept",
    "comparison": "it refers to an earlier study or to a change",
    "date": "it holds a date or a time",
    "advice": "it holds a recommendation or tells of a message",
    "too_long": "the text is too long",
}
