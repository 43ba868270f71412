"""From the text of a report to its sections and to the text a model reads."""

from __future__ import annotations

import re

from pipeline.clinical.sections.assemble import assemble
from pipeline.clinical.sections.bodies import place_untitled
from pipeline.clinical.sections.model import (
    ADDENDUM,
    COMBINED,
    FINDINGS,
    IMPRESSION,
    WET_READ,
    SectionedReport,
)
from pipeline.clinical.sections.scan import plain_layout, scan
from pipeline.clinical.sections.trim import without_signature, without_stamp

_READING_ORDER = (FINDINGS, COMBINED, IMPRESSION, ADDENDUM)
_LETTER = re.compile(r"[^\W\d_]")


def extract_sections(text: str) -> SectionedReport:
    """Divides a report into its sections.

    Takes any text and never raises: what has no title is the body where it speaks of findings,
    else ``preamble`` or ``unassigned``. Time grows with the length of the text and no faster.

    Args:
        text: the report as read from its file; line ends, blanks and case as they come.

    Returns:
        Sections, spans, rules and reading; the reading is "" where there is nothing to read.
    """
    plain = plain_layout(text)
    segments, empty = assemble(plain, scan(plain))
    segments = without_signature(plain, place_untitled(plain, segments))
    pieces: dict[str, list[str]] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    rules: list[tuple[str, str]] = []
    for section, rule, begin, end in segments:
        part = plain[begin:end]
        if section == WET_READ:
            part = without_stamp(part)
        bare = part.strip()
        if not bare:
            continue
        start = end - len(part) + part.index(bare[0])
        span = (start, start + len(bare))
        piece = " ".join((bare if plain is text else text[slice(*span)]).split())
        if section in pieces:
            pieces[section].append(piece)
            spans[section].append(span)
        else:
            pieces[section] = [piece]
            spans[section] = [span]
        rules.append((section, rule))
    sections = {name: " ".join(parts) for name, parts in pieces.items()}
    reading, source = _reading(sections)
    return SectionedReport(sections, spans, [*rules, *empty, ("reading", source)], reading)


def _reading(sections: dict[str, str]) -> tuple[str, str]:
    """The text handed to a model, and the sections it was made from."""
    names = [name for name in _READING_ORDER if _LETTER.search(sections.get(name, ""))]
    if not names and _LETTER.search(sections.get(WET_READ, "")):
        names = [WET_READ]
    if not names:
        return "", "no_findings_text"
    return "\n".join(sections[name] for name in names), "+".join(names)
