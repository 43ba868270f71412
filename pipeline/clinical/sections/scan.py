"""One pass over the lines of a report: titles, banners and ruled lines, wherever they stand."""

from __future__ import annotations

from pipeline.clinical.sections.lines import line_title, titles_inside
from pipeline.clinical.sections.model import Event
from pipeline.clinical.sections.titles import OPENING, TitleTable, normal_form, title_table

_PLAIN = str.maketrans(
    {"\r": "\n", "\f": "\n", "\v": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}
    | {"\ufeff": " ", "\u200b": " ", "\xa0": " ", "：": ":", "﹕": ":", "∶": ":"}
)
_RULE_MARKS = "_-=*~─━—"
_MARKS = _RULE_MARKS + "#<[("
"""What a line may begin with that decorates a title or banner, or is a ruled line."""
_MIN_UNDERSCORES = 10
"""Fewer underscores in a line of their own are a de-identification blank."""
_MIN_RULE = 5
_BANNER_MARKS = "*#<>[]() \t:.=-–—"
_MAX_BANNER = 45


def plain_layout(text: str) -> str:
    """The text with odd line breaks, blanks and colons made plain; exactly as long."""
    if text.isascii() and not ("\r" in text or "\f" in text or "\v" in text):
        return text
    return text.replace("\r\n", " \n").translate(_PLAIN)


def scan(text: str) -> list[Event]:
    """Everything in ``text`` (of plain layout) that may begin or end a section, in order."""
    table = title_table()
    openings = table.openings
    events: list[Event] = []
    before = ""
    position = 0
    for line in text.split("\n"):
        body = line.strip()
        if body and (":" in body or body[0] in _MARKS or body[:OPENING].upper() in openings):
            _scan_line(body, position + line.find(body[0]), before, table, events)
        before = body
        position += len(line) + 1
    return events


def _scan_line(body: str, start: int, before: str, table: TitleTable, events: list[Event]) -> None:
    """Appends what the line ``body``, which begins at ``start``, holds; ``before`` precedes it."""
    if body[0] in _RULE_MARKS and _is_ruled(body):
        events.append(Event(start, start + len(body), "", "ruled_line", "rule"))
        return
    if (banner := _banner(body, table)) is not None:
        section, length = banner
        rest = body[length:].lstrip()
        events.append(Event(start, start + len(body) - len(rest), section, "banner", "banner"))
        start += len(body) - len(rest)
        body, before = rest, ""
        if not body:
            return
    end = 0
    title = line_title(body, before, table)
    if title is not None:
        found, end = title
        events.append(Event(start, start + end, found.section, found.rule, found.use))
    if body.find(":", end) >= 0:
        events.extend(titles_inside(body, start, end, table))


def _is_ruled(body: str) -> bool:
    mark = body[0]
    return not body.strip(mark) and len(body) >= (_MIN_UNDERSCORES if mark == "_" else _MIN_RULE)


def _banner(body: str, table: TitleTable) -> tuple[str, int] | None:
    """The banner the line is, or begins with in upper case: its section and length."""
    if body[:OPENING].upper() not in table.banner_openings and body[0] not in _MARKS:
        return None
    bare = body.strip(_BANNER_MARKS)
    if len(bare) <= _MAX_BANNER:
        section = table.banners.get(normal_form(bare))
        if section is not None:
            return section, len(body)
    for name, section in table.banner_starts:
        if body.startswith(name):
            rest = body[len(name) :]
            if rest[0] in " \t:*" and not rest.lstrip(" \t:*")[:1].islower():
                return section, len(body) - len(rest.lstrip(" \t:*"))
    return None
