"""How notes look: the layouts met in MIMIC-CXR, each as one function."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

BANNER: Final = " " * 33 + "FINAL REPORT\n"
RULE: Final = " " + "_" * 78 + "\n"
BLANK: Final = "___"
"""What stands in MIMIC-CXR where a name, date or place was removed."""


@dataclass(frozen=True, slots=True)
class Note:
    """The parts of a note before they are laid out."""

    examination: str
    indication: str
    technique: str
    comparison: str
    findings: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    impression: tuple[str, ...]
    recommendation: str
    call: str

    @property
    def body(self) -> str:
        """All findings as running text."""
        return " ".join(self.findings)

    @property
    def conclusion(self) -> str:
        """The impression as running text."""
        return " ".join(self.impression)


Layout: TypeAlias = Callable[[Note, random.Random], str]


def wrap(text: str) -> str:
    """Lines of at most 78 characters that begin with a blank."""
    return textwrap.fill(
        text, 78, initial_indent=" ", subsequent_indent=" ", break_long_words=False
    )


def section(title: str, text: str, style: int = 0) -> str:
    """A titled section: text behind the title, or below it."""
    if style:
        return f" {title}: \n \n{wrap(text)}\n \n"
    return wrap(f"{title}:  {text}") + "\n \n"


def numbered(note: Note) -> str:
    """The impression as a list, as people write it when there is more than one point."""
    if len(note.impression) == 1:
        return wrap(note.impression[0]) + "\n"
    return "".join(wrap(f"{n}. {text}") + "\n" for n, text in enumerate(note.impression, start=1))


def head(note: Note, *, technique: bool = True) -> str:
    """Examination to comparison."""
    text = section("EXAMINATION", note.examination) + section("INDICATION", note.indication)
    if technique:
        text += section("TECHNIQUE", note.technique)
    return text + section("COMPARISON", note.comparison)


def full(note: Note, rng: random.Random) -> str:
    """All sections, with recommendation and notification where there are any."""
    text = BANNER + head(note) + section("FINDINGS", note.body, rng.choice((0, 1)))
    text += f" IMPRESSION: \n \n{numbered(note)} \n"
    if note.recommendation:
        text += section("RECOMMENDATION(S)", note.recommendation)
    if note.call:
        time = f"{rng.randrange(1, 12)}:{rng.randrange(10, 60)} PM"
        told = f"The finding of {note.call} was discussed by Dr. {BLANK} with Dr. {BLANK}"
        text += section("NOTIFICATION", f"{told} by telephone at {time}, soon after discovery.")
    return text


def history(note: Note, rng: random.Random) -> str:
    """HISTORY instead of INDICATION, no technique."""
    title = rng.choice(("HISTORY", "CLINICAL HISTORY", "REASON FOR EXAM"))
    return (
        BANNER
        + section(title, note.indication)
        + section("COMPARISON", note.comparison)
        + section("FINDINGS", note.body)
        + section("IMPRESSION", note.conclusion)
    )


def findings_only(note: Note, rng: random.Random) -> str:
    """No impression."""
    return BANNER + head(note, technique=rng.random() < 0.5) + section("FINDINGS", note.body, 1)


def impression_only(note: Note, rng: random.Random) -> str:
    """No findings; the impression says everything, or only what matters."""
    text = BANNER + section("INDICATION", note.indication) + section("COMPARISON", note.comparison)
    return text + section(
        "IMPRESSION", rng.choice((note.body, note.conclusion)), rng.choice((0, 1))
    )


def combined(note: Note, rng: random.Random) -> str:
    """One section for both."""
    title = rng.choice(("FINDINGS AND IMPRESSION", "FINDINGS/IMPRESSION", "IMPRESSION/FINDINGS"))
    return BANNER + head(note) + section(title, note.body)


def wet_read(note: Note, rng: random.Random) -> str:
    """A resident's first reading above the report."""
    hour = rng.randrange(1, 12)
    first = f" WET READ: {BLANK} {BLANK} {BLANK} {hour}:{rng.randrange(10, 60)} PM\n"
    return first + wrap(f"  {note.impression[0]}") + "\n" + RULE + full(note, rng)


def addendum(note: Note, rng: random.Random) -> str:
    """An addendum above the report."""
    added = rng.choice(
        (
            f"The findings were conveyed to Dr. {BLANK} at 4:20 p.m. on {BLANK}.",
            "On second review there is also mild degenerative change of the right shoulder.",
        )
    )
    top = " " * 32 + "FINAL ADDENDUM\n ADDENDUM: \n \n"
    return top + wrap(added) + "\n" + RULE + full(note, rng)


