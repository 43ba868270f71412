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
from functools import cache, lru_cache

from pipeline.clinical import chinese
from pipeline.clinical.claims import Claim, chinese_wordings, claims_of
from pipeline.clinical.glossary import NAMING, Glossary, load_glossary
from pipeline.clinical.grounding import Issue, facts_from, ground_claims
from pipeline.clinical.heavier_side import heavier_side, heavier_side_chinese
from pipeline.clinical.instructing.answers import wrong_answer
from pipeline.clinical.instructing.language import language_code
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.quantities import quantities
from pipeline.clinical.sentences import split_sentences
from pipeline.clinical.text_check import TextCheck, Verdict

ANY_LANGUAGE = ("form", "language", "untranslated", "numbers", "length")
"""Checks that need no rules of the language."""

CHINESE = ("script", "sides", "negation", "findings", "glossary")
"""Checks that need the Chinese rules."""

_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*[A-Za-z]|[A-Za-z]")
_WORD = re.compile(r"[^\W\d_]+")
_MARKS = frozenset({"cm", "mm", "ml", "x", "b", "s", "kg", "hu", "am", "pm"})
_BONE = re.compile(r"(?<![A-Za-z])[CTLSctls]\d{1,2}(?!\d)")
_CAPITALS = re.compile(r"[A-Z]{2,6}\Z")
_COPIED = 4
"""Words of the source in a row that a translation into another Latin language may not hold."""

_RATIO = {"zh": (0.55, 4.2), "ja": (0.7, 6.0), "ko": (0.5, 4.5)}
"""Characters of the translation (blanks and marks aside) for one word of the source."""

_LETTERS = (0.45, 2.4)
"""The same for other languages: letters for one letter."""

_FEW = 2
_LONG_WORD = 7
"""Letters from which a word is taken to be telling."""

_LEAST_WORDS = 6
"""Words of a source from which its length says anything."""

_LEFT = re.compile(r"\bleft\b(?!ward)|\bleft-|\blevo\w+|\b(?:lul|lll)\b", re.I)
_RIGHT = re.compile(
    r"\bright\b(?!ward| (?:clinical |patient )?(?:setting|context))|\bright-|\bdextro\w+"
    r"|\b(?:rul|rml|rll)\b",
    re.I,
)
_BOTH = re.compile(r"\bbilateral(?:ly)?\b|\bbi(?:bas|apic|hil)\w+", re.I)
_BOTH_LOOSELY = re.compile(r"\bboth\b|\b\w+s\b", re.I)
_TO_LEFT = re.compile(
    r"\bleft|\blevo|\blingul|\blul\b|\blll\b|\bcardiac apex|\baortic (?:kn|ar)", re.I
)
_TO_RIGHT = re.compile(
    r"\bright|\bdextro|\bmiddle lobe|\b(?:minor|horizontal) fissure|\bazygos|\br[uml]l\b"
    r"|\bcholecystectomy|\bgallbladder|\bcavoatrial|\bsvc\b|\bsuperior vena", re.I,
)  # fmt: skip
_NOT = re.compile(
    r"\b(?:no|not|without|none|never|nor|neither|absent|absence|negative|free|denies|lack\w*"
    r"|resolv\w+|remov\w+|gone|clear(?:ed|ing)|disappear\w*|non)\b|n't\b|\bnon-", re.I,
)  # fmt: skip
_NOT_SURE = re.compile(
    r"\b(?:cannot|can not|not exclude\w*|rule[ds]? out|exclude[ds]?|not only)\b", re.I
)
_FINE = re.compile(
    r"\b(?:normal\w*|clear|unremarkable|intact|midline|sharp|within|stable|unchanged|well|limits"
    r"|un\w{4,}|in(?:com|suf|de|dis)\w+|non\w+|dis(?!plac|eas|c|sec|te|ta)\w+|only|otherwise|free|preserved|maintained)\b",
    re.I,
)
_CLAUSE = re.compile(r"[^，。；,;]+")
_CLEAR = "clear"
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

_MOVED = frozenset({"tracheal deviation", "mediastinal shift"})
"""What goes to a side, often because of something on the other."""

