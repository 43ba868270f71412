"""Reading a report as a browser would: what is nested, what it shows, what it would load."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "input", "link", "line", "rect", "path"}
_LOADING = ("src", "srcset", "data", "poster", "action", "xlink:href", "background")


@dataclass
class Table:
    """A table's caption, heads and rows of cells."""

    caption: str = ""
    heads: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def row(self, first: str) -> dict[str, str]:
        """The row that begins with ``first``, by head."""
        return dict(zip(self.heads, next(r for r in self.rows if r[0] == first), strict=True))


class Page(HTMLParser):
    """A page, read; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.plots: list[list[str]] = []
        self.captions: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def table(self, caption: str) -> Table:
        """The table with this caption."""
        return next(table for table in self.tables if table.caption == caption)

    def plot(self, caption: str) -> list[str]:
        """The texts in the plot with this caption."""
        return self.plots[self.captions.index(caption)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        self.loads += [given[name] for name in _LOADING if name in given]
        self.loads += [
            f"<{tag}>" for name in [tag] if name in ("script", "link", "iframe", "object")
        ]
        self.loads += [name for name in given if name.startswith("on")]
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tr" and "thead" not in self._open:
            self.tables[-1].rows.append([])
        elif tag in ("th", "td"):
            cells = self.tables[-1].heads if "thead" in self._open else self.tables[-1].rows[-1]
            cells.append("")
        elif tag == "svg":
            assert given["role"] == "img" and given["aria-labelledby"] in self.ids
            self.plots.append([])
        elif tag == "figcaption":
            self.captions.append("")
        elif tag == "text" and "svg" in self._open:
            self.plots[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-3:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        inner = self._open[-1] if self._open else ""
        if inner in ("style", "script"):
            return
        self.text += data
        if inner == "caption":
            self.tables[-1].caption += data
        elif inner in ("th", "td"):
            table = self.tables[-1]
            (table.heads if "thead" in self._open else table.rows[-1])[-1] += data
        elif inner == "figcaption":
            self.captions[-1] += data
        elif inner == "text":
            self.plots[-1][-1] += data
