"""Titles in one line: at its start in any spelling, and inside it after the end of a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.clinical.sections.model import COMBINED, IMPRESSION, WET_READ, Event
from pipeline.clinical.sections.titles import (
    MAX_TITLE,
    Title,
    TitleTable,
    normal_form,
    resolve_title,
)

_AFTER_COLON = re.compile(r"[:*\]>]*")
_WET_READ = re.compile(r"(?i)wet ?read(?:ing)?(?: version)?(?: ?# ?\d{1,2})?(?=[\s:_-])\s*[:-]?")
_SEPARATED = re.compile(
    r"([A-Za-z][A-Za-z &/]{1,38}?)"
    r"(?:\s+[-–—=]+\s*|[-–—]{1,3}\s+|[-–—]{1,3}(?=[A-Z])|(?P<weak>[.;]\s+|\s{2,}|\t))(?=\S)"
)
_THEN_SENTENCE = re.compile(r"\s(?=[A-Z]?[a-z]|[A-Z] [a-z]|_{3}|\d)")
_UNFINISHED_COMBINED = re.compile(r"\bFINDINGS?\s*(?:AND|&|/)$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_][^\s:.;,]*")
_FIRST_WORD = re.compile(r"[\s*#<\[(-]*([^\W\d_]+(?:\([sS]\))?)")
_BARE_LENGTH = 45
_WRAPPED_LENGTH = 55
"""A line at least this long may have been broken in the middle of a sentence."""
_AHEAD = 15
"""So many characters after a title show whether the text is in upper case."""
_INLINE_REACH = 45
"""How far before a colon, in characters, a title inside a line may begin."""
_STOPS = frozenset(".;,")
_SENTENCE_END = ".?!:;)]_"


def line_title(body: str, before: str, table: TitleTable) -> tuple[Title, int] | None:
    """The title the stripped line begins with and where in the line its text begins.

    ``before`` is the line above, stripped, "" where that is blank: a title does not continue a
    sentence that was broken between the two lines.
    """
    colon = _title_colon(body)
    head = body[:colon].rstrip() if 0 < colon <= MAX_TITLE else ""
    title = resolve_title(head) if head else None
    end = colon + 1
    if title is None or title.rule != "title":
        other = _without_colon(body, before, table)
        if other is not None:
            title, end = other
            head = body[:end].rstrip()
    if title is None or _continues_sentence(head, before):
        return None
    if title.section == IMPRESSION and _UNFINISHED_COMBINED.search(before[-20:]):
        title = Title(COMBINED, "title", "core")
    if match := _AFTER_COLON.match(body, end):
        end = match.end()
    return title, end


def titles_inside(body: str, start: int, begin: int, table: TitleTable) -> Iterator[Event]:
    """Core titles before a colon inside the line, from ``begin`` on; ``start`` is the line's.

    Always after the end of a sentence or two blanks; else in upper case where the text around it
    is not, or with a capital after a word in lower case.
    """
    past = begin
    colon = body.find(":", begin)
    while colon >= 0:
        tail_start = max(past, colon - _INLINE_REACH)
        words = list(_WORD.finditer(body, tail_start, colon))[-4:]
        if words and normal_form(words[-1].group()) in table.core_last_words:
            for word in words:
                at = word.start()
                section = table.core.get(normal_form(body[at:colon]))
                if section is None or word.group().upper() == "AND":
                    continue
                if not _STOPS.isdisjoint(body[at:colon]):
                    continue
                if at > 0 and _stands_alone(body, at, colon):
                    yield Event(start + at, start + colon + 1, section, "inside_line", "core")
                    past = colon + 1
                break
        colon = body.find(":", colon + 1)


def _title_colon(body: str) -> int:
    """Where the first colon is that is not part of a time of day."""
    colon = body.find(":")
    while colon > 0 and body[colon - 1].isdigit() and body[colon + 1 : colon + 2].isdigit():
        colon = body.find(":", colon + 1)
    return colon


def _without_colon(body: str, before: str, table: TitleTable) -> tuple[Title, int] | None:
    """A core title alone in its line, before a dash, or before a capitalised sentence."""
    first = _FIRST_WORD.match(body)
    if first is None or normal_form(first[1]) not in table.core_first_words:
        return None
    if match := _WET_READ.match(body):
        return Title(WET_READ, "title", "core"), match.end()
    if len(body) <= _BARE_LENGTH:
        section = table.core.get(normal_form(body))
        if section is not None:
            alone = body[0].isupper() or not body[0].isalpha() or not before
            return (Title(section, "alone", "core"), len(body)) if alone else None
    if match := _SEPARATED.match(body):
        section = table.core.get(normal_form(match[1]))
        if section is not None and (match[1].isupper() or not match["weak"]):
            return Title(section, "separated", "core"), match.end()
    if before and before[-1] not in _SENTENCE_END:
        return None
    return _before_sentence(body, table)


def _before_sentence(body: str, table: TitleTable) -> tuple[Title, int] | None:
    """An upper-case core title that only a blank sets apart from its text."""
    head_end = 0
    for match in _WORD.finditer(body, 0, _BARE_LENGTH):
        if not match.group().isupper():
            break
        head_end = match.end()
        section = table.core.get(normal_form(body[:head_end]))
        if section is not None and (follows := _THEN_SENTENCE.match(body, head_end)):
            if body[follows.end()].islower():
                return None
            return Title(section, "before_sentence", "core"), follows.end()
    return None


def _continues_sentence(head: str, before: str) -> bool:
    """Whether ``head`` is rather the end of the sentence that ``before`` began."""
    if len(before) < _WRAPPED_LENGTH or before[-1] in _SENTENCE_END:
        return False
    if head[0].islower():
        return True
    return head.isupper() and before.rsplit(None, 1)[-1].isupper() and before.isupper()


def _stands_alone(body: str, at: int, colon: int) -> bool:
    """Whether the words before the colon are a title and not the end of a sentence."""
    left = body[max(0, at - _INLINE_REACH) : at]
    if left.endswith("  "):
        return True
    left = left.rstrip()
    if left[-1:] in _SENTENCE_END:
        return True
    word = left.rsplit(None, 1)[-1]
    if body[at:colon].isupper():
        return not word.isupper() or not body[colon + 1 : colon + _AHEAD].isupper()
    return body[at].isupper() and word.islower()