_KIN = (
    {"cardiomegaly", "chamber enlargement"},
    {"emphysema", "bulla", "copd", "hyperinflation", "hyperlucency"},
    {"atelectasis", "lobar collapse", "volume loss"},
    {"opacity", "density", "airspace opacity", "airspace disease", "infiltrate",
     "interstitial opacity", "nodular opacity", "consolidation"},
    {"scarring", "fibrosis", "pleural scarring", "pleural thickening"},
    {"interstitial markings", "interstitial opacity", "interstitial lung disease"},
    {"interstitial markings", "vascular congestion", "bronchovascular crowding"},
    {"degenerative change", "osteophyte", "spondylosis", "arthritis"},
    {"tortuous aorta", "prominent aorta"},
    {"atherosclerosis", "aortic calcification", "calcification"},
    {"granuloma", "calcified granuloma", "granulomatous disease", "splenic granuloma"},
    {"osteopenia", "osteoporosis"},
    {"central venous catheter", "picc", "port", "dialysis catheter", "catheter"},
    {"pleural effusion", "fissural fluid", "costophrenic angle blunting"},
    {"costophrenic angle blunting", "obscured costophrenic angle"},
    {"deformity", "vertebral deformity", "compression fracture"},
    {"deformity", "rib deformity", "fracture"},
    {"sternotomy", "postsurgical change", "coronary bypass", "lung resection"},
    {"lung lesion", "nodule", "nodular opacity"},
    {"mass", "lung lesion", "malignancy", "soft tissue mass"},
)  # fmt: skip
"""Names that two people give to one thing: where one stands for another, nobody can be sure."""

_GENERIC = frozenset({"catheter", "tube", "drain", "medical device", "cardiac device"})
"""Devices by a general name: no new one where another device is spoken of."""


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
        ratio = sum(char.isalnum() for char in translation) / len(words)
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
    for english, han in pairs or [(source, translation)]:
        if _wrong_side(english, han):
            verdict.reject("side")
    for english, han in pairs:
        if _wrong_negation(english, han):
            verdict.reject("negation")
    _check_contradictions(verdict, said, told)
    if _calls_abnormal(said, told):
        verdict.reject("negation", "abnormality")
    _check_names(verdict, said, told, source, translation, glossary)


@lru_cache(maxsize=64)  # a caption is compared with several translations, one after the other
def _claims(source: str) -> tuple[Claim, ...]:
    return tuple(claims_of(source))


def _aligned(
    source: str, said: list[Claim], translation: str, told: list[Claim]
) -> list[tuple[str, str]]:
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


def _sentences(text: str, claims: list[Claim]) -> list[tuple[str, set[str]]]:
    """The sentences with letters, each with the names of its findings."""
    found: list[tuple[str, set[str]]] = []
    for start, end in split_sentences(text):
        sentence = text[start:end].strip()
        if any(char.isalpha() for char in sentence):
            inside = [c for c in claims if start <= c.span[0] < end]
            found.append((sentence, {name for c in inside for name in (c.name, *c.also)}))
    return found


def _wrong_side(english: str, han: str) -> bool:
    """Whether a side of one text is missing in the other."""
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


def _calls_abnormal(said: Sequence[Claim], told: list[Claim]) -> bool:
    """Whether a translation speaks of something abnormal, and its source only of normality."""
    if "present" not in _statuses(told):
        return False
    general = _statuses(said)
    if general:
        return general == {"absent"}
    return all(claim.status == "absent" or claim.name == _CLEAR for claim in said)


def _statuses(claims: Sequence[Claim]) -> set[str]:
    """How a text speaks of abnormalities in general."""
    return {claim.status for claim in claims if _is_general(claim.name)}


def _check_contradictions(verdict: Verdict, said: list[Claim], told: list[Claim]) -> None:
    """What the rules of grounding say of the translation, and of the source in turn."""
    spans = {claim.span: claim for claim in told}
    onward = ground_claims(told, facts_from(said))
    spread = _spread(told) | _spread(said)
    verdict.add(i for i in onward.contradictions if _is_sure(i, spread))
    for issue in onward.unsupported:
        claim = spans.get(issue.span)
        if issue.kind == "degree" or (
            issue.kind == "certainty" and claim is not None and not claim.hedged
        ):
            verdict.reject(issue.kind, issue.finding, issue.span)
        elif issue.kind in ("change", "certainty"):
            verdict.flag(issue.kind, issue.finding, issue.span)
    hedged = {(claim.name, claim.span) for claim in said if claim.hedged}
    backward = ground_claims(said, facts_from(told))
    verdict.add(
        replace(issue, span=(0, 0)) for issue in backward.contradictions if _is_sure(issue, spread)
    )
    for issue in backward.unsupported:
        if issue.kind == "certainty" and (issue.finding, issue.span) not in hedged:
            verdict.flag("doubt_added", issue.finding)


def _is_sure(issue: Issue, spread: frozenset[str]) -> bool:
    """Whether a contradiction is of a finding, and not of a side that it is not sure to have.

    That is the side to which something moved, the other end of a device, and the greatest of
    several things.
    """
    if issue.kind == "side":
        return issue.finding not in _MOVED and issue.finding not in spread
    return not _is_general(issue.finding)


