"""What a caption must not hold: blanks, earlier studies, dates, advice and messages.

A caption describes one image to somebody who sees nothing else. *Unchanged*, *again seen* and
*compared to* speak of another image; *___* and *XXXX* are what de-identification left.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.clinical.instructing.contents import gives_advice

_STUDY = (
    r"(?:(?:chest|portable|ct|frontal|lateral|pa|ap|available|outside|recent|most)\W+){0,4}"
    r"(?:exam\w*|stud(?:y|ies)|radiograph\w*|imag(?:e|es|ing)|films?|x-?rays?|cts?|scans?|reports?"
    r"|cxrs?|views?|tomogra\w*|mri|dates?|comparisons?)\b"
)
_BLANK = re.compile(
    r"_{2,}|\bX{3,}\w*|\w*X{3,}\b|\[\*\*[^\]]*\*\*\]|\[(?:redacted|removed)\]", re.I
)
_EARLIER = re.compile(
    rf"""
    \b(?:
      unchanged | stab(?:le|ly|ility) | interval(?:ly)?\b(?!\s+between) | re-?demonstrat\w+
    | again\b | once\s+more
    | compar(?:ed|ing)\s+(?:to|with)\b(?!\s+(?:the\s+)?(?:left|right|other|opposite|contralateral))
    | in\s+comparison | comparison\s+(?:is|was|to|with|{_STUDY}) | for\s+comparison
    | (?:prior|previous|earlier|old|older|remote|last|recent|outside|baseline|preceding)\s+{_STUDY}
    | (?:the|from|than|since|to|on|with)\s+(?:prior|previous)\b(?=\s*[.,;)]|\s*$)
    | priors | previously | formerly | hitherto | in\s+the\s+past | (?:as|than)\s+before
    | since\b(?!\s+(?:the|there|it)\s+(?:patient|is)\b) | (?:is|are|was|were)\s+now | now\s+\w+ed
    | new(?:ly)?\b(?!\s*(?:york|born)) | no\s+longer | still\s
    | (?:has|have)\s+(?:\w+ly\s+)?(?:increased|decreased|resolved|improved|worsened|progressed|been
      |developed|enlarged|cleared|changed|not|shown|diminished|become|undergone)
    | worsen\w* | improv(?:ed|ing|ement|es) | progress(?:ed|ion|ing|ive(?:ly)?|es)
    | (?:in|de)creas(?:ed?|ing)\s+(?:in\s+(?:size|extent|number|the|conspicuity|volume)|from|since)
    | (?:in|de)creasing | persist\w* | remains? | resolv(?:ed|ing|es) | resolution
    | evolv(?:ed|ing) | evolution | similar\s+(?:to|in|appear\w+) | similarly
    | (?:no|without|little|any)\s+(?:(?:significant|interval|appreciable|definite|substantial|other
      |real|obvious|gross|further|marked|acute|major|relevant)\s+){{0,2}}change\b
    | change\s+(?:from|since)
    | (?:days?|weeks?|months?|years?|hours?)\s+(?:ago|earlier|prior|before) | yesterday | today
    | current\s+{_STUDY} | gone | re-?expan\w+ | in\s+the\s+same\s+position
    | ,\s+(?:\w+ly\s+)?(?:(?:in|de)creased|enlarged|larger|smaller|improved|better|worse)
      (?=\s*[.;,]|\s*$)
    )\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = re.compile(
    rf"\b\d{{1,2}}[/.-]\d{{1,2}}[/.-]\d{{2,4}}\b|\b\d{{4}}-\d{{1,2}}-\d{{1,2}}\b"
    rf"|\b{_MONTH}\.?\s+\d{{1,4}}\b|\b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}\b|\b(?:19|20)\d\d\b(?!\s*(?:mm|cm|ml))"
    r"|\b\d{1,2}:\d{2}\b(?:\s*[ap]\.?m\b)?|\b\d{1,2}\s*[ap]\.?m\b",
    re.IGNORECASE,
)
_MESSAGE = re.compile(
    r"\b(?:discussed|communicated|notified|telephon\w+|phoned|paged|relayed|conveyed|informed"
    r"|called\s+(?:to|by|with|at)|(?:was|were)\s+called|dictated|transcribed|attending|dr\.?\s"
    r"|physician|referring|findings\s+were\s+(?:discussed|given|reported)|read\s?back"
    r"|(?:critical|these|above)\s+(?:results?|findings)\s+(?:was|were))",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"\b(?:recommend\w*|advis(?:e|ed|able)|correlat\w+|suggest\s+(?:a\s+)?(?:ct|follow|repeat|clinical)"
    r"|please\b|should\s+be\b|may\s+be\s+(?:helpful|obtained|considered|of\s+benefit)"
    r"|further\s+(?:evaluation|assessment|work-?up|imaging|characteri[sz]ation)"
    r"|if\s+clinically|clinical(?:ly)?\s+(?:concern|indicated|correlation|suspicion)"
    r"|(?:could|can)\s+be\s+(?:obtained|performed|considered|further)|consider\s+(?:a\s+)?(?:ct|repeat"
    r"|follow|further|dedicated|chest|lateral|additional|non-?urgent)|attention\s+(?:on|to|at)|advice)",
    re.IGNORECASE,
)
_BEGINNING = 4
_EARLIER_BEGINS = frozenset(
    {
        "unch", "stab", "inte", "re", "rede", "reid", "agai", "once", "comp", "prio", "prev",
        "earl", "old", "olde", "remo", "last", "rece", "outs", "base", "prec", "form", "hith",
        "past", "befo", "sinc", "now", "new", "newl", "long", "stil", "has", "have", "wors", "impr",
        "prog", "incr", "decr", "pers", "rema", "reso", "evol", "simi", "chan", "ago", "yest",
        "toda", "curr", "gone", "reex", "same", "enla", "larg", "smal", "bett", "day", "days",
        "week", "weeks", "mont", "year", "hour",
    }
)  # fmt: skip
"""Beginnings of the words without which no pattern for earlier studies can match."""

