"""Text under no title of its own: the body of the reading, a study's name, or something else.

Many reports have findings without a title, as paragraphs after the comparison. A paragraph is taken
for them when it speaks of what is seen, not of the patient or of how the images were made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from pipeline.clinical.sections.model import (
    COMBINED,
    EXAMINATION,
    FINDINGS,
    OF_PATIENT,
    ORDERING,
    PREAMBLE,
    UNASSIGNED,
    UNTITLED,
    Segment,
)
from pipeline.clinical.sections.titles import MAX_TITLE, resolve_title

_GAP = re.compile(r"[^\S\n]*\n[^\S\n]*\n\s*")
_LETTER = re.compile(r"[^\W\d_]")
_SEEN = re.compile(
    r"\b(?:lungs?|hearts?|cardi\w+|silhouette|effusions?|pneumothora\w+|consolidat\w+|opaci\w+|"
    r"pulmonary|edema|atelect\w+|mediastin\w+|hil(?:ar|um|a)|pleura\w*|aort\w+|infiltrat\w+|clear|"
    r"normal|unremarkable|unchanged|stable|tubes?|catheters?|tips?|picc|pacemaker|leads?|osseous|"
    r"bon(?:y|es?)|ribs?|fractur\w+|\w*diaphragm\w*|spine|degenerative|granulomas?|nodul\w+|masse?s?|"
    r"pneumonia|airspace|evidence|bowel|volumes?|emphysem\w+|vascul\w+|scar\w*|calcifi\w+|clips|"
    r"sternotomy|abnormal\w*|inflated|expanded|disease|process|tissues?)\b",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(?:is|are|was|were|no|not|has|have|without|there|remains?|seen|noted|unchanged|stable|clear|"
    r"normal|ends?|terminates?|projects?|shows?|demonstrates?|demonstrated|again|within|"
    r"limited|small|large|mild|moderate|increased|decreased|improved|enlarged|low)\b",
    re.IGNORECASE,
)
_ABOUT_PATIENT = re.compile(
    r"\?|//|\b(?:evaluate|assess|evaluation|please|rule out|r/o|eval|question|concern|check|"
    r"patient|year|y/?o|history|status post|s/p|presents?|presenting|admitted|suspected|known|"
    r"complain\w*|symptoms?|pain|fever|cough|dyspnea|treated)\b",
    re.IGNORECASE,
)
_HOW_MADE = re.compile(
    r"[\w\s,()-]{0,80}\b(?:views?|radiographs?|images?|films?|examination)\b[\w\s,()-]{0,60}\b"
    r"(?:obtained|performed|acquired|submitted|provided|available|reviewed|compared)\b[^.]{0,60}\.?",
    re.IGNORECASE,
)
_FIRST_SENTENCE = re.compile(r"[^.\n]{0,80}\.\s+(?=[A-Z])")
_OF_EARLIER_STUDY = re.compile(
    r"\b(?:prior|previous|earlier|compar\w+|dated|CT|MRI?|stud(?:y|ies)|radiographs?|exam\w*)\b",
    re.IGNORECASE,
)
_WRAP_WIDTH = 76
"""Lines that are not broken before this many characters end where their sentence ends."""
_OPENING = 30
"""Elsewhere a paragraph about the patient shows it in as many characters."""
_MANY = 3
"""So many different words of findings outweigh words about the patient."""


def place_untitled(text: str, segments: list[Segment]) -> list[Segment]:
    """The segments with none left untitled, and an untitled body as findings of its own.

    Paragraphs of the sections that precede the reading become findings only where no findings
    have a title.
    """
    sections = {segment.section for segment in segments}
    has_findings = FINDINGS in sections or COMBINED in sections
    if has_findings:
        segments = _without_study_preface(text, segments)
        if UNTITLED not in sections:
            return segments
    titled = sections != {UNTITLED}
    placed: list[Segment] = []
    for segment in segments:
        if segment.section == UNTITLED:
            placed.extend(_untitled(text, segment, titled, has_findings))
        elif segment.section in ORDERING and not has_findings:
            placed.extend(_with_body(text, segment))
        else:
            placed.append(segment)
    return placed


def speaks_of_findings(paragraph: str, of_patient: bool = False) -> bool:
    """Whether a paragraph states what is seen, and not why or how the images were made.

    ``of_patient`` asks for more: the paragraph stands where the patient's history is told.
    """
    seen = len({word.lower() for word in islice(_SEEN.findall(paragraph), _MANY * 2)})
    if not seen or (of_patient and not _STATES.search(paragraph)):
        return False
    about_patient = _ABOUT_PATIENT.search(paragraph, 0, len(paragraph) if of_patient else _OPENING)
    if about_patient and seen < _MANY:
        return False
    return not _HOW_MADE.fullmatch(" ".join(paragraph.split()))


def _untitled(text: str, segment: Segment, titled: bool, has_findings: bool) -> list[Segment]:
    """Paragraph by paragraph; without any title in the report all of them are the body."""
    elsewhere = UNASSIGNED if segment.rule == "after_ruled_line" else PREAMBLE
    placed: list[Segment] = []
    in_body = False
    for start, end in _paragraphs(text, segment.start, segment.end):
        if not in_body and (name_end := _study_name_end(text, start, end)) > start:
            placed.append(Segment(EXAMINATION, "study_name", start, name_end))
            start = name_end
        paragraph = text[start:end]
        if not paragraph.strip():
            continue
        if not _LETTER.search(paragraph):
            placed.append(Segment(UNASSIGNED, "no_words", start, end))
        elif not has_findings and (in_body or not titled or speaks_of_findings(paragraph)):
            in_body = True
            placed.append(Segment(FINDINGS, "untitled_body", start, end))
        else:
            placed.append(Segment(elsewhere, "untitled", start, end))
    return placed


def _with_body(text: str, segment: Segment) -> list[Segment]:
    """The segment, split where an untitled body begins."""
    cut = _body_start(text, segment)
    if cut is None:
        return [segment]
    body = Segment(FINDINGS, "untitled_body", cut, segment.end)
    own_end = _study_name_start(text, segment, cut)
    return [
        segment._replace(end=own_end),
        Segment(EXAMINATION, "study_name", own_end, cut),
        body,
    ]


def _body_start(text: str, segment: Segment) -> int | None:
    """Where the untitled body begins: a later paragraph, or a sentence on a line of its own.

    The first paragraph is the section's own, save one that follows a blank line below the title
    of a comparison or technique and speaks of findings. Full sentences between the section's own
    paragraph and one that speaks of findings belong to the body.
    """
    of_patient = segment.section in OF_PATIENT
    sentences: int | None = None
    for number, (start, end) in enumerate(_paragraphs(text, segment.start, segment.end)):
        paragraph = text[start:end]
        if number > 0 or (not of_patient and _GAP.match(text, segment.start)):
            if _names_study(paragraph):
                continue
            if speaks_of_findings(paragraph, of_patient):
                return start if sentences is None else sentences
            if number > 0 and sentences is None and not of_patient and _STATES.search(paragraph):
                sentences = start
        elif (cut := _sentence_on_new_line(text, start, end, of_patient)) is not None:
            return cut
        elif segment.section == "comparison":
            cut = _sentence_after_comparison(text, start, end)
            if cut is not None:
                return cut
    return None


def _sentence_after_comparison(text: str, start: int, end: int) -> int | None:
    """Where, after the first sentence of a comparison, findings go on in the same line."""
    first = _FIRST_SENTENCE.match(text, start, end)
    if first is None:
        return None
    rest = text[first.end() : end]
    if _OF_EARLIER_STUDY.search(rest) or not speaks_of_findings(rest, of_patient=True):
        return None
    return first.end()


def _sentence_on_new_line(text: str, start: int, end: int, of_patient: bool) -> int | None:
    """The first line that speaks of findings below one that ended early, with its sentence."""
    position = start
    width = start - text.rfind("\n", 0, start) - 1
    above = ""
    for line in text[start:end].split("\n"):
        body = line.strip()
        if (
            above
            and above[-1] in ".!_"
            and width + len(body.split(None, 1)[0] if body else "") < _WRAP_WIDTH
            and body[:1].isupper()
            and speaks_of_findings(body, of_patient)
        ):
            return position
        width = len(line) if above else width + len(line)
        above = body
        position += len(line) + 1
    return None


def _without_study_preface(text: str, segments: list[Segment]) -> list[Segment]:
    """A study's name that only tells the technique, where titled findings follow, is technique."""
    if not any(segment.rule == "study_title" for segment in segments):
        return segments
    if not any(s.section in (FINDINGS, COMBINED) and s.rule != "study_title" for s in segments):
        return segments
    return [
        segment._replace(section="technique")
        if segment.rule == "study_title"
        and segment.section == FINDINGS
        and not speaks_of_findings(text[segment.start : segment.end])
        else segment
        for segment in segments
    ]


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The pieces of ``text[start:end]`` between blank lines, from their first character on."""
    gaps = [(gap.start(), gap.end()) for gap in _GAP.finditer(text, start, end)]
    for gap_start, gap_end in [*gaps, (end, end)]:
        piece = text[start:gap_start].lstrip()
        if piece:
            yield gap_start - len(piece), gap_start
        start = gap_end


def _study_name_end(text: str, start: int, end: int) -> int:
    """Where the study's name ends with which the paragraph begins; ``start`` where with none."""
    if _names_study(text[start:end]):
        return end
    line_end = text.find("\n", start, end)
    line = text[start:line_end] if line_end >= 0 else ""
    return line_end if line.isupper() and _names_study(line) else start


def _study_name_start(text: str, segment: Segment, cut: int) -> int:
    """Where, below the section's own text, the name of the study of the body at ``cut`` stands."""
    if segment.section == "comparison":
        return cut
    for number, (start, end) in enumerate(_paragraphs(text, segment.start, cut)):
        if number > 0 and text[start:end].isupper() and _names_study(text[start:end]):
            return start
    return cut


def _names_study(paragraph: str) -> bool:
    """Whether the paragraph is nothing but the name of a study: AP CHEST and a date."""
    name = paragraph.strip().rstrip(".:")
    if len(name) > MAX_TITLE:
        return False
    title = resolve_title(name)
    return title is not None and title.rule == "study_title"
