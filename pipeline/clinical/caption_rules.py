"""A caption without a model: the report's own sentences where they stand alone, else rebuilt ones.

A sentence that tells of earlier studies, was blanked by de-identification, or gives advice is
rebuilt from what the rules read in it (*Interval increase in the small left effusion* gives *Small
left pleural effusion.*). Sentences that add no finding are left out, and so is whatever the check
of captions would reject, so that the result is check-clean by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.clinical.caption_check import check_caption
from pipeline.clinical.caption_text import traces, without_heading
from pipeline.clinical.claims import Claim, claims_of
from pipeline.clinical.extract import read_report
from pipeline.clinical.instructing.contents import abbreviations
from pipeline.clinical.lexicon import load_lexicon, normalise, plural
from pipeline.clinical.mentions import Mention
from pipeline.clinical.support import sentences_of

_NUMBERING = re.compile(r"\A\s*(?:\(?\d{1,2}[.):]|[-*•])\s*")
_TIMELESS = (
    (re.compile(r"\b(?:again|once more)\s+(?:is|are)\s+(?:seen|noted|demonstrated)\s+", re.I), ""),
    (re.compile(r"\b(?:is|are)\s+again\s+(?:seen|noted|demonstrated|identified)", re.I), "is seen"),
    (re.compile(r",?\s*\b(?:which\s+(?:is|are)\s+)?unchanged\b(?:\s+(?:from|since)[^.,;]*)?", re.I),
     ""),
    (re.compile(r",?\s*\b(?:as\s+)?compared\s+(?:to|with)[^.,;]*", re.I), ""),
    (re.compile(r"\b(?:stable|unchanged|persistent)\s+", re.I), ""),
)  # fmt: skip
"""Words of time that can go without any other change, and what stands for them."""

_DANGLING = re.compile(
    r"\b(?:is|are|was|were|be|been|appears?|and|or|with|of|in|the|a|an|to|from|but)\s*[.,;]"
    r"|\b(?:is|are)\s+(?:and|or|but)\b|\A(?:and|or|but|is|are)\b", re.IGNORECASE,
)  # fmt: skip
_BARE = re.compile(r"\b(?:contours?|silhouettes?|appearance|configuration)\b", re.IGNORECASE)
"""What is left of *stable mediastinal contour* says nothing."""

_NORMAL = {
    "cardiomegaly": "The heart size is normal.",
    "widened mediastinum": "The mediastinal contours are normal.",
    "vascular congestion": "The pulmonary vascularity is normal.",
    "hilar prominence": "The hila are normal.",
    "costophrenic angle blunting": "The costophrenic angles are sharp.",
    "elevated diaphragm": "The diaphragms are normal.",
    "tortuous aorta": "The aorta is normal.",
    "pleural effusion": "The pleural spaces are clear.",
}
"""What denies a finding by normality, in a sentence of its own."""

_FRAMES = {
    "elevated diaphragm": "elevation of the {side}hemidiaphragm{s}",
    "flattened diaphragm": "flattening of the {side}hemidiaphragm{s}",
    "costophrenic angle blunting": "blunting of the {side}costophrenic angle{s}",
}
"""Findings that are said with their site."""

_WHOLE = frozenset({"bilateral lungs", "both lungs", "lung", "bilateral lung", "lung parenchyma"})
_LIMITS = frozenset({"large", "significant", "focal", "acute", "displaced", "definite"})
_SHOWN = frozenset({"present", "uncertain", "absent"})
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^A-Z]")
_VERTEBRA = re.compile(r"\b[ctl]\d{1,2}(?:-[ctls]?\d{1,2})?\b")
_ROUNDS = 6


def make_caption(findings: str, impression: str) -> str:
    """A caption of a report; "" where nothing can be said of the image.

    Args:
        findings: the findings section, or the whole reading.
        impression: the impression; sentences that repeat the findings are left out.
    """
    report = " ".join(filter(None, (findings.strip(), impression.strip())))
    sentences = list(_sentences((findings, impression)))
    for _ in range(_ROUNDS):
        caption = " ".join(sentences)
        check = check_caption(report, caption)
        if check.ok or not sentences:
            return caption
        kept = list(_without(sentences, [issue.span for issue in check.rejects]))
        if len(kept) == len(sentences):  # nothing that a sentence could be blamed for
            return ""
        sentences = kept
    return ""


def _without(sentences: Sequence[str], spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The sentences in which no span lies; a number without a place counts for all digits."""
    everywhere = any(start == end for start, end in spans)
    start = 0
    for sentence in sentences:
        end = start + len(sentence)
        hit = any(a < end and b > start for a, b in spans if a != b)
        if not hit and not (everywhere and any(char.isdigit() for char in sentence)):
            yield sentence
        start = end + 1


def _sentences(sections: Iterable[str]) -> Iterator[str]:
    """Sentences that each add something to those before."""
    told: set[tuple[str, str, frozenset[str]]] = set()
    stated: set[str] = set()
    for section in sections:
        for raw in sentences_of(section):
            sentence = _tidy(raw)
            mentions = [m for m in read_report(sentence).mentions if m.status in _SHOWN]
            claims = claims_of(sentence)
            bones = {m.span: _numbers(m) for m in mentions}
            news = {(c.name, c.status, _details(c) | bones.get(c.span, set())) for c in claims}
            fresh = {n for n in news if not _is_told(n, told)}
            denies_stated = any(s == "absent" and name in stated for name, s, _ in fresh)
            if not fresh or denies_stated:
                continue
            told |= news
            stated |= {c.name for c in claims if c.status != "absent"}
            own = _standing_alone(sentence, {(c.name, c.status) for c in claims})
            if own:
                yield own
            else:
                yield from dict.fromkeys(_rebuilt(_news(mentions, fresh)))