_ADVICE_BEGINS = frozenset(
    {
        "reco", "advi", "corr", "sugg", "plea", "shou", "may", "furt", "if", "clin", "coul", "can",
        "cons", "atte", "disc", "comm", "noti", "tele", "phon", "page", "rela", "conv", "info",
        "call", "dict", "tran", "dr", "phys", "refe", "find", "read", "crit", "thes", "abov",
        "foll",
    }
)  # fmt: skip
"""The same for advice and messages."""

_WORD = re.compile(r"[a-z]+")
_DIGIT = re.compile(r"\d")
_HEADING = re.compile(
    r"\A\s*(?:findings?|impressions?|caption|description|report|conclusion|chest)\s*[:：]\s*", re.I
)


class Trace(NamedTuple):
    """Something a caption must not hold: its reason class and its place."""

    kind: str
    span: tuple[int, int]


def traces(text: str) -> list[Trace]:
    """What a caption must not hold: ``blank``, ``comparison``, ``date`` and ``advice``."""
    lowered = text.lower()
    begins = {word[:_BEGINNING] for word in _WORD.findall(lowered)}
    found: list[Trace] = []
    if "xxx" in lowered or "__" in text or "[" in text:
        found += [Trace("blank", match.span()) for match in _BLANK.finditer(text)]
    if not begins.isdisjoint(_EARLIER_BEGINS):
        found += [Trace("comparison", match.span()) for match in _EARLIER.finditer(text)]
    if _DIGIT.search(text):
        found += [Trace("date", match.span()) for match in _DATE.finditer(text)]
    if not begins.isdisjoint(_ADVICE_BEGINS):
        advice = _ADVICE.search(text) or _MESSAGE.search(text)
        if advice is not None:
            found.append(Trace("advice", advice.span()))
        elif gives_advice(text):
            found.append(Trace("advice", (0, len(text))))
    return found


def without_heading(text: str) -> str:
    """The text without a title such as *FINDINGS:* in front."""
    return _HEADING.sub("", text, count=1)
