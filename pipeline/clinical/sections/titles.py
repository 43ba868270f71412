"""Which words are a section title: the title table, its misspellings and the names of studies.

The table is ``libs/section_titles.csv`` (title, section, use, note); a row more is a title more.
Its uses:

- ``core``: also inside a line, without a colon, or misspelt;
- ``title``: at the start of a line, before a colon;
- ``weak``: the same, but only before any findings or impression;
- ``keyword``: a word that makes an upper-case title it occurs in one of this section;
- ``banner``: a line of its own such as FINAL REPORT.

``libs/section_study_words.csv`` holds the words of study names (CHEST, TWO VIEWS) and of anatomical
sub-headings (LUNGS AND PLEURA).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipeline.clinical.sections.model import COMBINED, FINDINGS, IMPRESSION
from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path

MAX_TITLE = 100
"""Longest text before a colon, in characters, that is looked at as a title."""

OPENING = 3
"""So many letters rule out quickly that a line begins with a core title or banner."""

_USES = frozenset({"core", "title", "weak", "keyword", "banner"})
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_MIN_TYPO_LETTERS = 6
_LONG_TITLE_LETTERS = 8
_MAX_KEYWORD_TITLE_WORDS = 6

# Upper-case prose that happens to stand before a colon is no title, whatever words it has.
_PROSE_WORDS = frozenset(
    {"ABOVE", "ABNORMAL", "ACUTE", "ANY", "ARE", "COMPARED", "HAS", "HAVE", "IS", "NEW", "NO"}
    | {"SEE", "SIMILAR", "THERE", "THESE", "THIS", "UNCHANGED", "WAS", "WERE", "WITH", "WITHOUT"}
)


class Title(NamedTuple):
    """What a text before a colon is the title of; ``rule`` says how that was found out."""

    section: str
    rule: str
    use: str


@dataclass(frozen=True, slots=True)
class TitleTable:
    """The two libraries, by normal form of the title or word."""

    titles: dict[str, Title]
    banners: dict[str, str]
    keywords: dict[str, str]
    study_words: dict[str, str]
    core: dict[str, str]
    core_first_words: frozenset[str]
    core_last_words: frozenset[str]
    banner_starts: tuple[tuple[str, str], ...]
    openings: frozenset[str]
    banner_openings: frozenset[str]


def normal_form(title: str) -> str:
    """The title in upper case without punctuation, "(S)", and "and" or what stands for it.

    Letters set apart (F I N D I N G S) are put together.
    """
    words = [word for word in _WORD.findall(title.upper().replace("(S)", "S")) if word != "AND"]
    if len(words) > 4 and all(len(word) == 1 for word in words):
        return "".join(words)
    return " ".join(words)


@cache
def title_table() -> TitleTable:
    """The packaged libraries.

    Raises:
        ConfigError: a library is missing, or a row has an unknown use.
    """
    titles: dict[str, Title] = {}
    banners: dict[str, str] = {}
    keywords: dict[str, str] = {}
    with resource_path("libs", "section_titles.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            form, section, use = normal_form(row["title"]), row["section"], row["use"]
            if use not in _USES:
                raise ConfigError(f"libs/section_titles.csv: unknown use {use!r} of {form!r}")
            if use == "banner":
                banners[form] = section
            elif use == "keyword":
                keywords[form] = section
            else:
                titles[form] = Title(section, "title", use)
    with resource_path("libs", "section_study_words.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        study_words = {row["word"]: row["kind"] for row in csv.DictReader(file)}
    core = {form: title.section for form, title in titles.items() if title.use == "core"}
    core_first_words = frozenset(form.split()[0] for form in core)
    banner_openings = frozenset(form[:OPENING] for form in banners)
    longest_first = sorted(banners.items(), key=lambda item: -len(item[0]))
    return TitleTable(
        titles=titles,
        banners=banners,
        keywords=keywords,
        study_words=study_words,
        core=core,
        core_first_words=core_first_words,
        core_last_words=frozenset(form.split()[-1] for form in core),
        banner_starts=tuple((form, section) for form, section in longest_first if " " in form),
        openings=banner_openings | {form[:OPENING] for form in core},
        banner_openings=banner_openings,
    )


@lru_cache(maxsize=8192)
def resolve_title(text: str) -> Title | None:
    """What ``text`` before a colon at the start of a line is the title of; None if of nothing."""
    if len(text) > MAX_TITLE:
        return None
    form = normal_form(text)
    table = title_table()
    if title := table.titles.get(form) or table.titles.get(form.rstrip(" 0123456789")):
        return title
    first = text.lstrip("*#<[(-> ")[:1]
    if not first.isupper() and not first.isdigit():
        return None
    upper = text.isupper()
    return (
        _misspelt(form, table, upper)
        or _study(form, table, upper)
        or (_by_keyword(form, table) if upper else None)
    )


def _misspelt(form: str, table: TitleTable, upper: bool) -> Title | None:
    """The core title at a small edit distance.

    One edit for upper case and long titles; two for upper case with the same first letter, else
    MEDICATION would be INDICATION. CONCLUSION takes one only: CONTUSION and OCCLUSION are near it.
    """
    letters = len(form)
    if letters < _MIN_TYPO_LETTERS or (not upper and letters < _LONG_TITLE_LETTERS):
        return None
    limit = 2 if upper and letters >= _LONG_TITLE_LETTERS else 1
    found = process.extractOne(form, table.core.keys(), scorer=OSA.distance, score_cutoff=limit)
    if found is None:
        return None
    name, distance, _ = found
    if distance > 1 and (name[0] != form[0] or name.startswith("CONCLUSION")):
        return None
    return Title(table.core[name], "misspelt", "core")


def _study(form: str, table: TitleTable, upper: bool) -> Title | None:
    """The name of a study (its text is findings) or an anatomical sub-heading, word by word.

    A single word not in upper case (Chest) is a sub-heading too.
    """
    kinds = {table.study_words.get(word, "word" if word.isdigit() else "") for word in form.split()}
    if "" in kinds:
        return None
    if "anatomy" in kinds or (not upper and " " not in form):
        return Title(FINDINGS, "sub_heading", "sub_heading")
    if "other" in kinds and "chest" not in kinds:
        return Title(FINDINGS, "study_title", "other_study")
    if "chest" in kinds or "view" in kinds:
        return Title(FINDINGS, "study_title", "study")
    return None


def _by_keyword(form: str, table: TitleTable) -> Title | None:
    words = form.split()
    if len(words) > _MAX_KEYWORD_TITLE_WORDS or not _PROSE_WORDS.isdisjoint(words):
        return None
    sections = [table.keywords[word] for word in words if word in table.keywords]
    if not sections:
        return None
    if FINDINGS in sections and IMPRESSION in sections:
        return Title(COMBINED, "keyword", "title")
    return Title(sections[0], "keyword", "title")
