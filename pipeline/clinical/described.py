"""Which sentences of a report describe the chest image.

Passed over are sections that say why the image was taken or what it was compared with, and what is
said of other images reported together with it (*Left knee: ...* behind *Chest: ...*).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.clinical.sentences import sentence_spans

_HEADING = re.compile(r"\s*(?:\d{1,2}[.)]\s*)?([A-Za-z][A-Za-z0-9 ,/&()-]{2,40}?)\s*:")
_NUMBER = re.compile(r"\A\s*\d{1,2}[.)]")
_LONGEST = 60  # characters of a heading with its number
_LONGEST_ALONE = 32
_ITEM = re.compile(r"\s*\d{1,2}[.)]")
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*\Z")
_SKIPPED = frozenset(
    {
        "indication", "indications", "history", "clinical history", "clinical information",
        "clinical indication", "reason for exam", "reason for examination", "reason for study",
        "comparison", "comparisons", "technique", "exam", "examination", "procedure", "views",
        "notification", "study", "date", "recommendation", "recommendations", "clinical data",
        "reason for this examination", "type of examination", "final diagnosis",
    }
)  # fmt: skip
_BODY = frozenset(
    {
        "findings", "impression", "impressions", "conclusion", "conclusions", "finding", "report",
        "opinion", "interpretation", "wet read", "addendum", "findings and impression", "body",
        "final report", "chest", "summary", "result", "results",
    }
)  # fmt: skip
_ELSEWHERE = re.compile(
    r"(?:(?:left|right|bilateral|both) )?"
    r"(?:knees?|ankles?|foot|feet|heels?|toes?|hands?|wrists?|fingers?|thumbs?|elbows?|forearms?"
    r"|hips?|pelvis|sacrum|coccyx|femurs?|tibia(?: and fibula)?|tibia/fibula|legs?|thighs?|skull"
    r"|face|facial bones|nasal bones|sinuses|orbits|mandible|(?:cervical|lumbar|lumbosacral) spine"
    r"|[cl][ -]spine|pelvis and (?:left|right) hip|(?<=left )(?:shoulder|humerus|upper arm|scapula)"
    r"|(?<=right )(?:shoulder|humerus|upper arm|scapula))"
    r"(?: series| radiographs?| x-?rays?| films?| views?| exam(?:ination)?)?"
)


def described(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the sentences that describe the chest image."""
    skipping = elsewhere = began = False
    for start, end in sentence_spans(text):
        if began and (skipping or elsewhere):  # ended by the next paragraph, or entry of a list
            ends = _new_paragraph(text, start)
            skipping = skipping and not ends
            elsewhere = elsewhere and not (ends or _ITEM.match(text, start, end))
        title, colon = "", False
        if end - start <= _LONGEST_ALONE or text.find(":", start, start + _LONGEST) >= 0:
            title, colon = _title(text, start, end)
        name = title.lower()
        if name and _ELSEWHERE.fullmatch(name):
            elsewhere, began = True, colon and _says_more(text, start, end)
        elif colon and name in _SKIPPED:
            skipping, began = True, _says_more(text, start, end)
        elif name in _BODY or (colon and title.isupper()):
            skipping = elsewhere = False
        elif skipping or elsewhere:
            began = began or not text[start:end].isspace()
        if not (skipping or elsewhere):
            yield start, end


def _says_more(text: str, start: int, end: int) -> bool:
    """Whether something follows the heading in the sentence."""
    return bool(text[text.find(":", start, end) + 1 : end].strip())


def _title(text: str, start: int, end: int) -> tuple[str, bool]:
    """The heading a sentence begins with, or is, and whether a colon follows; "" without one."""
    if text.find(":", start, end) >= 0:
        heading = _HEADING.match(text, start, end)
        if heading is not None:
            return heading.group(1), True
    if end - start > _LONGEST_ALONE:
        return "", False
    alone = text[start:end].strip()
    if alone[:1].isdigit():
        alone = _NUMBER.sub("", alone)
    return alone.strip(" \t\r\n.:"), False


def _new_paragraph(text: str, start: int) -> bool:
    """Whether a blank line stands before the sentence."""
    return _PARAGRAPH.search(text, max(0, start - 4), start) is not None
