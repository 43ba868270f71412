"""What a report is made of: sections of facts, tables, plots and notes, before any HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pipeline.report.plots import Plot


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what is said about them, such as ``recipe``: ``radreportx``."""

    rows: Sequence[tuple[str, str]]
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text cells; the first column names the row.

    Attributes:
        caption: what it shows.
        columns: heads; those of ``left`` and the first are text, the others numbers.
        rows: cells, as many as there are columns; an empty one says that there is nothing to say.
        total: a last row that sums up.
        left: columns of text beside the first.
        more: said below, such as how many rows were left out.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: Sequence[str] = ()
    left: Sequence[str] = ()
    more: str = ""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence or two; a ``warning`` stands out."""

    text: str
    warning: bool = False
    kind: str = field(default="note", init=False)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    text: str
    kind: str = field(default="heading", init=False)


Block: TypeAlias = Facts | Table | Note | Heading | Plot


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes:
        id: its anchor.
        title: its heading.
        blocks: what it shows, in order.
    """

    id: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report.

    Attributes:
        title: of the page.
        notice: how the data may be passed on.
        restricted: whether the notice restricts it.
        sections: in order.
        made: when and by what, for the last line.
    """

    title: str
    notice: str
    restricted: bool
    sections: Sequence[Section]
    made: str


def number(value: float | None) -> str:
    """A count with thousands separated; nothing where there is none."""
    return "" if value is None else f"{value:,.0f}"


def share(part: float, whole: float) -> str:
    """A share in per cent; nothing where it is a share of nothing."""
    return f"{part / whole:.1%}" if whole else ""


def figure(value: float | None, digits: int = 3) -> str:
    """A figure; a dash where it is not defined."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(value: Mapping[str, float | None] | None, digits: int = 3) -> str:
    """A figure with its interval, as evaluations write them."""
    if value is None or value["value"] is None:
        return "–"
    if value.get("low") is None:
        return figure(value["value"], digits)
    low, high = figure(value["low"], digits), figure(value["high"], digits)
    return f"{figure(value['value'], digits)} [{low}, {high}]"


def words(name: str) -> str:
    """A name of the program's in words: ``not_answerable`` is *not answerable*."""
    return name.replace("_", " ")


def first(
    rows: Sequence[Sequence[str]], limit: int, what: str
) -> tuple[Sequence[Sequence[str]], str]:
    """The first ``limit`` rows, and what is to be said of those left out."""
    if len(rows) <= limit:
        return rows, ""
    return rows[:limit], f"The first {limit:,} of {len(rows):,} {what}."