def untitled(note: Note, rng: random.Random) -> str:
    """A narrative without FINDINGS title, followed by an impression in some."""
    middle = max(1, len(note.findings) // 2)
    text = BANNER + f" AP CHEST, {BLANK}.\n \n" + section("COMPARISON", note.comparison)
    for paragraph in (note.findings[:middle], note.findings[middle:]):
        if paragraph:
            text += wrap(" ".join(paragraph)) + "\n \n"
    return text + (section("IMPRESSION", note.conclusion) if rng.random() < 0.5 else "")


def bare(note: Note, rng: random.Random) -> str:
    """Nothing but the banner and the text."""
    return BANNER + wrap(note.body) + "\n"


def view_title(note: Note, rng: random.Random) -> str:
    """The examination as the title of the findings."""
    title = rng.choice(("CHEST, TWO VIEWS", "PORTABLE CHEST", "PA AND LATERAL VIEWS OF THE CHEST"))
    text = BANNER + section("INDICATION", note.indication)
    return text + section(title, note.body) + section("IMPRESSION", note.conclusion)


def typos(note: Note, rng: random.Random) -> str:
    """Misspelt titles."""
    text = BANNER + head(note) + section(rng.choice(("FINDNGS", "FINIDINGS")), note.body)
    return text + section(rng.choice(("IMPRESSON", "IMPESSION", "CONCLUSION")), note.conclusion)


def title_case(note: Note, rng: random.Random) -> str:
    """Titles in title case at the margin, the first on line 1."""
    return (
        f"Final Report\nIndication: {note.indication}\n\n"
        f"Comparison: {note.comparison}\n\nFindings: {note.body}\n\n"
        f"Impression: {note.conclusion}\n"
    )


def inline(note: Note, rng: random.Random) -> str:
    """All titles in one paragraph."""
    text = (
        f"INDICATION: {note.indication} COMPARISON: {note.comparison} "
        f"FINDINGS: {note.body} IMPRESSION: {note.conclusion}"
    )
    return BANNER + wrap(text) + "\n"


def subheads(note: Note, rng: random.Random) -> str:
    """Organs as sub-headings inside the findings."""
    text = BANNER + head(note) + " FINDINGS: \n \n"
    for name, body in note.parts:
        text += wrap(f"{name}: {body}") + "\n"
    return text + " \n" + section("IMPRESSION", note.conclusion, 1)


def crlf(note: Note, rng: random.Random) -> str:
    """Line ends of Windows."""
    return full(note, rng).replace("\n", "\r\n")


def tabs(note: Note, rng: random.Random) -> str:
    """Titles set off with tabs."""
    return (
        f"FINAL REPORT\nINDICATION:\t{note.indication}\n\nCOMPARISON:\t{note.comparison}\n\n"
        f"FINDINGS:\t{note.body}\n\nIMPRESSION:\t{note.conclusion}\n"
    )


def degree_sign(note: Note, rng: random.Random) -> str:
    """Typographic characters; written in Windows-1252, so not valid UTF-8."""
    extra = "Temperature 38.2 \N{DEGREE SIGN}C \N{EN DASH} clinical correlation advised."
    return full(note, rng).replace(note.indication, f"{note.indication} {extra}", 1)


def upper_case(note: Note, rng: random.Random) -> str:
    """Everything in capitals."""
    return full(note, rng).upper()


def cut_short(note: Note, rng: random.Random) -> str:
    """A transfer that broke off inside a word."""
    text = BANNER + head(note) + section("FINDINGS", note.body)
    return text.rstrip()[: -max(5, len(note.findings[-1]) // 2)]


def no_text(note: Note, rng: random.Random) -> str:
    """An empty file: a reject to see."""
    return ""


SPECIAL: Final[tuple[Layout, ...]] = (
    impression_only,
    wet_read,
    findings_only,
    untitled,
    history,
    addendum,
    combined,
    subheads,
    view_title,
    title_case,
    crlf,
    inline,
    typos,
    tabs,
    degree_sign,
    upper_case,
    bare,
)
"""Layouts given to every second study in turn, so that each comes several times."""

ENCODINGS: Final[dict[Layout, str]] = {degree_sign: "cp1252"}
"""Layouts that are not written in UTF-8."""