def _details(claim: Claim) -> frozenset[str]:
    """Side, zone and size: what makes another instance of a finding worth saying."""
    sizes = {level for level in claim.level if level[:1].isdigit()}
    return claim.sides | claim.zones | sizes


def _numbers(mention: Mention) -> set[str]:
    """The numbers of ribs and vertebrae a finding lies in."""
    return {word for place in mention.location for word in place.split() if _DIGIT.search(word)}


def _is_told(
    news: tuple[str, str, frozenset[str]], told: set[tuple[str, str, frozenset[str]]]
) -> bool:
    """Whether it was said before, with the same place and size or closer ones."""
    name, status, details = news
    return any(n == name and s == status and details <= known for n, s, known in told)


def _news(
    mentions: Sequence[Mention], fresh: set[tuple[str, str, frozenset[str]]]
) -> list[Mention]:
    """The mentions of a sentence of which something was not said before."""
    names = {(name, status) for name, status, _ in fresh}
    return [m for m in mentions if (m.name, m.status) in names]


def _tidy(sentence: str) -> str:
    text = without_heading(_NUMBERING.sub("", " ".join(sentence.split())))
    if text.isupper():
        text = " ".join(
            word if _LETTERS.sub("", word) in abbreviations() else word.lower()
            for word in text.split()
        )
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text.rstrip(' ;,:')}."


def _standing_alone(sentence: str, said: set[tuple[str, str]]) -> str:
    """The sentence without words of time, if nothing else is wrong with it and it says the same."""
    if any(trace.kind != "comparison" for trace in traces(sentence)):
        return ""
    before = sentence
    for pattern, instead in _TIMELESS:
        sentence = pattern.sub(instead, sentence)
    sentence = re.sub(r"\s+([.,;])", r"\1", " ".join(sentence.split())).lstrip(",; ")
    if not sentence or traces(sentence) or _DANGLING.search(sentence):
        return ""
    if sentence != before and _BARE.search(sentence):
        return ""
    if {(c.name, c.status) for c in claims_of(sentence)} != said:
        return ""
    return sentence[0].upper() + sentence[1:]


def _rebuilt(mentions: Sequence[Mention]) -> Iterator[str]:
    """One sentence for each thing that is seen or suspected, and one for all that is absent."""
    absent: dict[str, None] = {}
    for mention in mentions:
        if mention.name == "clear":
            yield _clear(mention)
        elif _kind(mention.name) in ("general", "artifact"):
            if mention.status == "absent" and mention.name == "abnormality":
                absent["acute abnormality"] = None
        elif mention.status == "absent":
            if mention.rule == "normal" and mention.name in _NORMAL:
                yield _NORMAL[mention.name]
            else:
                limit = mention.qualifier if mention.qualifier in _LIMITS else ""
                absent[f"{limit} {mention.name}".strip()] = None
        else:
            phrase = _phrase(mention)
            yield f"Possible {phrase}." if mention.status == "uncertain" else _sentence(phrase)
    if absent:
        yield f"No {_listed(list(absent))}."


def _clear(mention: Mention) -> str:
    place = " ".join(mention.location)
    side = next((side for side in ("left", "right") if side in place.split()), "")
    return f"The {side} lung is clear." if side else "The lungs are clear."


def _phrase(mention: Mention) -> str:
    """*5 mm calcified nodule in the left upper lobe*."""
    words = " ".join(mention.location).split()
    if (frame := _FRAMES.get(mention.name)) is not None:
        side = next((side for side in ("left", "right") if side in words), "")
        text = frame.format(side=f"{side} " if side else "", s="" if side else "s")
        return " ".join([*mention.level[:1], text])
    before: list[str] = [*mention.level[:2], *mention.type[:2]]
    behind: list[str] = []
    far: list[str] = []
    for place in mention.location:
        last = normalise(place).split(" ")[-1]
        site = load_lexicon().sites.get(last)
        if place in _WHOLE or place in mention.name:
            continue
        if place[0].isdigit():
            far.append(place)
        elif place in ("left", "right", "bilateral") or site is None or not site.noun:
            before.append(place)
        else:
            behind.append(place)
    several = any(word in ("bilateral", "multiple", "few", "scattered") for word in before)
    name = (plural(mention.name) or mention.name) if several else mention.name
    text = " ".join(dict.fromkeys([*before, name]))
    if behind:
        text += f" in the {_listed(behind, 'and')}".replace("in the both ", "in both ")
    text = " ".join([text, *far]).replace("in the bilateral ", "in both ")
    return _VERTEBRA.sub(lambda bone: bone[0].upper(), text)


def _sentence(phrase: str) -> str:
    return f"{phrase[0].upper()}{phrase[1:]}."


def _listed(items: Sequence[str], word: str = "or") -> str:
    if len(items) < 3:
        return f" {word} ".join(items)
    return f"{', '.join(items[:-1])}, {word} {items[-1]}"


def _kind(name: str) -> str:
    finding = load_lexicon().by_name.get(name)
    return finding.kind if finding is not None else ""