def _spread(claims: Iterable[Claim]) -> frozenset[str]:
    """Devices, and findings that are in many places, that are read on both sides."""
    return frozenset(
        claim.name
        for claim in claims
        if len(claim.sides) > 1 and (claim.many or _is_device(claim.name))
    )


def _check_names(
    verdict: Verdict,
    said: list[Claim],
    told: list[Claim],
    source: str,
    translation: str,
    glossary: Glossary,
) -> None:
    """Findings by name: what one text names, the other must name as well."""
    own = [claim for claim in said if _is_named(claim)]
    theirs = [claim for claim in told if _is_named(claim)]
    told_names = {name for claim in told for name in (claim.name, *claim.also)}
    stated = {name for c in told for name in (c.name, *(c.also if c.status != "absent" else ()))}
    said_names = {claim.name for claim in said}
    said_devices = {claim.status == "absent" for claim in said if _is_device(claim.name)}
    told_devices = {claim.status == "absent" for claim in told if _is_device(claim.name)}
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
    ]
    sure = not lost or bool(added) or not any(True for _ in chinese.unread(translation))
    for claim in lost:
        doubted = (
            _has_kin(claim, told)
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
        elif _has_kin(claim, said) or (claim.name in _SEEMING and _APPEARS.search(source)):
            verdict.flag("finding", claim.name, claim.span)
        else:
            verdict.reject("finding", claim.name, claim.span)
    for term in glossary.select(source):
        named = term.kind in NAMING and term.english not in told_names
        if named and not any(word.lower() in translation.lower() for word in term.chinese):
            verdict.flag("glossary", term.english)


def _has_kin(claim: Claim, others: Iterable[Claim]) -> bool:
    """Whether another claim, denied or stated alike, may be what this one means."""
    names = {name for kin in _KIN if claim.name in kin for name in kin}
    absent = claim.status == "absent"
    return any(other.name in names and (other.status == "absent") == absent for other in others)


def _denies_unread(translation: str, told: list[Claim]) -> bool:
    """Whether a clause denies something that the rules did not read, or no finding in particular.

    *胸膜未见病变*, *，无扩张*: what the source denies may be that.
    """
    absent = [claim for claim in told if claim.status == "absent"]
    return any(
        chinese.denies(clause[0])
        and all(_is_general(c.name) for c in absent if clause.start() <= c.span[0] < clause.end())
        for clause in _CLAUSE.finditer(translation)
    )


def _denied_anyway(said: list[Claim]) -> bool:
    """Whether the source calls the image normal, so that a denial adds nothing."""
    return any(c.name == _CLEAR or (c.name == "abnormality" and c.status == "absent") for c in said)


def _is_named(claim: Claim) -> bool:
    """Whether a claim names something that a translation must keep."""
    if claim.implied or claim.name == _CLEAR:
        return False
    known = claim.name in load_lexicon().by_name
    return known and not _is_general(claim.name) and claim.name not in _LOOSE


def _is_general(name: str) -> bool:
    """Whether a name is no finding of its own: *abnormality*, *artifact*."""
    finding = load_lexicon().by_name.get(name)
    return finding is not None and finding.kind in _UNNAMED


def _is_among(claim: Claim, names: set[str]) -> bool:
    """Whether a claim can be of one of the names: the same, or one that is more general."""
    if claim.name in names or not names.isdisjoint(claim.also):
        return True
    return any(claim.name.endswith(f" {name}") or name.endswith(f" {claim.name}") for name in names)


def _is_device(name: str) -> bool:
    return load_lexicon().is_device(name)


def _is_written(name: str, translation: str, glossary: Glossary) -> bool:
    """Whether a translation holds an accepted term for a name, though the rules did not see it."""
    lowered = translation.lower()
    term = glossary.find(name)
    if term is not None and any(word.lower() in lowered for word in term.chinese):
        return True
    return any(wording in lowered for wording in chinese_wordings().get(name, ()))


def _is_worded(name: str, source: str) -> bool:
    """Whether the words of a name stand in the source, though the rules did not see it."""
    lowered = source.lower()
    finding = load_lexicon().by_name.get(name)
    if finding is not None and any(wording in lowered for wording in finding.wordings):
        return True
    words = set(_WORD.findall(lowered))
    if any(word in words or f"{word}s" in words for word in _own_words().get(name, ())):
        return True
    said = _stems(words)
    return finding is not None and any(stems <= said for stems in _stems_of(name))


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
