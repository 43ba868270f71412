"""From events to segments: which titles count where, and what ends a section."""

from __future__ import annotations

import re

from pipeline.clinical.sections.model import (
    ADDENDUM,
    APART,
    EXAMINATION,
    FINDINGS,
    OF_PATIENT,
    ORDERING,
    OTHER_STUDY,
    READ,
    UNTITLED,
    WET_READ,
    Event,
    Segment,
)
from pipeline.clinical.sections.outlook import Outlook
from pipeline.clinical.sections.titles import resolve_title

_NO_PART_OF_OTHER_STUDY = APART | {EXAMINATION, "administrative", "dose"}
_FIRST_PHRASE = re.compile(r"[ \t]*([^\n:.]{1,100})")
_SUB_HEADING = re.compile(r"\s*([A-Z][^\n:.]{0,60}):")


def assemble(text: str, events: list[Event]) -> tuple[list[Segment], list[tuple[str, str]]]:
    """The segments of ``text`` in order, and (section, "empty") for titles without text.

    Text under no title is left ``UNTITLED``.
    """
    assembly = _Assembly(text, events)
    for index, event in enumerate(events):
        if event.use == "rule":
            assembly.ruled_line(event)
        elif event.use == "banner":
            assembly.banner(index, event)
        else:
            assembly.title(index, event)
    assembly.close(len(text))
    return assembly.segments, assembly.empty


class _Assembly:
    """The section the text is in (``inside``), and the segments so far."""

    def __init__(self, text: str, events: list[Event]) -> None:
        self.segments: list[Segment] = []
        self.empty: list[tuple[str, str]] = []
        self._text = text
        self._events = events
        self._outlook: Outlook | None = None
        self._inside = UNTITLED
        self._rule = "untitled"
        self._start = 0
        self._was_read = False

    def ruled_line(self, event: Event) -> None:
        """A ruled line ends a section, unless it underlines the title."""
        if self._inside == UNTITLED or self._has_text(event.start):
            self._open(UNTITLED, "after_ruled_line", event.start, event.end)
        else:
            self._start = event.end

    def banner(self, index: int, event: Event) -> None:
        """A banner ends a section; below some of them the text is of one kind without a title."""
        section = event.section
        if section == "final" or (section == WET_READ and self._look().last_final < index):
            self._open(UNTITLED, "untitled", event.start, event.end)
        else:
            self._open(section, "banner", event.start, event.end)

    def title(self, index: int, event: Event) -> None:
        """A title opens its section, or is text of the open one."""
        section = self._section_of(index, event)
        if section is not None:
            start = event.start if event.use == "sub_heading" else event.end
            self._open(section, event.rule, event.start, start)

    def close(self, end: int) -> None:
        """Ends the open section at ``end``."""
        if self._has_text(end):
            self.segments.append(Segment(self._inside, self._rule, self._start, end))
            self._was_read = self._was_read or self._inside in READ
        elif self._inside != UNTITLED and self._rule not in ("banner", "study_title"):
            self.empty.append((self._inside, "empty"))

    def _open(self, section: str, rule: str, end_of_last: int, start: int) -> None:
        self.close(end_of_last)
        self._inside, self._rule, self._start = section, rule, start

    def _has_text(self, end: int) -> bool:
        piece = self._text[self._start : end]
        return bool(piece) and not piece.isspace()

    def _look(self) -> Outlook:
        if self._outlook is None:
            self._outlook = Outlook(self._events)
        return self._outlook

    def _section_of(self, index: int, event: Event) -> str | None:
        """The section the title opens here, None where it is text."""
        section, use, inside = event.section, event.use, self._inside
        if (
            inside in (WET_READ, ADDENDUM)
            and section not in APART
            and self._look().holds(index, inside, section, self._was_read)
        ):
            return None
        if use == "study" or use == "other_study":
            return self._section_of_study(event)
        if use == "sub_heading":
            opens = inside in ORDERING and self._look().last.get(FINDINGS, -1) <= index
            return FINDINGS if opens else None
        if use == "weak" and (self._was_read or inside in READ):
            return None
        if event.rule == "keyword" and section == inside:
            return None
        if event.rule == "inside_line" and self._repeats_title(event):
            return None
        if inside == OTHER_STUDY and section not in _NO_PART_OF_OTHER_STUDY:
            return None
        if section == EXAMINATION and self._was_read and self._names_other_study(index, event):
            return OTHER_STUDY
        return section

    def _section_of_study(self, event: Event) -> str | None:
        """A study's name opens findings; that of another organ after the reading its own part."""
        inside, chest = self._inside, event.use == "study"
        if inside in ORDERING:
            return FINDINGS
        if inside == UNTITLED:
            return FINDINGS if chest or not self._was_read else OTHER_STUDY
        if inside == FINDINGS:
            return FINDINGS if self._rule == "study_title" else None
        if inside == OTHER_STUDY:
            return FINDINGS if chest else None
        if inside == WET_READ or not self._after_gap(event.start):
            return None
        if not self._has_text(event.start) or _SUB_HEADING.match(self._text, self._start):
            return None
        return FINDINGS if chest else OTHER_STUDY

    def _repeats_title(self, event: Event) -> bool:
        """Whether a title straight after another is text: INDICATION: HISTORY: pain."""
        if self._has_text(event.start):
            return False
        return event.section in OF_PATIENT and self._inside in OF_PATIENT

    def _after_gap(self, start: int) -> bool:
        """Whether a blank line precedes the line that begins at or just before ``start``."""
        line = self._text.rfind("\n", 0, start)
        above = self._text.rfind("\n", 0, max(line, 0))
        return line > 0 and not self._text[above + 1 : line].strip()

    def _names_other_study(self, index: int, event: Event) -> bool:
        phrase = _FIRST_PHRASE.match(self._text, event.end)
        title = resolve_title(phrase[1].strip()) if phrase else None
        return title is not None and title.use == "other_study"
