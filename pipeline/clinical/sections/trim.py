"""What stands at the edges of a section and is not part of it: stamps and signatures."""

from __future__ import annotations

import re

from pipeline.clinical.sections.model import ADDENDUM, READ, Segment

_STAMP = re.compile(
    r"[^\S\n]*(?:"
    # the rest of the title's line, when it ends with a time: "___ ___ 9:02 PM"
    r"[^\n]{0,60}?\b\d{1,2}:\d{2}(?::\d{2})?[ ]?(?:[AaPp]\.?[Mm]\.?)?[ .,]*(?=\n)"
    # a time after nothing but blanked or numeric words: "___ on ___ at 9:02 PM Right base ..."
    r"|(?:(?:_+|on|at|by|MON|TUE|WED|THU|FRI|SAT|SUN|[\d/.-]+|[,;])[ ]*){0,8}"
    r"\d{1,2}:\d{2}(?::\d{2})?(?:[ ]?[AaPp]\.?[Mm]\b\.?)?[ :,-]*"
    # nothing but blanks
    r"|[_ ,]+(?=\n)"
    r")"
)
_SIGNATURE = re.compile(
    r"(?:(?:DR|Dr)\.?\s+[\w.',-]{1,30}(?:\s[\w.',-]{1,30}){0,3}"
    r"|(?:_{3,}|[A-Z][\w.'-]{0,30})(?:\s[A-Z_][\w.'-]{0,30}){0,3},?\s(?:M\.?D|D\.?O|M\.?B\.?B\.?S)\.?,?"
    r"|(?:Electronically|Digitally)\s(?:signed|approved)\b.{0,120}"
    r"|(?:Dictated|Signed|Read|Reviewed|Approved|Transcribed|Interpreted|Reported|Finalized)"
    r"(?:\sand\s\w+)?\sby\b.{0,120})"
)
_LONGEST_SIGNATURE = 150


def without_stamp(piece: str) -> str:
    """The text of a wet read without the author and time at its beginning."""
    match = _STAMP.match(piece)
    return piece[match.end() :] if match else piece


def without_signature(text: str, segments: list[Segment]) -> list[Segment]:
    """The segments with signature lines at the very end as a segment of their own."""
    if not segments or segments[-1].section not in READ | {ADDENDUM}:
        return segments
    last = segments[-1]
    end = start = cursor = last.start + len(text[last.start : last.end].rstrip())
    while (line := text.rfind("\n", last.start, cursor)) >= 0:
        body = text[line + 1 : cursor].strip()
        if _is_signature(body):
            start = line
        elif body.strip("_ "):
            break
        cursor = line
    if not text[start:end].strip():
        return segments
    return [
        *segments[:-1],
        last._replace(end=start),
        Segment("signature", "signature_line", start, last.end),
    ]


def _is_signature(body: str) -> bool:
    return 0 < len(body) <= _LONGEST_SIGNATURE and _SIGNATURE.fullmatch(body) is not None
